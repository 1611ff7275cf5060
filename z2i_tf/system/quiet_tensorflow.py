"""Keeps TensorFlow's own log lines off the terminal, unless the user has set TF_CPP_MIN_LOG_LEVEL=0.

That variable is enough for TensorFlow 2.15. TensorFlow 2.21 writes a few lines to standard error while it is loaded,
before it reads the variable; they are dropped. If the import fails, they are shown.
"""

import contextlib
import importlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile

_LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_EVERYTHING, _NOTHING_BUT_CRASHES = "0", "3"
# How TensorFlow's lines begin: with a severity and time, or before its log is set up.
_LOG_LINE = re.compile(rb"WARNING: All log messages before absl|[IWEF]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] ")


def silence() -> None:
  """Sets the variable if it is not set, and prepares for the import; only for a process of our own, never a library."""
  level = os.environ.setdefault(_LEVEL_VARIABLE, _NOTHING_BUT_CRASHES)
  is_prepared = any(isinstance(finder, _QuietImport) for finder in sys.meta_path)
  if level != _EVERYTHING and "tensorflow" not in sys.modules and sys.stderr is not None and not is_prepared:
    sys.meta_path.insert(0, _QuietImport())


def load() -> None:
  """Imports TensorFlow without its log lines, for a library: other lines are shown, and the environment stays as it is.

  Does nothing if TensorFlow is imported already, or if the user has set the variable to 0. TensorFlow keeps the level that
  it had while it was imported.
  """
  level = os.environ.get(_LEVEL_VARIABLE)
  if "tensorflow" in sys.modules or level == _EVERYTHING or sys.stderr is None:
    return
  os.environ.setdefault(_LEVEL_VARIABLE, _NOTHING_BUT_CRASHES)
  try:
    with _stderr_unless_it_fails(is_shown=lambda line: not _LOG_LINE.match(line)):
      importlib.import_module("tensorflow")
  finally:
    if level is None:
      del os.environ[_LEVEL_VARIABLE]


class _QuietImport(importlib.abc.MetaPathFinder):
  """Finds TensorFlow as the other finders do, once, and has it loaded without its lines."""

  def find_spec(self, fullname, path=None, target=None):
    if fullname != "tensorflow":
      return None
    sys.meta_path.remove(self)
    spec = importlib.util.find_spec(fullname)
    if spec is not None:
      execute = spec.loader.exec_module

      def exec_module(module):
        with _stderr_unless_it_fails():
          execute(module)

      spec.loader.exec_module = exec_module
    return spec


@contextlib.contextmanager
def _stderr_unless_it_fails(is_shown=lambda line: False):
  """Drops lines that any code of this process writes to standard error in the block; shows them if the block raises.

  Lines, as bytes, for which `is_shown` is true are shown afterwards in any case.
  """
  sys.stderr.flush()
  terminal = os.dup(2)
  with tempfile.TemporaryFile() as lines:
    os.dup2(lines.fileno(), 2)
    try:
      yield
    except BaseException:
      lines.seek(0)
      os.write(terminal, lines.read())
      raise
    else:
      lines.seek(0)
      os.write(terminal, b"".join(filter(is_shown, lines)))
    finally:
      os.dup2(terminal, 2)
      os.close(terminal)

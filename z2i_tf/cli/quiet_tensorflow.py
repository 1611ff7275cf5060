"""Keeps TensorFlow's own log lines off the terminal, unless the user has set TF_CPP_MIN_LOG_LEVEL=0.

That variable is enough for TensorFlow 2.15. TensorFlow 2.21 writes a few lines to standard error while it is loaded,
before it reads the variable; they are dropped. If the import fails, they are shown.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import sys
import tempfile

_LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_EVERYTHING, _NOTHING_BUT_CRASHES = "0", "3"


def silence() -> None:
  """Sets the variable if it is not set, and prepares for the import; only for a process of our own, never a library."""
  level = os.environ.setdefault(_LEVEL_VARIABLE, _NOTHING_BUT_CRASHES)
  is_prepared = any(isinstance(finder, _QuietImport) for finder in sys.meta_path)
  if level != _EVERYTHING and "tensorflow" not in sys.modules and sys.stderr is not None and not is_prepared:
    sys.meta_path.insert(0, _QuietImport())


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
def _stderr_unless_it_fails():
  """Drops what any code of this process writes to standard error in the block; shows it if the block raises."""
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
    finally:
      os.dup2(terminal, 2)
      os.close(terminal)

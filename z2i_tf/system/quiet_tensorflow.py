"""Imports TensorFlow without its log lines, unless the user has set TF_CPP_MIN_LOG_LEVEL=0.

The variable is enough for TensorFlow 2.15. TensorFlow 2.21 writes a few lines to standard error before it reads the
variable; this module drops them. If the import fails, it prints them.
"""

import importlib
import importlib.abc
import importlib.util
import logging
import os
import re
import sys

from z2i_tf.system import standard_error

_LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_EVERYTHING, _NOTHING_BUT_CRASHES = "0", "3"
_LEVELS_WITHOUT_WARNINGS = ("2", _NOTHING_BUT_CRASHES)
# How TensorFlow's lines begin: with a severity and time, or before its log is set up.
_LOG_LINE = re.compile(rb"WARNING: All log messages before absl|[IWEF]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] ")


def silence() -> None:
  """Silences TensorFlow's log lines and Python warnings; sets the variable if it is unset.

  This changes the process' environment, so only the command line calls it; a library calls `load`.
  """
  level = os.environ.setdefault(_LEVEL_VARIABLE, _NOTHING_BUT_CRASHES)
  if level in _LEVELS_WITHOUT_WARNINGS:
    hide_warnings()
  is_prepared = any(isinstance(finder, _QuietImport) for finder in sys.meta_path)
  if level != _EVERYTHING and "tensorflow" not in sys.modules and sys.stderr is not None and not is_prepared:
    sys.meta_path.insert(0, _QuietImport())


def hide_warnings() -> None:
  """Hides warnings of TensorFlow's Python code, such as those of retracing; the variable does not reach it."""
  logging.getLogger("tensorflow").setLevel(logging.ERROR)


def load() -> None:
  """Imports TensorFlow without its log lines; prints all other lines, and leaves the environment as it was.

  Does nothing if TensorFlow is imported already, or if the user has set the variable to 0. TensorFlow keeps the log
  level that the variable had during the import.
  """
  level = os.environ.get(_LEVEL_VARIABLE)
  if "tensorflow" in sys.modules or level == _EVERYTHING or sys.stderr is None:
    return
  os.environ.setdefault(_LEVEL_VARIABLE, _NOTHING_BUT_CRASHES)
  try:
    with standard_error.filtered(lambda line: not _LOG_LINE.match(line), shows_all_on_error=True):
      importlib.import_module("tensorflow")
  finally:
    if level is None:
      del os.environ[_LEVEL_VARIABLE]


class _QuietImport(importlib.abc.MetaPathFinder):
  """Import hook that makes TensorFlow load without its log lines. Works once; other finders find the module."""

  def find_spec(self, fullname, path=None, target=None):
    if fullname != "tensorflow":
      return None
    sys.meta_path.remove(self)
    spec = importlib.util.find_spec(fullname)
    if spec is not None:
      execute = spec.loader.exec_module

      def exec_module(module):
        with standard_error.filtered(lambda line: False, shows_all_on_error=True):
          execute(module)

      spec.loader.exec_module = exec_module
    return spec

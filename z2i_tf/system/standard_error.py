"""Filters the lines that C libraries print to standard error."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import os
import sys
import tempfile
import threading

_DESCRIPTOR = 2
_DESCRIPTOR_LOCK = threading.RLock()  # The descriptor belongs to the process.


@contextlib.contextmanager
def filtered(is_shown: Callable[[bytes], bool], shows_all_on_error: bool = False) -> Iterator[None]:
  """Holds back the standard error of this process during the block; prints the wanted lines at the end.

  Only one thread at a time runs such a block. Does nothing if the process has no standard error.

  Args:
    is_shown: takes a line (with its line end) and returns whether to print it.
    shows_all_on_error: whether to print every line if the block raises.
  """
  with _DESCRIPTOR_LOCK, contextlib.ExitStack() as stack:
    try:
      terminal = os.dup(_DESCRIPTOR)
    except OSError:
      yield
      return
    stack.callback(os.close, terminal)
    printed = stack.enter_context(tempfile.TemporaryFile())
    if sys.stderr is not None:
      sys.stderr.flush()
    os.dup2(printed.fileno(), _DESCRIPTOR)
    is_complete = False
    try:
      yield
      is_complete = True
    finally:
      os.dup2(terminal, _DESCRIPTOR)
      printed.seek(0)
      shows_all = shows_all_on_error and not is_complete
      lines = b"".join(line for line in printed if shows_all or is_shown(line))
      if lines:
        os.write(terminal, lines)

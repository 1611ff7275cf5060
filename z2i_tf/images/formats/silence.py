"""Suppresses what libtiff and libpng print to stderr about damaged files; our own error follows."""

from collections.abc import Iterator
import contextlib
import os
import re
import tempfile
import threading

# libtiff: a function of its, such as TIFFFillTile or LZWDecode, or the name that Pillow gives it for a file; libpng.
_LINES_OF_LIBRARIES = re.compile(
  rb"(libpng (error|warning)|tempfile\.tif|(?![A-Z]+:|\w+(Error|Exception|Warning):)\w*[A-Z]\w*): "
)
_STDERR = 2
_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def without_lines_of_libraries() -> Iterator[None]:
  """Drops lines of libtiff and libpng; other lines are printed when the block ends.

  One thread at a time is in such a block.
  """
  with _ONE_AT_A_TIME, contextlib.ExitStack() as stack:
    try:
      saved = os.dup(_STDERR)
    except OSError:  # There is none.
      yield
      return
    stack.callback(os.close, saved)
    printed = stack.enter_context(tempfile.TemporaryFile())
    os.dup2(printed.fileno(), _STDERR)
    try:
      yield
    finally:
      os.dup2(saved, _STDERR)
      printed.seek(0)
      lines = [line for line in printed if not _LINES_OF_LIBRARIES.match(line)]
      if lines:
        os.write(_STDERR, b"".join(lines))

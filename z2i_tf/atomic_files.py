"""Files that are there whole or not at all."""

import contextlib
import os
import tempfile
from typing import BinaryIO, Iterator

TEMPORARY_SUFFIX = ".tmp"
# A file's name may be as long as the file system allows.
_PREFIX_LENGTH = 40


@contextlib.contextmanager
def atomic_write(path: str) -> Iterator[BinaryIO]:
  """Opens a temporary file beside `path`, which takes its place when the block ends without an error.

  The temporary name begins with that of the file and ends in ".tmp". After an error it is gone, and a former file
  at `path` is as it was.
  Raises: OSError as `open` and `write`.
  """
  folder, name = os.path.split(path)
  with tempfile.NamedTemporaryFile(dir=folder or ".", prefix=name[:_PREFIX_LENGTH] + ".", suffix=TEMPORARY_SUFFIX,
                                   delete=False) as file:
    try:
      yield file
      file.close()
      os.chmod(file.name, 0o666 & ~_umask())  # As `open` would have made it.
      os.replace(file.name, path)
    except BaseException:
      os.unlink(file.name)
      raise


def _umask() -> int:
  """The permissions that new files do not get; it can only be read by setting it."""
  mask = os.umask(0o022)
  os.umask(mask)
  return mask

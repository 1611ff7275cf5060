"""Files and folders that are there whole or not at all."""

import contextlib
import os
import shutil
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


@contextlib.contextmanager
def atomic_folder(path: str) -> Iterator[str]:
  """Yields the path of an empty folder beside `path`, which takes its place when the block ends without an error.

  A former folder at `path` goes when the new one is whole. After an error the new one is gone, and a former one is as
  it was.
  Raises: OSError if folders cannot be made or renamed.
  """
  path = os.path.realpath(path)  # A link stays one.
  parent, name = os.path.split(path)
  temporary, former = (tempfile.mkdtemp(dir=parent, prefix=name[:_PREFIX_LENGTH] + ".", suffix=TEMPORARY_SUFFIX)
                       for _ in range(2))
  try:
    yield temporary
    os.chmod(temporary, 0o777 & ~_umask())  # As `mkdir` would have made it.
    if os.path.isdir(path):
      os.replace(path, former)
    os.rename(temporary, path)
  finally:
    for folder in (temporary, former):
      shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
  """The permissions that new files do not get; it can only be read by setting it."""
  mask = os.umask(0o022)
  os.umask(mask)
  return mask

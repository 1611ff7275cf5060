"""Files and folders that are there whole or not at all."""

from collections.abc import Collection
from collections.abc import Iterator
import contextlib
import os
import re
import shutil
import tempfile
from typing import BinaryIO

try:
  import fcntl
except ImportError:  # Windows has no such locks.
  fcntl = None

TEMPORARY_SUFFIX = ".tmp"
# A file's name may be as long as the file system allows.
_PREFIX_LENGTH = 40
_RANDOM_PART = r"\.[a-z0-9_]{8}"


@contextlib.contextmanager
def atomic_write(path: str) -> Iterator[BinaryIO]:
  """Opens a temporary file beside `path`, which takes its place when the block ends without an error.

  The temporary name begins with that of the file and ends in ".tmp". After an error it is gone, and a former file
  at `path` is as it was.
  Raises: OSError as `open` and `write`.
  """
  folder, name = os.path.split(path)
  with (
    tempfile.NamedTemporaryFile(
      dir=folder or ".", prefix=name[:_PREFIX_LENGTH] + ".", suffix=TEMPORARY_SUFFIX, delete=False
    ) as file,
    _locked(file),
  ):
    try:
      yield file
      file.close()
      os.chmod(file.name, 0o666 & ~_umask())  # As `open` would have made it.
      os.replace(file.name, path)
    except BaseException:
      os.unlink(file.name)
      raise


@contextlib.contextmanager
def _locked(file) -> Iterator[None]:
  """Holds a lock on a file, closed or not: so that others see that its owner lives. It goes with the process."""
  if fcntl is None:
    yield
    return
  descriptor = os.dup(file.fileno())
  try:
    with contextlib.suppress(OSError):  # Some network file systems have none.
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield
  finally:
    os.close(descriptor)


def remove_leftovers(folder: str, names: Collection[str]) -> None:
  """Removes the temporary files that killed processes left of files called so; those of living ones stay.

  Nothing is removed where the system or the file system has no locks.
  """
  starts = {name[:_PREFIX_LENGTH] for name in names}
  for name in os.listdir(folder) if fcntl else ():
    start = re.sub(_RANDOM_PART + re.escape(TEMPORARY_SUFFIX) + "$", "", name)
    path = os.path.join(folder, name)
    if start == name or start not in starts or not os.path.isfile(path):
      continue
    with contextlib.suppress(OSError), open(path, "rb") as file:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      os.unlink(path)


@contextlib.contextmanager
def atomic_folder(path: str) -> Iterator[str]:
  """Yields the path of an empty folder beside `path`, which takes its place when the block ends without an error.

  A former folder at `path` goes when the new one is whole. After an error the new one is gone, and a former one is as
  it was.
  Raises: OSError if folders cannot be made or renamed.
  """
  path = os.path.realpath(path)  # A link stays one.
  parent, name = os.path.split(path)
  temporary, former = (
    tempfile.mkdtemp(dir=parent, prefix=name[:_PREFIX_LENGTH] + ".", suffix=TEMPORARY_SUFFIX) for _ in range(2)
  )
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

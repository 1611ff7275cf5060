"""Writes files and folders atomically: readers see the old content or the new one, never a part."""

from collections.abc import Collection
from collections.abc import Iterator
import contextlib
import os
import re
import shutil
import tempfile
import threading
from typing import IO

try:
  import fcntl
except ImportError:  # Windows has no such locks.
  fcntl = None  # type: ignore[assignment]

TEMPORARY_SUFFIX = ".tmp"
# Temporary names must not exceed the file system's limit, even if the final name just meets it.
_PREFIX_LENGTH = 40
_RANDOM_PART = r"\.[a-z0-9_]{8}"
_UMASK_LOCK = threading.Lock()  # The umask belongs to the process.


@contextlib.contextmanager
def atomic_write(path: str) -> Iterator[IO[bytes]]:
  """Opens a temporary file beside `path` and renames it to `path` when the block ends without an error.

  The temporary name begins with the file's name and ends in ".tmp". After an error the temporary file is removed, and
  a former file at `path` is unchanged.

  Raises:
    OSError: as `open` and `write`.
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
      os.chmod(file.name, 0o666 & ~_umask())  # The permissions that `open` gives.
      os.replace(file.name, path)
    except BaseException:
      os.unlink(file.name)
      raise


@contextlib.contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
  """Locks a temporary file, even after it is closed, so that `remove_leftovers` spares it while this process lives."""
  if fcntl is None:
    yield
    return
  descriptor = os.dup(file.fileno())
  try:
    with contextlib.suppress(OSError):  # Some network file systems have no locks.
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield
  finally:
    os.close(descriptor)


def remove_leftovers(folder: str, names: Collection[str]) -> None:
  """Removes temporary files that killed processes left in a folder; keeps the files of running processes.

  Removes nothing if the system or the file system has no locks.

  Args:
    folder: the folder to clean.
    names: final names of the files, without folder.
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
  """Yields a temporary folder beside `path` and renames it to `path` when the block ends without an error.

  A former folder at `path` is removed once the new one is in its place. After an error the new folder is removed, and
  the former one is unchanged.

  Raises:
    OSError: a folder cannot be created or renamed.
  """
  path = os.path.realpath(path)  # Keeps a symbolic link in place.
  temporary = _temporary_folder(path)
  try:
    yield temporary
    os.chmod(temporary, 0o777 & ~_umask())  # The permissions that `mkdir` gives.
    if os.path.isdir(path):
      _replace_folder(temporary, path)
    else:
      os.rename(temporary, path)
  finally:
    shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(new: str, path: str) -> None:
  """Puts a folder in the place of another; after an error, puts the former one back."""
  former = _temporary_folder(path)
  try:
    os.replace(path, former)
    os.rename(new, path)
  except BaseException:
    if not os.path.lexists(path):
      os.replace(former, path)
    raise
  finally:
    if os.path.lexists(path):  # Otherwise `former` is all there is.
      shutil.rmtree(former, ignore_errors=True)


def _temporary_folder(path: str) -> str:
  """Creates an empty folder beside `path`."""
  parent, name = os.path.split(path)
  return tempfile.mkdtemp(dir=parent, prefix=name[:_PREFIX_LENGTH] + ".", suffix=TEMPORARY_SUFFIX)


def _umask() -> int:
  """Returns the permissions that new files do not get; reading the mask requires setting it."""
  with _UMASK_LOCK:
    mask = os.umask(0o077)
    os.umask(mask)
  return mask

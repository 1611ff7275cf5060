"""Locks a folder exclusively, so that only one process at a time writes in it."""

from collections.abc import Iterator
import contextlib
import errno
import os
from typing import BinaryIO

try:
  import fcntl
except ImportError:  # Windows has no such locks.
  fcntl = None  # type: ignore[assignment]

from z2i_tf.errors import InputError

# Attempts to open and lock the file, if others keep removing it in between.
_TRIES = 10


@contextlib.contextmanager
def locked_folder(folder: str, lock_file: str, refusal: str) -> Iterator[None]:
  """Holds the folder's lock during the block; removes the lock file at the end.

  The operating system drops the lock when the process ends, so the file of a killed process locks nothing. Does
  nothing if the system or the file system has no locks.

  Args:
    folder: an existing folder.
    lock_file: name of the lock file in it.
    refusal: text of the error, after the folder's name, if another block holds the lock.

  Raises:
    InputError: another block, of this process or another one, holds the lock, or the folder cannot be written.
  """
  if fcntl is None:
    yield
    return
  path = os.path.join(folder, lock_file)
  try:
    file = _open_locked(path)
  except BlockingIOError as error:
    raise InputError(f"{folder}: {refusal}") from error
  except OSError as error:
    raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
  with file:
    try:
      yield
    finally:
      with contextlib.suppress(OSError):  # An error of the block itself matters more.
        if _is_at(file, path):
          os.unlink(path)


def _open_locked(path: str) -> BinaryIO:
  for _ in range(_TRIES):
    with contextlib.ExitStack() as files:
      file = files.enter_context(open(path, "wb"))
      _lock(file)
      if _is_at(file, path):
        files.pop_all()
        return file
  raise OSError(errno.EBUSY, f"{os.path.basename(path)} is removed again and again")


def _lock(file: BinaryIO) -> None:
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise
  except OSError:  # Some network file systems have no locks.
    pass


def _is_at(file: BinaryIO, path: str) -> bool:
  """Returns whether an open file is still the one at `path`; another process may have removed it."""
  try:
    return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
  except FileNotFoundError:
    return False

"""Folders that one process at a time writes in."""

from collections.abc import Iterator
import contextlib
import errno
import os
from typing import BinaryIO

try:
  import fcntl
except ImportError:  # Windows has no such locks.
  fcntl = None

from z2i_tf.errors import InputError

# So often somebody may remove the file between opening and locking it.
_TRIES = 10


@contextlib.contextmanager
def locked_folder(folder: str, lock_file: str, refusal: str) -> Iterator[None]:
  """Keeps others, in this process or another one, out of the same block, where system and file system have locks.

  The lock is that of an open file: a killed process leaves the file, but no lock. In the end the file is removed.

  Args:
    folder: exists.
    lock_file: name of the file in it.
    refusal: what to say, after the folder's name, if another one is in the block.
  Raises: InputError if so, or if the folder cannot be written.
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
      with contextlib.suppress(OSError):  # An error on the way here counts more.
        if _is_at(file, path):
          os.unlink(path)


def _open_locked(path) -> BinaryIO:
  for _ in range(_TRIES):
    with contextlib.ExitStack() as files:
      file = files.enter_context(open(path, "wb"))
      _lock(file)
      if _is_at(file, path):
        files.pop_all()
        return file
  raise OSError(errno.EBUSY, f"{os.path.basename(path)} is removed again and again")


def _lock(file):
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise
  except OSError:  # Some network file systems have none.
    pass


def _is_at(file, path) -> bool:
  """Whether the open file is the one that others find; its former owner may have removed it, or somebody else."""
  try:
    return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
  except FileNotFoundError:
    return False

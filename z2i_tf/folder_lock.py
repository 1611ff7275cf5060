"""Folders that one process at a time writes in."""

import contextlib
import os
from typing import BinaryIO, Iterator

try:
  import fcntl
except ImportError:  # Windows has no such locks.
  fcntl = None

from z2i_tf.errors import InputError


@contextlib.contextmanager
def locked_folder(folder: str, lock_file: str, refusal: str) -> Iterator[None]:
  """Keeps others, in this process or another one, out of the same block, where system and file system have locks.

  The lock is that of an open file, so a killed process leaves the file but not the lock. The file is removed in the end.

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
      with contextlib.suppress(FileNotFoundError):  # Somebody has emptied the folder.
        os.unlink(path)


def _open_locked(path) -> BinaryIO:
  while True:
    with contextlib.ExitStack() as files:
      file = files.enter_context(open(path, "wb"))
      _lock(file)
      with contextlib.suppress(FileNotFoundError):  # Its owner removes it in the end: such a lock nobody would find.
        if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
          files.pop_all()
          return file


def _lock(file):
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise
  except OSError:  # Some network file systems have none.
    pass

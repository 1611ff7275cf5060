"""Opens files of unknown origin, parses JSON, and computes the SHA-256 that identifies a file."""

import errno
import hashlib
import json
import os
from typing import Any, BinaryIO

from z2i_tf.errors import InputError

_BLOCK_BYTES = 2**20


def open_regular(path: str) -> BinaryIO:
  """Opens a regular file for reading bytes; a pipe, which would block, is refused.

  Raises:
    OSError: the file does not exist, is a folder or a pipe, or cannot be read.
  """
  if not os.path.isfile(path):
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
  return open(path, "rb")


def check_regular(path: str) -> None:
  """Raises InputError with the reason unless `path` is a regular file."""
  if os.path.isdir(path):
    raise InputError(f"{path}: a folder where a file is needed")
  if not os.path.isfile(path):
    raise InputError(f"{path}: no such file")


def read_bytes(path: str) -> bytes:
  """Returns the content of a file that the user named; raises InputError as `check_regular`, or if reading fails."""
  check_regular(path)
  try:
    with open(path, "rb") as file:
      return file.read()
  except OSError as error:
    raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def sha256(path: str) -> str:
  """Returns the SHA-256 that identifies a file, as hexadecimal digits; raises OSError as `open_regular`."""
  digest = hashlib.sha256()
  with open_regular(path) as file:
    for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
      digest.update(block)
  return digest.hexdigest()


def read_json(path: str) -> Any:
  """Returns the value in a JSON file; raises OSError as `open_regular`, ValueError as `parse_json`."""
  with open_regular(path) as file:
    return parse_json(file.read().decode("utf-8"))


def parse_json(text: str) -> Any:
  """Returns the value of a JSON text.

  Raises:
    ValueError: the text is not JSON, contains NaN or Infinity, or is nested too deeply.
  """
  try:
    return json.loads(text, parse_constant=_refuse_constant)
  except RecursionError as error:
    raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> None:
  raise ValueError(f"{name} is not a JSON number")

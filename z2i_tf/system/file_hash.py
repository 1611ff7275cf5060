"""Computes the SHA-256 that identifies a file: in records, of bundled models, of downloaded weights."""

import errno
import hashlib
import os

_READ_BYTES = 2**20


def sha256(path: str) -> str:
  """Returns a file's SHA-256 in hexadecimal digits; raises OSError if it cannot be read."""
  if not os.path.isfile(path):  # Reading a pipe would wait for ever.
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
  digest = hashlib.sha256()
  with open(path, "rb") as file:
    for block in iter(lambda: file.read(_READ_BYTES), b""):
      digest.update(block)
  return digest.hexdigest()

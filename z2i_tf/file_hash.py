"""The hash by which a file is known again: in records, of bundled models and downloaded weights. Nothing heavy."""

import hashlib

_READ_BYTES = 2**20


def sha256(path: str) -> str:
  """Returns a file's SHA-256 in hexadecimal digits; raises OSError if it cannot be read."""
  digest = hashlib.sha256()
  with open(path, "rb") as file:
    for block in iter(lambda: file.read(_READ_BYTES), b""):
      digest.update(block)
  return digest.hexdigest()

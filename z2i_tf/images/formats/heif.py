"""Opens HEIC files, the format of many telephones, with the optional package pillow-heif."""

import functools
import importlib.util

from z2i_tf.errors import InputError

EXTENSIONS = (".heic", ".heif", ".hif")
REMEDY = "HEIC needs pillow-heif: pip install 'z2i_tf[heif]'"


def is_installed() -> bool:
  """Whether pillow-heif is there."""
  return importlib.util.find_spec("pillow_heif") is not None


def registered(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns the file, and no remarks, once Pillow can read it; raises InputError without pillow-heif."""
  if not is_installed():
    raise InputError(REMEDY)
  _register()
  return encoded, []


@functools.lru_cache(maxsize=None)
def _register():
  import pillow_heif

  pillow_heif.register_heif_opener(thumbnails=False)


def named_avif(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns an AVIF file whose first name is that of AVIF, and no remarks: Pillow looks at no other."""
  return encoded[:8] + b"avif" + encoded[12:], []


def brands(encoded: bytes) -> set[bytes]:
  """Returns the four-letter names that a file of boxes (HEIC, AVIF) gives to its kind."""
  end = min(int.from_bytes(encoded[:4], "big"), 256)
  return {encoded[8:12]} | {encoded[start : start + 4] for start in range(16, end - 3, 4)}

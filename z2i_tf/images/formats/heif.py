"""Reads HEIC files, with the optional package pillow-heif, and AVIF files, which share the container."""

import functools
import importlib.util

from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images.formats import codec

REMEDY = "HEIC needs pillow-heif: pip install 'z2i_tf[heif]'"
_MAX_HEADER_BYTES = 256
_HEIF_BRANDS = {f"he{code}".encode() for code in ("ic", "ix", "im", "is", "vc", "vx", "vm", "vs")} | {b"mif1", b"msf1"}
_AV1_CONFIGURATION, _AV1_DEPTH_OFFSET, _HIGH_DEPTH, _TWELVE_BITS = b"av1C", 6, 0x40, 0x20


def is_installed() -> bool:
  """Returns whether pillow-heif is installed."""
  return importlib.util.find_spec("pillow_heif") is not None


def _brands(encoded: bytes) -> set[bytes]:
  """Returns the four-letter codes of a container's formats; none if the file is no such container."""
  if encoded[4:8] != b"ftyp":
    return set()
  end = min(int.from_bytes(encoded[:4], "big"), _MAX_HEADER_BYTES)
  return {encoded[8:12]} | {encoded[start : start + 4] for start in range(16, end - 3, 4)}


def _is_avif(start: bytes) -> bool:
  return bool(_brands(start) & {b"avif", b"avis"})


def _is_heif(start: bytes) -> bool:
  return bool(_brands(start) & _HEIF_BRANDS) and not _is_avif(start)


def _register_opener(encoded: bytes) -> tuple[bytes, list[str]]:
  """Makes Pillow read HEIC; raises InputError without pillow-heif."""
  if not is_installed():
    raise InputError(REMEDY)
  _register()
  return encoded, []


@functools.lru_cache(maxsize=None)
def _register() -> None:
  import pillow_heif

  pillow_heif.register_heif_opener(thumbnails=False)


def _heic_bits(image: Image.Image, encoded: bytes) -> int:
  del encoded
  bits = image.info.get("bit_depth")
  return bits if isinstance(bits, int) else 8


def _avif_bits(image: Image.Image, encoded: bytes) -> int:
  del image
  position = encoded.find(_AV1_CONFIGURATION) + _AV1_DEPTH_OFFSET
  flags = encoded[position] if _AV1_DEPTH_OFFSET <= position < len(encoded) else 0
  return (12 if flags & _TWELVE_BITS else 10) if flags & _HIGH_DEPTH else 8


AVIF = codec.Codec(
  name="AVIF",
  pillow_names=("AVIF",),
  extensions=(".avif",),
  is_start=_is_avif,
  prepare=lambda encoded: (encoded[:8] + b"avif" + encoded[12:], []),  # Pillow looks at the first code only.
  bits_per_sample=_avif_bits,
)
HEIC = codec.Codec(
  name="HEIF",
  pillow_names=("HEIF",),
  extensions=(".heic", ".heif", ".hif"),
  is_start=_is_heif,
  is_available=is_installed,
  prepare=_register_opener,
  bits_per_sample=_heic_bits,
)

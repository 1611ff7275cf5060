"""Reads WebP files and writes them without loss."""

import numpy as np

from z2i_tf.images.formats import codec
from z2i_tf.images.formats.metadata import Metadata

_MAX_SIDE = 16383  # The format's limit for pictures without animation.
_KEEPS = ("icc_profile", "exif", "xmp")


def _prepare(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns the file unchanged; raises ValueError if it declares a canvas that no WebP picture fills.

  The extended format states the canvas in its first chunk, and Pillow allocates it at once.
  """
  if encoded[12:16] == b"VP8X":
    sides = [1 + int.from_bytes(encoded[start : start + 3], "little") for start in (24, 27)]
    if max(sides) > _MAX_SIDE:
      raise ValueError(f"damaged: a canvas of {sides[0]}x{sides[1]} pixels")
  return encoded, []


def _encode(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
  options = {name: getattr(metadata, name) for name in _KEEPS if getattr(metadata, name)}
  # "exact" keeps the colours of fully transparent pixels.
  return codec.saved(codec.as_pillow(pixels), "WEBP", lossless=True, exact=True, **options), []


CODEC = codec.Codec(
  name="WebP",
  pillow_names=("WEBP",),
  extensions=(".webp",),
  is_start=lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP",
  prepare=_prepare,
  encode=_encode,
  channels=(3, 4),
  keeps=_KEEPS,
)

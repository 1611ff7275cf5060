"""WebP and BMP files, which Pillow writes whole."""

import io

import numpy as np
from PIL import Image

from z2i_tf.images.formats import metadata as metadata_lib

# WebP's larger form names the canvas in its first chunk, where Pillow would make room for it at once.
_MAX_WEBP_SIDE = 16383  # The format's own limit, of a picture that is not animated.


def checked_webp(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns the file, and no remarks; raises ValueError if it declares a canvas that no WebP picture fills."""
  if encoded[12:16] == b"VP8X":
    sides = [1 + int.from_bytes(encoded[start : start + 3], "little") for start in (24, 27)]
    if max(sides) > _MAX_WEBP_SIDE:
      raise ValueError(f"damaged: a canvas of {sides[0]}x{sides[1]} pixels")
  return encoded, []


def encode_webp(pixels: np.ndarray, metadata: metadata_lib.Metadata) -> tuple[bytes, list[str]]:
  """Encodes (H, W, 3) or (H, W, 4) uint8 without loss; returns the file and remarks.

  Raises: ValueError if the image is too large for the format.
  """
  options = {name: getattr(metadata, name) for name in ("icc_profile", "exif", "xmp") if getattr(metadata, name)}
  # "exact" keeps the colours under full transparency.
  encoded = _save(Image.fromarray(pixels), "WEBP", lossless=True, exact=True, **options)
  return encoded, metadata_lib.left_out(metadata, ("icc_profile", "exif", "xmp"), "WebP")


def encode_bmp(pixels: np.ndarray, metadata: metadata_lib.Metadata) -> tuple[bytes, list[str]]:
  """Encodes (H, W, 1) or (H, W, 3) uint8; returns the file and remarks."""
  options = {"dpi": metadata.dpi} if metadata.dpi else {}
  encoded = _save(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), "BMP", **options)
  return encoded, metadata_lib.left_out(metadata, ("dpi",), "BMP")


def _save(image, file_format, **options):
  file = io.BytesIO()
  image.save(file, format=file_format, **options)
  return file.getvalue()

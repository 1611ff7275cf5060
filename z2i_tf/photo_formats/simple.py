"""WebP and BMP files, which Pillow writes whole."""

import io
from typing import List, Tuple

import numpy as np
from PIL import Image

from z2i_tf.photo_formats import metadata as metadata_lib


def encode_webp(pixels: np.ndarray, metadata: metadata_lib.Metadata) -> Tuple[bytes, List[str]]:
  """Encodes (H, W, 3) or (H, W, 4) uint8 without loss; returns the file and remarks.

  Raises: ValueError if the image is too large for the format.
  """
  options = {name: getattr(metadata, name) for name in ("icc_profile", "exif", "xmp") if getattr(metadata, name)}
  # "exact" keeps the colours under full transparency.
  encoded = _save(Image.fromarray(pixels), "WEBP", lossless=True, exact=True, **options)
  return encoded, metadata_lib.left_out(metadata, ("icc_profile", "exif", "xmp"), "WebP")


def encode_bmp(pixels: np.ndarray, metadata: metadata_lib.Metadata) -> Tuple[bytes, List[str]]:
  """Encodes (H, W, 1) or (H, W, 3) uint8; returns the file and remarks."""
  options = {"dpi": metadata.dpi} if metadata.dpi else {}
  encoded = _save(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), "BMP", **options)
  return encoded, metadata_lib.left_out(metadata, ("dpi",), "BMP")


def _save(image, file_format, **options):
  file = io.BytesIO()
  image.save(file, format=file_format, **options)
  return file.getvalue()

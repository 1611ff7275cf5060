"""Reads and writes BMP files."""

import numpy as np

from z2i_tf.images.formats import codec
from z2i_tf.images.formats.metadata import Metadata


def _encode(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
  return codec.saved(codec.as_pillow(pixels), "BMP", **({"dpi": metadata.dpi} if metadata.dpi else {})), []


CODEC = codec.Codec(
  name="BMP",
  pillow_names=("BMP",),
  extensions=(".bmp",),
  is_start=codec.starts_with(b"BM"),
  encode=_encode,
  channels=(1, 3),
  keeps=("dpi",),
)

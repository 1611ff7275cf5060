"""Reads JPEG 2000 files."""

from PIL import Image

from z2i_tf.images.formats import codec

_CODESTREAM = b"\xff\x4f\xff\x51"  # Start of the codestream, then of its size segment.
_DEPTH_OFFSET = 42  # From there to the depth of the first component.


def _bits_per_sample(image: Image.Image, encoded: bytes) -> int:
  del image
  position = encoded.find(_CODESTREAM) + _DEPTH_OFFSET
  return (encoded[position] & 0x7F) + 1 if _DEPTH_OFFSET <= position < len(encoded) else 8


CODEC = codec.Codec(
  name="JPEG2000",
  pillow_names=("JPEG2000",),
  extensions=(".jp2", ".j2k", ".jpx", ".jpf"),
  is_start=codec.starts_with(b"\0\0\0\x0cjP  \r\n\x87\n", _CODESTREAM),
  bits_per_sample=_bits_per_sample,
)

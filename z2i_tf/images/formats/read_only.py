"""Finds the bit depth of JPEG 2000, AVIF and HEIC files, which Pillow does not keep."""

from PIL import Image

_JPEG2000_SIZE, _DEPTH_OFFSET = b"\xff\x4f\xff\x51", 42  # Start, then SIZ; in it the depth of the first component.
_AV1_CONFIGURATION, _AV1_DEPTH_OFFSET, _HIGH_DEPTH, _TWELVE_BITS = b"av1C", 6, 0x40, 0x20


def bits_per_sample(image: Image.Image, encoded: bytes) -> int:
  """Returns how many bits a file's channels have, 8 where it does not say more.

  Args:
    image: as Pillow opened it.
    encoded: its file.
  """
  if image.format == "JPEG2000":
    position = encoded.find(_JPEG2000_SIZE) + _DEPTH_OFFSET
    return (encoded[position] & 0x7F) + 1 if _DEPTH_OFFSET <= position < len(encoded) else 8
  if image.format == "AVIF":
    position = encoded.find(_AV1_CONFIGURATION) + _AV1_DEPTH_OFFSET
    flags = encoded[position] if _AV1_DEPTH_OFFSET <= position < len(encoded) else 0
    return (12 if flags & _TWELVE_BITS else 10) if flags & _HIGH_DEPTH else 8
  bits = image.info.get("bit_depth") if image.format == "HEIF" else None
  return bits if isinstance(bits, int) else 8

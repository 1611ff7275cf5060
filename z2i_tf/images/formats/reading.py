"""What a photograph's file says beside its pixels, read from any format."""

import struct

from PIL import Image

from z2i_tf.images.formats import jpeg
from z2i_tf.images.formats import metadata as metadata_lib
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff
from z2i_tf.images.formats import tiff_fields

JPEG_FORMATS = ("JPEG", "MPO")
_EXIF_HEADER = b"Exif\0\0"
_BIG_TIFF = (b"II+\0", b"MM\0+")
_MAX_DPI = 65535
_DAMAGED_EXIF = ["damaged EXIF left out"]


def read_metadata(
  image: Image.Image, encoded: bytes, height: int, width: int, is_swapped: bool, with_exif: bool
) -> tuple[metadata_lib.Metadata, list[str]]:
  """Returns the metadata of a decoded image, changed as its pixels will be, and remarks on what was unusable.

  Args:
    image: as Pillow opened and decoded it.
    encoded: its file.
    height: of the upright image, pixels.
    width: of the upright image, pixels.
    is_swapped: whether the upright image is the stored one turned by 90 degrees.
    with_exif: whether EXIF is known to be readable.
  """
  exif, remarks = _exif(image, encoded, height, width) if with_exif else (None, _DAMAGED_EXIF)
  remarks = list(remarks)
  is_jpeg = image.format in JPEG_FORMATS
  icc_profile, xmp, comment = (
    _bytes_of(image, key, name, remarks)
    for key, name in (("icc_profile", "ICC profile"), ("xmp", "XMP"), ("comment", "comment"))
  )
  metadata = metadata_lib.Metadata(
    icc_profile=icc_profile,
    exif=exif,
    xmp=metadata_lib.upright_xmp(xmp) if xmp else None,
    dpi=_dpi(image, is_swapped),
    comment=comment if is_jpeg else None,
    png_chunks=png.kept_chunks(encoded, is_swapped) if image.format == "PNG" else (),
    jpeg=jpeg.settings(image, is_swapped) if is_jpeg else None,
  )
  return metadata, remarks


def _bytes_of(image, key, name, remarks) -> bytes | None:
  """Returns what Pillow found under a key, None if nothing; adds to the remarks if it is of a kind that is not used."""
  value = image.info.get(key)
  value = value.encode() if isinstance(value, str) else value
  if value is not None and not isinstance(value, bytes):
    remarks.append(f"{name} of a wrong type left out")
    return None
  return value or None


def _dpi(image, is_swapped) -> tuple[float, float] | None:
  """Returns dots per inch; None if there are none, or none that can be meant: some write 0, or anything."""
  # Of TIFF without any, Pillow says 1.
  dpi = image.info.get("dpi") if image.format != "TIFF" or tiff.X_RESOLUTION in image.tag_v2 else None
  try:
    across, down = map(float, dpi)
  except (TypeError, ValueError, ZeroDivisionError):
    return None
  if not (0 < across <= _MAX_DPI and 0 < down <= _MAX_DPI):  # JPEG holds 16 bits.
    return None
  return (down, across) if is_swapped else (across, down)


def _exif(image, encoded, height, width):
  """Returns (EXIF without header, or None; remarks)."""
  if encoded[:4] in _BIG_TIFF:
    return None, ["EXIF left out: that of BigTIFF is not read"]
  try:
    if image.format == "TIFF":
      exif = tiff.metadata_fields(encoded)
    else:
      exif = image.info.get("exif") or _exif_of_text(image.info.get("Raw profile type exif"))
    if exif is not None and not isinstance(exif, bytes):
      return None, _DAMAGED_EXIF
    exif = exif.removeprefix(_EXIF_HEADER) if exif else None
    return (tiff_fields.upright_exif(exif, height, width) if exif else None), []
  except (ValueError, struct.error):
    return None, _DAMAGED_EXIF


def _exif_of_text(text):
  """EXIF as ImageMagick puts it into PNG: a name, a length, and hexadecimal digits."""
  return bytes.fromhex("".join(text.split("\n")[3:])) if text else None

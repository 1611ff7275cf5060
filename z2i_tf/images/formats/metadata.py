"""Reads the metadata of an image file: everything that it holds besides the pixels."""

from collections.abc import Callable
from collections.abc import Collection
import dataclasses
import re
import struct
from typing import Any

from PIL import Image

from z2i_tf.images.formats import tiff_fields

Chunk = tuple[bytes, bytes]
EXIF_HEADER = b"Exif\0\0"  # Of JPEG, and of EXIF as Pillow returns it.


@dataclasses.dataclass(frozen=True)
class JpegSettings:
  """Encoder settings of a JPEG file.

  Attributes:
    tables: the quantization table of each component: 64 numbers, row by row.
    subsampling: of the chroma: "4:4:4", "4:2:2", "4:2:0", or "" (none, or one that Pillow cannot write).
    progressive: whether the file is progressive.
    is_rgb: whether the components are red, green and blue instead of luma and chroma.
    segments: further application segments (IPTC and others), with their markers.
  """

  tables: tuple[tuple[int, ...], ...]
  subsampling: str = ""
  progressive: bool = False
  is_rgb: bool = False
  segments: bytes = b""


@dataclasses.dataclass(frozen=True)
class Metadata:
  """Metadata of an upright image; missing entries are None or empty.

  Attributes:
    icc_profile: ICC profile of the pixels in memory.
    exif: EXIF with orientation 1, without its "Exif" header and without thumbnail.
    xmp: XMP packet with orientation 1.
    dpi: dots per inch, across and down.
    comment: comment of a JPEG or GIF file.
    png_chunks: type and content of a PNG file's text and colour chunks.
    jpeg: encoder settings of a JPEG file.
  """

  icc_profile: bytes | None = None
  exif: bytes | None = None
  xmp: bytes | None = None
  dpi: tuple[float, float] | None = None
  comment: bytes | None = None
  png_chunks: tuple[Chunk, ...] = ()
  jpeg: JpegSettings | None = None


# Attribute -> its name in the remark that it is left out.
_NAMES = {"icc_profile": "ICC profile", "exif": "EXIF", "xmp": "XMP", "dpi": "resolution", "comment": "comment"}
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def left_out(metadata: Metadata, kept: Collection[str], file_format: str) -> list[str]:
  """Returns a remark that names the metadata a format cannot hold, or [] if it holds them all.

  Args:
    metadata: of the image.
    kept: the attributes that the format holds.
    file_format: its name.
  """
  names = [name for attribute, name in _NAMES.items() if attribute not in kept and getattr(metadata, attribute)]
  if "png_chunks" not in kept:
    kinds = {kind for kind, _ in metadata.png_chunks}
    names += ["PNG text"] * bool(kinds.intersection(_TEXT_CHUNKS))
    names += ["PNG gamma"] * (b"gAMA" in kinds and not kinds & {b"sRGB"} and not metadata.icc_profile)
  if "jpeg" not in kept and metadata.jpeg and metadata.jpeg.segments:
    names.append("IPTC and other JPEG segments")
  return [f"{', '.join(names)} left out: {file_format} is written without"] if names else []


_MAX_DPI = 65535  # JPEG holds 16 bits.
_DAMAGED_EXIF = ["damaged EXIF left out"]


def read(
  image: Image.Image,
  encoded: bytes,
  read_exif: Callable[[Image.Image, bytes], Any] | None,
  own: dict[str, Any],
  height: int,
  width: int,
  is_swapped: bool,
) -> tuple[Metadata, list[str]]:
  """Returns the metadata for the upright image, and remarks on unusable entries.

  Args:
    image: the image as Pillow opened and decoded it.
    encoded: its file.
    read_exif: as in `Codec`; None if EXIF is damaged.
    own: the attributes that only this format has.
    height: of the upright image, in pixels.
    width: of the upright image, in pixels.
    is_swapped: whether the stored image is turned by 90 degrees to become upright.
  """
  exif, remarks = _exif(image, encoded, read_exif, height, width) if read_exif else (None, _DAMAGED_EXIF)
  remarks = list(remarks)
  icc_profile, xmp = (_bytes(image, *names, remarks) for names in (("icc_profile", "ICC profile"), ("xmp", "XMP")))
  xmp = upright_xmp(xmp) if xmp else None
  return Metadata(icc_profile, exif, xmp, _dpi(image, is_swapped), **own), remarks


def _bytes(image: Image.Image, key: str, name: str, remarks: list[str]) -> bytes | None:
  """Returns the bytes that Pillow found under a key, or None; adds a remark if the value has another type."""
  value = image.info.get(key)
  value = value.encode() if isinstance(value, str) else value
  if value is not None and not isinstance(value, bytes):
    remarks.append(f"{name} of a wrong type left out")
    return None
  return value or None


def _dpi(image: Image.Image, is_swapped: bool) -> tuple[float, float] | None:
  """Returns dots per inch across and down, or None without a plausible value."""
  # If a TIFF file states none, Pillow reports 1.
  dpi = (
    image.info.get("dpi") if image.format != "TIFF" or tiff_fields.X_RESOLUTION in tiff_fields.tags_of(image) else None
  )
  if dpi is None:
    return None
  try:
    across, down = map(float, dpi)
  except (TypeError, ValueError, ZeroDivisionError):
    return None
  if not (0 < across <= _MAX_DPI and 0 < down <= _MAX_DPI):
    return None
  return (down, across) if is_swapped else (across, down)


def _exif(
  image: Image.Image, encoded: bytes, read_exif: Callable[[Image.Image, bytes], Any], height: int, width: int
) -> tuple[bytes | None, list[str]]:
  """Returns EXIF without its header, or None, and remarks."""
  if encoded.startswith(tiff_fields.BIG_TIFF_STARTS):
    return None, ["EXIF left out: that of BigTIFF is not read"]
  try:
    exif = read_exif(image, encoded)
    if exif is not None and not isinstance(exif, bytes):
      return None, _DAMAGED_EXIF
    exif = exif.removeprefix(EXIF_HEADER) if exif else None
    return (tiff_fields.upright_exif(exif, height, width) if exif else None), []
  except (ValueError, struct.error):
    return None, _DAMAGED_EXIF


_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))[0-9]')
_XMP_THUMBNAILS = re.compile(rb"<(xmp|xap):Thumbnails\b.*?</\1:Thumbnails>", re.DOTALL)
_PHOTOSHOP_THUMBNAILS = (1033, 1036)


def upright_xmp(packet: bytes) -> bytes:
  """Returns an XMP packet with orientation 1 and without thumbnails, which show the former content."""
  return _XMP_THUMBNAILS.sub(b"", _XMP_ORIENTATION.sub(rb"\g<1>1", packet))


def without_thumbnails(resources: bytes) -> bytes:
  """Returns Photoshop's image resources (IPTC is one of them) without thumbnails, up to the first damaged one."""
  kept, position = b"", 0
  while resources[position : position + 4] == b"8BIM" and position + 12 <= len(resources):
    name_length = resources[position + 6]
    start = position + 6 + (name_length + 2) // 2 * 2 + 4  # The name and its length are padded to an even size.
    if start > len(resources):
      break
    (number,) = struct.unpack_from(">H", resources, position + 4)
    (length,) = struct.unpack_from(">L", resources, start - 4)
    end = start + (length + 1) // 2 * 2
    if number not in _PHOTOSHOP_THUMBNAILS:
      kept += resources[position:end]
    position = end
  return kept

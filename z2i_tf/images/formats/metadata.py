"""What a photograph's file says beside its pixels."""

from collections.abc import Collection
import dataclasses
import re
import struct

Chunk = tuple[bytes, bytes]


@dataclasses.dataclass(frozen=True)
class JpegSettings:
  """How a JPEG file was encoded.

  Attributes:
    tables: quantization tables of its components, in order, of 64 numbers each, row by row.
    subsampling: of the colours: "4:4:4", "4:2:2", "4:2:0", or "" (none, or one that cannot be written).
    progressive: whether it loads coarse first.
    is_rgb: whether it stores red, green and blue instead of luma and two colours.
    segments: further application segments as they stand in the file (IPTC and the like).
  """

  tables: tuple[tuple[int, ...], ...]
  subsampling: str = ""
  progressive: bool = False
  is_rgb: bool = False
  segments: bytes = b""


@dataclasses.dataclass(frozen=True)
class Metadata:
  """All of it; what a file has not is None or empty.

  Attributes:
    icc_profile: of the pixels as they are in memory.
    exif: of the upright image (orientation 1), without its "Exif" header and without thumbnail.
    xmp: the packet, of the upright image.
    dpi: dots per inch, across and down.
    comment: of a JPEG file.
    png_chunks: type and content of a PNG file's text and colour chunks.
    jpeg: how a JPEG file was encoded.
  """

  icc_profile: bytes | None = None
  exif: bytes | None = None
  xmp: bytes | None = None
  dpi: tuple[float, float] | None = None
  comment: bytes | None = None
  png_chunks: tuple[Chunk, ...] = ()
  jpeg: JpegSettings | None = None


# Attribute -> what it is called when a format has no place for it.
_NAMES = {"icc_profile": "ICC profile", "exif": "EXIF", "xmp": "XMP", "dpi": "resolution", "comment": "comment"}
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def left_out(metadata: Metadata, kept: Collection[str], file_format: str) -> list[str]:
  """Returns the remark ([] if there is none) on what a format that keeps the attributes `kept` has no place for."""
  names = [name for attribute, name in _NAMES.items() if attribute not in kept and getattr(metadata, attribute)]
  if "png_chunks" not in kept:
    kinds = {kind for kind, _ in metadata.png_chunks}
    names += ["PNG text"] * bool(kinds.intersection(_TEXT_CHUNKS))
    names += ["PNG gamma"] * (b"gAMA" in kinds and not kinds & {b"sRGB"} and not metadata.icc_profile)
  if "jpeg" not in kept and metadata.jpeg and metadata.jpeg.segments:
    names.append("IPTC and other JPEG segments")
  return [f"{', '.join(names)} left out: {file_format} is written without"] if names else []


_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))[0-9]')
_XMP_THUMBNAILS = re.compile(rb"<(xmp|xap):Thumbnails\b.*?</\1:Thumbnails>", re.DOTALL)
_PHOTOSHOP_THUMBNAILS = (1033, 1036)


def upright_xmp(packet: bytes) -> bytes:
  """Returns an XMP packet of the upright image, without thumbnails of what was there before."""
  return _XMP_THUMBNAILS.sub(b"", _XMP_ORIENTATION.sub(rb"\g<1>1", packet))


def without_thumbnails(resources: bytes) -> bytes:
  """Returns Photoshop's image resources (IPTC is one) without thumbnails; as far as they can be read."""
  kept, position = b"", 0
  while resources[position : position + 4] == b"8BIM" and position + 12 <= len(resources):
    name_length = resources[position + 6]
    start = position + 6 + (name_length + 2) // 2 * 2 + 4  # The name, with its length, is padded to an even size.
    if start > len(resources):
      break
    (number,) = struct.unpack_from(">H", resources, position + 4)
    (length,) = struct.unpack_from(">L", resources, start - 4)
    end = start + (length + 1) // 2 * 2
    if number not in _PHOTOSHOP_THUMBNAILS:
      kept += resources[position:end]
    position = end
  return kept

"""Reads JPEG files with the settings of their encoder, and writes them at no lower quality."""

from collections.abc import Iterator
import re
import struct
from typing import Any

import numpy as np
from PIL import Image
from PIL import JpegImagePlugin

from z2i_tf.images.formats import codec
from z2i_tf.images.formats.metadata import EXIF_HEADER
from z2i_tf.images.formats.metadata import JpegSettings
from z2i_tf.images.formats.metadata import Metadata
from z2i_tf.images.formats.metadata import without_thumbnails

# For images that were no JPEG before.
_QUALITY = 95
_NO_SUBSAMPLING = "4:4:4"
_SAMPLINGS = {0: _NO_SUBSAMPLING, 1: "4:2:2", 2: "4:2:0"}  # Pillow's numbers.
_MAX_SEGMENT_BYTES = 65533
_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
# Application segments that are not copied: EXIF, XMP and ICC have attributes of their own, JFIF and Adobe describe the
# encoding, MPF lists further pictures, and JUMBF (APP11) signs the former pixels. Extended XMP (APP1) may hold them.
_DROPPED_SEGMENTS = ("APP0", "APP1", "APP2", "APP11", "APP14")
_RGB_COMPONENTS = (ord("R"), ord("G"), ord("B"))
# Scans of a progressive file: encoders write about ten. Decoding each costs time for all pixels, even if it is empty.
_MAX_SCANS, _MAX_SCANNED_PIXELS = 24, 2**31
_SOS, _EOI, _WITHOUT_LENGTH = 0xDA, 0xD9, (0x01, *range(0xD0, 0xD9))
_MARKER_BEHIND_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def _check(image: Image.Image, encoded: bytes | None) -> None:
  """Raises ValueError if decoding would take long because of the number of scans."""
  if encoded is None:
    return
  scans = _count_scans(encoded)
  if scans > _MAX_SCANS and scans * image.width * image.height > _MAX_SCANNED_PIXELS:
    raise ValueError(f"a progressive JPEG with {scans} scans; save it again")


def _count_scans(encoded: bytes) -> int:
  """Returns the number of scans of the first picture, as far as the file goes."""
  scans, position = 0, 2
  while position + 4 <= len(encoded):
    if encoded[position] != 0xFF or encoded[position + 1] == 0xFF:
      position += 1
      continue
    marker = encoded[position + 1]
    if marker == _EOI:
      break
    position += 2
    if marker in _WITHOUT_LENGTH or not marker:
      continue
    position += int.from_bytes(encoded[position : position + 2], "big")
    if marker == _SOS:
      scans += 1
      behind = _MARKER_BEHIND_SCAN.search(encoded, position)
      position = behind.start() if behind else len(encoded)
  return scans


def _read_own(image: Image.Image, encoded: bytes, is_swapped: bool) -> tuple[dict[str, Any], list[str]]:
  """Returns the comment, the encoding, and remarks; a turn by 90 degrees turns the quantization tables too."""
  del encoded
  assert isinstance(image, JpegImagePlugin.JpegImageFile)
  # Each entry of `layer` holds a component's number, its two sampling factors, and the number of its table.
  tables = [np.reshape(image.quantization[layer[3]], (8, 8)) for layer in image.layer]
  subsampling = _SAMPLINGS.get(JpegImagePlugin.get_sampling(image), "")
  is_colour = len(tables) == 3
  settings = JpegSettings(
    tables=tuple(tuple((table.T if is_swapped else table).ravel().tolist()) for table in tables),
    # Pillow cannot write 4:2:2 turned by 90 degrees.
    subsampling="" if is_swapped and subsampling == "4:2:2" else subsampling,
    progressive=bool(image.info.get("progressive")),
    is_rgb=is_colour
    and (image.info.get("adobe_transform") == 0 or tuple(layer[0] for layer in image.layer) == _RGB_COMPONENTS),
    segments=b"".join(_segments(image.applist)),
  )
  return {"comment": image.info.get("comment") or None, "jpeg": settings}, _remarks(image.applist)


def _encode(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
  """Encodes pixels; see `codec.Codec.encode`.

  If the image was a JPEG, every coefficient is rounded to steps no coarser than the file's, and the colours are
  subsampled no more than there.
  """
  options, remark = _options(metadata.jpeg, pixels.shape[2])
  remarks = [remark]
  for name, title, header in (("exif", "EXIF", EXIF_HEADER), ("xmp", "XMP", _XMP_HEADER), ("comment", "comment", b"")):
    content = getattr(metadata, name)
    if content and len(header) + len(content) > _MAX_SEGMENT_BYTES:
      remarks.append(f"{title} left out: too long for JPEG")
    elif content:
      options[name] = EXIF_HEADER + content if name == "exif" else content
  options |= {name: getattr(metadata, name) for name in ("icc_profile", "dpi") if getattr(metadata, name)}
  image, is_progressive = codec.as_pillow(pixels), options.pop("progressive", False)
  try:
    return codec.saved(image, "JPEG", progressive=is_progressive, **options), remarks
  except OSError:  # Pillow's buffer is too small for one way of storing, and may be large enough for the other.
    return codec.saved(image, "JPEG", progressive=not is_progressive, **options), remarks


def _options(source: JpegSettings | None, channels: int) -> tuple[dict[str, Any], str]:
  """Returns Pillow's options and the remark on them."""
  if source is None:
    return {"quality": _QUALITY, "subsampling": 0}, f"JPEG encoded at quality {_QUALITY}, {_NO_SUBSAMPLING}"
  tables = np.array(source.tables)
  if channels == 1:
    tables = tables[:1]
  elif len(tables) != 3:
    # CMYK was rounded along other axes than the luma and chroma written now, so take half the finest step of any ink.
    tables = np.repeat(np.maximum(tables.min(axis=0, keepdims=True) // 2, 1), 3, axis=0)
  subsampling = source.subsampling or _NO_SUBSAMPLING
  options = {
    "qtables": [table.tolist() for table in tables],
    "progressive": source.progressive,
    "subsampling": subsampling,
    "extra": source.segments,
  }
  if channels == 3 and source.is_rgb:
    options.update(keep_rgb=True, subsampling=_NO_SUBSAMPLING)
  kind = "gray" if channels == 1 else options["subsampling"]
  finer = "finer than " * (len(source.tables) == 4)
  return options, f"JPEG encoded with {finer}the input's quantization tables, {kind}"


def _remarks(applist: list[tuple[str, bytes]]) -> list[str]:
  """Returns remarks on the APP1 segments that are neither EXIF nor XMP; they are not copied."""
  remarks = [
    f"{'extended XMP' if content.startswith(_EXTENDED_XMP_HEADER) else 'an unknown APP1 segment'} left out"
    for name, content in applist
    if name == "APP1" and not content.startswith((EXIF_HEADER, _XMP_HEADER))
  ]
  return list(dict.fromkeys(remarks))


def _segments(applist: list[tuple[str, bytes]]) -> Iterator[bytes]:
  """Yields the application segments to copy, each with its marker and length."""
  for name, content in applist:
    if not name.startswith("APP") or name in _DROPPED_SEGMENTS:
      continue
    if content.startswith(_PHOTOSHOP_HEADER):
      resources = without_thumbnails(content[len(_PHOTOSHOP_HEADER) :])
      if not resources:
        continue
      content = _PHOTOSHOP_HEADER + resources
    yield struct.pack(">BBH", 0xFF, 0xE0 + int(name[3:]), len(content) + 2) + content


CODEC = codec.Codec(
  name="JPEG",
  pillow_names=("JPEG", "MPO"),  # MPO holds several pictures and begins with a JPEG.
  extensions=(".jpg", ".jpeg", ".jpe", ".jfif"),
  is_start=codec.starts_with(b"\xff\xd8\xff"),
  check=_check,
  read_own=_read_own,
  encode=_encode,
  channels=(1, 3),
  keeps=("icc_profile", "exif", "xmp", "dpi", "comment", "jpeg"),
)

"""JPEG files: how one was encoded, and encoding at no lower quality."""

import io
import re
import struct

import numpy as np
from PIL import Image
from PIL import JpegImagePlugin

from z2i_tf.images.formats import metadata as metadata_lib

# What a file that was none before gets.
_QUALITY = 95
_NO_SUBSAMPLING = "4:4:4"
_SAMPLINGS = {0: _NO_SUBSAMPLING, 1: "4:2:2", 2: "4:2:0"}  # Pillow's numbers.
_MAX_SEGMENT_BYTES = 65533
_EXIF_HEADER = b"Exif\0\0"
_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
# Application segments that are kept apart (EXIF, XMP, ICC), that describe the encoding (JFIF, Adobe), other pictures in
# the file (MPF), or that sign the pixels that are changed now (JUMBF, APP11).
_DROPPED_SEGMENTS = ("APP0", "APP1", "APP2", "APP11", "APP14")
_RGB_COMPONENTS = (ord("R"), ord("G"), ord("B"))
# Of a progressive file. Encoders write some ten; each takes time for all pixels, with hardly a byte in it.
_MAX_SCANS, _MAX_PIXELS_OF_SCANS = 24, 2**31
_SOS, _EOI, _WITHOUT_LENGTH = 0xDA, 0xD9, (0x01, *range(0xD0, 0xD9))
_MARKER_BEHIND_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def check_declared(image: Image.Image, encoded: bytes | None) -> None:
  """Raises ValueError for a file with so many scans that decoding would take very long."""
  if encoded is None:
    return
  scans = _count_scans(encoded)
  if scans > _MAX_SCANS and scans * image.width * image.height > _MAX_PIXELS_OF_SCANS:
    raise ValueError(f"a progressive JPEG with {scans} scans; save it again")


def _count_scans(encoded) -> int:
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


def settings(image: JpegImagePlugin.JpegImageFile, is_swapped: bool) -> metadata_lib.JpegSettings:
  """Returns how a JPEG file was encoded.

  Args:
    image: the opened file.
    is_swapped: whether the pixels are turned by 90 degrees, which turns the tables, too.
  """
  # An entry of `layer`: number of the component, its two sampling factors, number of its table.
  tables = [np.reshape(image.quantization[layer[3]], (8, 8)) for layer in image.layer]
  subsampling = _SAMPLINGS.get(JpegImagePlugin.get_sampling(image), "")
  is_colour = len(tables) == 3
  return metadata_lib.JpegSettings(
    tables=tuple(tuple((table.T if is_swapped else table).ravel().tolist()) for table in tables),
    # 4:2:2 on its side cannot be written.
    subsampling="" if is_swapped and subsampling == "4:2:2" else subsampling,
    progressive=bool(image.info.get("progressive")),
    is_rgb=is_colour
    and (image.info.get("adobe_transform") == 0 or tuple(layer[0] for layer in image.layer) == _RGB_COMPONENTS),
    segments=b"".join(_segments(image.applist)),
  )


def encode(pixels: np.ndarray, metadata: metadata_lib.Metadata) -> tuple[bytes, list[str]]:
  """Encodes (H, W, 1) or (H, W, 3) uint8; returns the file and remarks.

  Of an image that was JPEG, every coefficient is rounded to steps no coarser than the file's, and colours are
  subsampled no more.
  Raises: ValueError or OSError if the image is too large for the format.
  """
  options, remark = _options(metadata.jpeg, pixels.shape[2])
  remarks = [remark]
  for name, header in (("exif", _EXIF_HEADER), ("xmp", _XMP_HEADER)):
    content = getattr(metadata, name)
    if content and len(header) + len(content) > _MAX_SEGMENT_BYTES:
      remarks.append(f"{name.upper()} left out: too long for JPEG")
    elif content:
      options[name] = _EXIF_HEADER + content if name == "exif" else content
  if metadata.comment:
    options["comment"] = metadata.comment
  if metadata.icc_profile:
    options["icc_profile"] = metadata.icc_profile
  if metadata.dpi:
    options["dpi"] = metadata.dpi
  image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
  return _saved(image, options), remarks + metadata_lib.left_out(
    metadata, ("icc_profile", "exif", "xmp", "dpi", "comment", "jpeg"), "JPEG"
  )


def _saved(image, options):
  """Returns the file; progressive or not as the options say, but the other way where Pillow's buffer is too small."""
  is_progressive = options.pop("progressive", False)
  try:
    return _save(image, progressive=is_progressive, **options)
  except OSError:
    return _save(image, progressive=not is_progressive, **options)


def _save(image, **options):
  file = io.BytesIO()
  image.save(file, format="JPEG", **options)
  return file.getvalue()


def _options(source, channels):
  """Returns Pillow's options for the pixels, and the remark on them."""
  if source is None:
    return {"quality": _QUALITY, "subsampling": 0}, f"JPEG encoded at quality {_QUALITY}, {_NO_SUBSAMPLING}"
  tables = np.array(source.tables)
  if channels == 1:
    tables = tables[:1]
  elif len(tables) != 3:
    # Ink was rounded along other axes than the luma and colours that are written: half the finest step of any.
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


def _segments(applist):
  """Yields the application segments that are kept, as they stand in a file."""
  for name, content in applist:
    if not name.startswith("APP") or name in _DROPPED_SEGMENTS:
      continue
    if content.startswith(_PHOTOSHOP_HEADER):
      resources = metadata_lib.without_thumbnails(content[len(_PHOTOSHOP_HEADER) :])
      if not resources:
        continue
      content = _PHOTOSHOP_HEADER + resources
    yield struct.pack(">BBH", 0xFF, 0xE0 + int(name[3:]), len(content) + 2) + content

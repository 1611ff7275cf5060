"""Reads and writes TIFF files of 8 and 16 bits with all their metadata.

Pillow writes no RGB of 16 bits, OpenCV no metadata, and tifffile no EXIF directory.
"""

import sys
import zlib

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images.formats import codec
from z2i_tf.images.formats import tiff_fields as fields
from z2i_tf.images.formats.metadata import Metadata
from z2i_tf.images.formats.metadata import without_thumbnails

_ORDER = "<" if sys.byteorder == "little" else ">"
_STRIP_BYTES = 2**20
_COMPRESSION_LEVEL = 4  # As for PNG.
_ADOBE_DEFLATE, _HORIZONTAL_DIFFERENCES, _UNASSOCIATED_ALPHA = 8, 2, 2
_GRAY, _RGB = 1, 2
_INCH = 2
_Y_RESOLUTION, _RESOLUTION_UNIT = 283, 296
_PHOTOSHOP = 34377
_DPI_DENOMINATOR = 10_000
# Fields that are copied, as they do not describe how the pixels are stored: names, resolution, dates, artist, IPTC,
# GeoTIFF, Photoshop, copyright, EXIF, GPS.
_KEPT = (
  269,
  270,
  271,
  272,
  fields.X_RESOLUTION,
  _Y_RESOLUTION,
  285,
  _RESOLUTION_UNIT,
  305,
  306,
  315,
  316,
  33432,
  33550,
  33723,
  33922,
  _PHOTOSHOP,
  34735,
  34736,
  34737,
  fields.EXIF_DIRECTORY,
  0x8825,
)
_MAX_BYTES = 2**32 - 2**20  # Offsets have 32 bits.

_BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL, _PLANAR_CONFIGURATION, _PLANES_APART = 258, 277, 284, 2
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
# Types of fields that Pillow reads and the pixels do not need; Pillow fails on other types.
_NUMBERS = (fields.SHORT, fields.LONG, fields.RATIONAL, 11, 12)
_TYPES = {
  fields.X_RESOLUTION: ("resolution", _NUMBERS),
  _Y_RESOLUTION: ("resolution", _NUMBERS),
  _RESOLUTION_UNIT: ("resolution", (fields.SHORT,)),
  fields.ORIENTATION: ("orientation", (fields.SHORT,)),
  fields.XMP: ("XMP", (fields.BYTE, fields.UNDEFINED)),
  fields.ICC_PROFILE: ("ICC profile", (fields.BYTE, fields.UNDEFINED)),
}
# Pixels that a tile may have whatever the size of the image; larger tiles may have twice as many as the image.
_MAX_TILE_PIXELS = 2**22


def _prepare(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns the file without fields of a wrong type, and remarks; returns BigTIFF and damaged directories unchanged."""
  try:
    order, directory = fields.parse(encoded, with_subdirectories=False)
  except ValueError:
    return encoded, []
  wrong = {
    tag: _TYPES[tag][0]
    for tag, field in directory.items()
    if tag in _TYPES and isinstance(field, fields.Field) and field.type not in _TYPES[tag][1]
  }
  if not wrong:
    return encoded, []
  start = len(encoded) + len(encoded) % 2
  kept = {tag: field for tag, field in directory.items() if tag not in wrong}
  encoded = fields.header(order, start) + encoded[8:].ljust(start - 8, b"\0") + fields.serialize(order, kept, start)
  return encoded, [f"{name} of a wrong type left out" for name in dict.fromkeys(wrong.values())]


def _check(image: Image.Image, encoded: bytes | None) -> None:
  """Raises ValueError if tiles are far larger than the image, InputError if Pillow would misread the pixels."""
  del encoded
  tags = fields.tags_of(image)
  tile = [tags.get(tag) for tag in (_TILE_WIDTH, _TILE_HEIGHT)]
  if tile != [None, None]:
    values = [side[0] if isinstance(side, tuple) and side else side for side in tile]
    sides = [side for side in values if isinstance(side, int) and side > 0]
    if len(sides) < 2:
      raise ValueError("tiles without a size")
    if sides[0] * sides[1] > max(_MAX_TILE_PIXELS, 2 * image.width * image.height):
      raise ValueError(
        f"its tiles of {sides[0]}x{sides[1]} pixels are far larger than the image ({image.width}x{image.height})"
      )
  if bits_per_sample(image) > 8 and len(image.getbands()) > 1 and tags.get(_PLANAR_CONFIGURATION) == _PLANES_APART:
    raise InputError("channels of 16 bits in separate planes; convert it to PNG")  # Pillow reads them as 8 bits.


def bits_per_sample(image: Image.Image) -> int:
  """Returns the largest number of bits of a TIFF image's channels."""
  bits = fields.tags_of(image).get(_BITS_PER_SAMPLE, (1,))
  return max(bits) if isinstance(bits, tuple) else bits


def _read_exif(image: Image.Image, encoded: bytes) -> bytes | None:
  """Returns the fields to copy as EXIF; raises ValueError as `fields.parse`."""
  del image
  order, directory = fields.parse(encoded)
  kept = {tag: field for tag, field in directory.items() if tag in _KEPT}
  photoshop = kept.pop(_PHOTOSHOP, None)
  if isinstance(photoshop, fields.Field):
    resources = without_thumbnails(photoshop.data)
    kept.update({_PHOTOSHOP: fields.Field(fields.BYTE, resources)} if resources else {})
  return fields.exif_of(order, kept)


def encode(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
  """Encodes (H, W, C) uint8 or uint16, C = 1, 2 (gray, alpha), 3 or 4; returns the file and no remarks.

  Raises:
    ValueError: the file would be too large for the format.
  """
  if pixels.shape[2] == 2 and pixels.dtype == np.uint16:
    pixels = pixels[..., [0, 0, 0, 1]]  # Pillow does not read 16-bit gray with alpha.
  height, width, channels = pixels.shape
  order, directory = fields.parse(metadata.exif) if metadata.exif else (_ORDER, {})
  directory = {tag: field for tag, field in directory.items() if tag in _KEPT}
  for tag, content in ((fields.XMP, metadata.xmp), (fields.ICC_PROFILE, metadata.icc_profile)):
    if content:
      directory[tag] = fields.Field(fields.BYTE if tag == fields.XMP else fields.UNDEFINED, content)
  if metadata.dpi:
    for tag, number in zip((fields.X_RESOLUTION, _Y_RESOLUTION), metadata.dpi):
      directory[tag] = fields.numbers_field(order, fields.RATIONAL, round(number * _DPI_DENOMINATOR), _DPI_DENOMINATOR)
    directory[_RESOLUTION_UNIT] = fields.numbers_field(order, fields.SHORT, _INCH)
  rows_per_strip = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
  strips = [_strip(pixels[start : start + rows_per_strip], order) for start in range(0, height, rows_per_strip)]
  if sum(map(len, strips)) > _MAX_BYTES:
    raise ValueError("too large for TIFF")
  offsets = np.cumsum([8] + [len(strip) for strip in strips])
  for tag, kind, numbers in (
    (256, fields.LONG, [width]),
    (257, fields.LONG, [height]),
    (_BITS_PER_SAMPLE, fields.SHORT, [8 * pixels.itemsize] * channels),
    (259, fields.SHORT, [_ADOBE_DEFLATE]),
    (262, fields.SHORT, [_GRAY if channels < 3 else _RGB]),
    (273, fields.LONG, offsets[:-1]),
    (fields.ORIENTATION, fields.SHORT, [1]),
    (_SAMPLES_PER_PIXEL, fields.SHORT, [channels]),
    (278, fields.LONG, [rows_per_strip]),
    (279, fields.LONG, np.diff(offsets)),
    (_PLANAR_CONFIGURATION, fields.SHORT, [1]),
    (317, fields.SHORT, [_HORIZONTAL_DIFFERENCES]),
  ):
    directory[tag] = fields.numbers_field(order, kind, *numbers)
  if channels in (2, 4):
    directory[338] = fields.numbers_field(order, fields.SHORT, _UNASSOCIATED_ALPHA)
  end = int(offsets[-1])
  return fields.header(order, end) + b"".join(strips) + fields.serialize(order, directory, end), []


def _strip(rows: np.ndarray, order: str) -> bytes:
  """Compresses rows as differences to the pixel on the left, modulo the range of the type; pads to even length."""
  differences = rows.copy()
  differences[:, 1:] -= rows[:, :-1]
  encoded = zlib.compress(differences.astype(rows.dtype.newbyteorder(order)).tobytes(), _COMPRESSION_LEVEL)
  return encoded + bytes(len(encoded) % 2)


CODEC = codec.Codec(
  name="TIFF",
  pillow_names=("TIFF",),
  extensions=(".tif", ".tiff"),
  is_start=codec.starts_with(b"II*\0", b"MM\0*", *fields.BIG_TIFF_STARTS),
  prepare=_prepare,
  check=_check,
  read_exif=_read_exif,
  encode=encode,
  channels=(1, 2, 3, 4),
  holds_16_bits=True,
  keeps=("icc_profile", "exif", "xmp", "dpi"),
)

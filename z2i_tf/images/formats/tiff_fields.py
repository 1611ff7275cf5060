"""Reads and writes the fields of TIFF files and of EXIF, which is a small TIFF file, without loss.

A directory maps each tag to a `Field` or to another directory. Values stay bytes; Pillow's own round trip changes types
and drops unknown fields.
"""

import contextlib
import struct
from typing import NamedTuple, Union

import numpy as np
from PIL import Image
from PIL import TiffImagePlugin

# Bytes per value of each field type (TIFF 6.0, section 2; 13 is IFD).
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SHORT, LONG, RATIONAL, UNDEFINED, BYTE = 3, 4, 5, 7, 1
ORIENTATION, XMP, ICC_PROFILE, EXIF_DIRECTORY, X_RESOLUTION = 0x0112, 700, 34675, 0x8769, 282
_DIRECTORIES = (EXIF_DIRECTORY, 0x8825, 0xA005)  # EXIF, GPS, interoperability.
_WIDTH_AND_HEIGHT = (0xA002, 0xA003)  # In the EXIF directory.
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 513, 514
_MAX_FIELDS = 4096
BIG_TIFF_STARTS = (b"II+\0", b"MM\0+")


class Field(NamedTuple):
  """Values of one tag: TIFF's number of their type, their bytes, and the bytes' position in the file."""

  type: int
  data: bytes
  position: int = 0


Directory = dict[int, Union[Field, "Directory"]]


def tags_of(image: Image.Image) -> TiffImagePlugin.ImageFileDirectory_v2:
  """Returns the tags of a TIFF file that Pillow opened."""
  assert isinstance(image, TiffImagePlugin.TiffImageFile)
  return image.tag_v2


def parse(blob: bytes, with_subdirectories: bool = True) -> tuple[str, Directory]:
  """Reads the first directory.

  Args:
    blob: a TIFF file, or EXIF without its "Exif" header.
    with_subdirectories: whether to read directories inside; else their fields hold only the positions.

  Returns:
    The byte order, "<" or ">", and the directory. Fields that do not lie inside the file are left out.

  Raises:
    ValueError: not a TIFF file (BigTIFF is not read), or damaged.
  """
  try:
    order = {b"II*\0": "<", b"MM\0*": ">"}[blob[:4]]
    return order, _read_directory(
      blob, order, struct.unpack_from(order + "L", blob, 4)[0], 0 if with_subdirectories else None
    )[0]
  except (KeyError, struct.error) as error:
    raise ValueError("damaged, or no TIFF") from error


def _read_directory(blob: bytes, order: str, offset: int, depth: int | None = 0) -> tuple[Directory, int]:
  """Returns a directory and the position of the next one's offset; reads no subdirectories if `depth` is None."""
  (count,) = struct.unpack_from(order + "H", blob, offset)
  if count > _MAX_FIELDS or (depth or 0) > len(_DIRECTORIES):
    raise ValueError("damaged: too many fields")
  directory: Directory = {}
  total = 0
  for start in range(offset + 2, offset + 2 + 12 * count, 12):
    tag, kind, length = struct.unpack_from(order + "HHL", blob, start)
    size = _SIZES.get(kind, 0) * length
    position = start + 8 if size <= 4 else struct.unpack_from(order + "L", blob, start + 8)[0]
    if not size or position + size > len(blob):
      continue  # One unusable field does not spoil the others.
    total += size
    if total > len(blob):
      raise ValueError("damaged: fields overlap")
    if tag in _DIRECTORIES and size == 4 and depth is not None:
      directory[tag] = _read_directory(blob, order, struct.unpack_from(order + "L", blob, position)[0], depth + 1)[0]
    else:
      directory[tag] = Field(kind, blob[position : position + size], position)
  return directory, offset + 2 + 12 * count


def upright_exif(blob: bytes, height: int, width: int) -> bytes:
  """Returns EXIF for the upright image with its new content.

  Sets the orientation to 1 and the size to the upright image's. Blanks and unlinks the thumbnail, because it shows the
  former content. Everything else keeps its position: makers' notes hold offsets into the file.

  Args:
    blob: EXIF without its "Exif" header.
    height: of the upright image, in pixels.
    width: of the upright image, in pixels.

  Raises:
    ValueError: as `parse`.
  """
  order, directory = parse(blob)
  patched = bytearray(blob)

  def replace(field: Field | Directory | None, value: int) -> None:
    if isinstance(field, Field) and (field.type == LONG or field.type == SHORT and value < 2**16):
      struct.pack_into(order + ("H" if field.type == SHORT else "L"), patched, field.position, value)

  replace(directory.get(ORIENTATION), 1)
  exif = directory.get(EXIF_DIRECTORY)
  for tag, value in zip(_WIDTH_AND_HEIGHT, (width, height)):
    replace(exif.get(tag) if isinstance(exif, dict) else None, value)
  link = _read_directory(blob, order, struct.unpack_from(order + "L", blob, 4)[0])[1]
  next_directory = struct.unpack_from(order + "L", blob, link)[0] if link + 4 <= len(blob) else 0
  if next_directory:
    struct.pack_into(order + "L", patched, link, 0)
    with contextlib.suppress(ValueError, struct.error):  # The link led nowhere, and is gone now.
      thumbnail = _read_directory(blob, order, next_directory)[0]
      offset, length = (_number(order, thumbnail.get(tag)) for tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH))
      if offset + length <= len(blob):
        patched[offset : offset + length] = bytes(length)
  parse(bytes(patched))  # Raises if the thumbnail overlapped the directories.
  return bytes(patched)


def _number(order: str, field: Field | Directory | None) -> int:
  """Returns the first number of a SHORT or LONG field, 0 for any other field."""
  if not isinstance(field, Field) or field.type not in (SHORT, LONG):
    return 0
  return struct.unpack_from(order + ("H" if field.type == SHORT else "L"), field.data)[0]


def numbers_field(order: str, kind: int, *numbers: int) -> Field:
  """Returns a field of SHORT, LONG or RATIONAL numbers; the latter alternate numerators and denominators."""
  return Field(kind, np.array(numbers, order + ("u2" if kind == SHORT else "u4")).tobytes())


def serialize(order: str, directory: Directory, start: int = 8) -> bytes:
  """Returns a directory as bytes for the position `start` of its file; its subdirectories follow it."""
  entries, tail = [], b""
  tail_start = start + 2 + 12 * len(directory) + 4
  for tag, field in sorted(directory.items()):
    pointer = struct.pack(order + "L", tail_start + len(tail))
    if isinstance(field, dict):
      kind, length, value, below = LONG, 1, pointer, serialize(order, field, tail_start + len(tail))
    else:
      kind, length = field.type, len(field.data) // _SIZES[field.type]
      value, below = (field.data, b"") if len(field.data) <= 4 else (pointer, field.data)
    tail += below + bytes(len(below) % 2)
    entries.append(struct.pack(order + "HHL", tag, kind, length) + value.ljust(4, b"\0"))
  return struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4) + tail


def header(order: str, first_directory: int = 8) -> bytes:
  """Returns the first eight bytes of a TIFF file."""
  return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", first_directory)


def exif_of(order: str, directory: Directory) -> bytes | None:
  """Returns a directory as EXIF without its "Exif" header, or None if it is empty."""
  return header(order) + serialize(order, directory) if directory else None

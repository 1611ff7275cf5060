"""The fields of TIFF files and of EXIF, which is a small TIFF file: read, set upright, written.

A directory is a dict: tag -> `Field`, or -> a directory of its own. Values stay the bytes they were, so that nothing
is lost between reading and writing; Pillow's own round trip changes types and drops what it does not know.
"""

import contextlib
import struct
from typing import NamedTuple, Union

import numpy as np

# Bytes per value of each field type (TIFF 6.0, section 2; 13 is IFD).
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SHORT, LONG, RATIONAL, UNDEFINED, BYTE = 3, 4, 5, 7, 1
ORIENTATION, XMP, ICC_PROFILE, EXIF_DIRECTORY = 0x0112, 700, 34675, 0x8769
_DIRECTORIES = (EXIF_DIRECTORY, 0x8825, 0xA005)  # EXIF, GPS, interoperability.
_WIDTH_AND_HEIGHT = (0xA002, 0xA003)  # In the EXIF directory.
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 513, 514
_MAX_FIELDS = 4096


class Field(NamedTuple):
  """Values of one tag: their type (TIFF's number), the bytes, and where these stood."""

  type: int
  data: bytes
  position: int = 0


Directory = dict[int, Union[Field, "Directory"]]


def parse(blob: bytes, with_subdirectories: bool = True) -> tuple[str, Directory]:
  """Returns the byte order ("<" or ">") and the first directory; the directories in it, or where these are.

  Raises: ValueError if it is not TIFF (BigTIFF is not), or damaged.
  """
  try:
    order = {b"II*\0": "<", b"MM\0*": ">"}[blob[:4]]
    return order, _read_directory(
      blob, order, struct.unpack_from(order + "L", blob, 4)[0], 0 if with_subdirectories else None
    )[0]
  except (KeyError, struct.error) as error:
    raise ValueError("damaged, or no TIFF") from error


def _read_directory(blob, order, offset, depth=0):
  """Returns a directory and where the offset of the next one stands; of depth None, without subdirectories."""
  (count,) = struct.unpack_from(order + "H", blob, offset)
  if count > _MAX_FIELDS or (depth or 0) > len(_DIRECTORIES):
    raise ValueError("damaged: too many fields")
  directory, total = {}, 0
  for start in range(offset + 2, offset + 2 + 12 * count, 12):
    tag, kind, length = struct.unpack_from(order + "HHL", blob, start)
    size = _SIZES.get(kind, 0) * length
    position = start + 8 if size <= 4 else struct.unpack_from(order + "L", blob, start + 8)[0]
    if not size or position + size > len(blob):
      continue  # One unusable field does not spoil the others; it is not written again.
    total += size
    if total > len(blob):
      raise ValueError("damaged: fields lie upon each other")
    if tag in _DIRECTORIES and size == 4 and depth is not None:
      directory[tag] = _read_directory(blob, order, struct.unpack_from(order + "L", blob, position)[0], depth + 1)[0]
    else:
      directory[tag] = Field(kind, blob[position : position + size], position)
  return directory, offset + 2 + 12 * count


def upright_exif(blob: bytes, height: int, width: int) -> bytes:
  """Returns EXIF of an image that was turned upright and whose content changed.

  The orientation becomes 1, a size becomes that of the upright image, and the thumbnail, which shows what was there
  before, is blanked and unlinked. All else stays where it is: makers' own notes hold offsets into the file.
  Args:
    blob: EXIF without its "Exif" header.
  Raises: ValueError as `parse`.
  """
  order, directory = parse(blob)
  patched = bytearray(blob)

  def replace(field, value):
    if field is not None and (field.type == LONG or field.type == SHORT and value < 2**16):
      struct.pack_into(order + ("H" if field.type == SHORT else "L"), patched, field.position, value)

  replace(directory.get(ORIENTATION), 1)
  exif = directory.get(EXIF_DIRECTORY)
  for tag, value in zip(_WIDTH_AND_HEIGHT, (width, height)):
    replace(exif.get(tag) if isinstance(exif, dict) else None, value)
  link = _read_directory(blob, order, struct.unpack_from(order + "L", blob, 4)[0])[1]
  next_directory = struct.unpack_from(order + "L", blob, link)[0] if link + 4 <= len(blob) else 0
  if next_directory:
    struct.pack_into(order + "L", patched, link, 0)
    with contextlib.suppress(ValueError, struct.error):  # A link to nowhere, which is gone now.
      thumbnail = _read_directory(blob, order, next_directory)[0]
      offset, length = (_number(order, thumbnail.get(tag)) for tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH))
      if offset + length <= len(blob):
        patched[offset : offset + length] = bytes(length)
  parse(bytes(patched))  # What overlapped the directories was damage.
  return bytes(patched)


def _number(order, field):
  """Returns a SHORT or LONG field's first number; 0 of any other."""
  kind = {SHORT: "H", LONG: "L"}.get(field.type) if field else None
  return struct.unpack_from(order + kind, field.data)[0] if kind else 0


def numbers_field(order: str, kind: int, *numbers: int) -> Field:
  """Returns a field of SHORT or LONG numbers; of RATIONAL ones, numerators and denominators by turns."""
  return Field(kind, np.array(numbers, order + ("u2" if kind == SHORT else "u4")).tobytes())


def serialize(order: str, directory: Directory, start: int = 8) -> bytes:
  """Returns a directory as bytes, to stand at `start` in its file; subdirectories follow it."""
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
  """Returns the eight bytes that a TIFF file begins with."""
  return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", first_directory)


def exif_of(order: str, directory: Directory) -> bytes | None:
  """Returns a directory as EXIF without its "Exif" header; None for an empty one."""
  return header(order) + serialize(order, directory) if directory else None

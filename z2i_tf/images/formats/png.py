"""PNG files: their chunks, and pixels of 8 and 16 bits."""

from collections.abc import Iterator
import struct
import zlib

import numpy as np
from PIL import Image

from z2i_tf.images.formats import metadata as metadata_lib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # Number of channels -> PNG's number.
_SUB, _UP, _PAETH = 1, 2, 4
_LEVEL = 4  # Two per cent larger than 6, in two thirds of the time.
_MAX_CHUNK_BYTES = 2**20  # Readers refuse, or warn of, chunks of several MiB.
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
# ImageMagick's way to store EXIF; orientation included, so it must not survive as text.
_EXIF_TEXT_KEYWORD = b"Raw profile type exif\0"
# What is kept of a file as it stands. Others describe a palette or a depth that is no more, or animate.
_KEPT = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"pHYs", b"tEXt", b"zTXt", b"iTXt")
_METERS_PER_INCH = 0.0254
# What shows the pixels; without one of these, unharmed, there is no picture.
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9, b"tIME": 7}
_MAX_TEXT_BYTES, _MAX_TEXTS_BYTES = 2**20, 2**26  # Pillow refuses pictures with longer texts.
_MAX_PROFILE_BYTES = 2**26
_MAX_EXPANSION = 1032  # By deflate.


def repaired(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns a PNG file without damaged chunks that pixels do not need, and without animation; and remarks."""
  kept, wrong, position, texts = [encoded[:8]], [], len(_SIGNATURE), 0
  while position + 12 <= len(encoded):
    length, kind = struct.unpack_from(">L4s", encoded, position)
    end = position + length + 12
    content = encoded[position + 8 : end - 4]
    if kind in _PIXEL_CHUNKS or end > len(encoded):
      kept.append(encoded[position:end])
    else:
      problem, size = _unusable(kind, content, encoded[end - 4 : end])
      texts += size
      if problem or texts > _MAX_TEXTS_BYTES:
        wrong.append(kind.decode("latin-1") if kind.isalpha() else "a chunk without name")
      else:
        kept.append(encoded[position:end])
    position = end
    if kind == b"IEND":
      break
  if not wrong:
    return encoded, []
  return b"".join(kept), [f"damaged {', '.join(dict.fromkeys(wrong))} left out"]


def _unusable(kind, content, checksum) -> tuple[bool, int]:
  """Returns whether a chunk that pixels do not need cannot be used, and how long its text is."""
  if not kind.isalpha() or struct.pack(">L", zlib.crc32(kind + content)) != checksum:
    return True, 0
  if len(content) != _LENGTHS.get(kind, len(content)):
    return True, 0
  try:
    if kind == b"tEXt":
      return len(content) > _MAX_TEXT_BYTES, len(content)
    if kind == b"iCCP":
      _inflated(content, _MAX_PROFILE_BYTES)
    elif kind == b"zTXt":
      return False, _inflated(content, _MAX_TEXT_BYTES)
    elif kind == b"iTXt":
      name, rest = content.split(b"\0", 1)
      is_compressed, method = rest[:2]
      text = rest[2:].split(b"\0", 2)[2]
      if not is_compressed:
        return len(text) > _MAX_TEXT_BYTES, len(name) + len(text)
      return bool(method), _inflated(b"\0\0" + text, _MAX_TEXT_BYTES)
  except (ValueError, IndexError, zlib.error):
    return True, 0
  return False, 0


def _inflated(content, limit) -> int:
  """Returns how long the text behind a name and a method is; raises ValueError beyond the limit."""
  _, rest = content.split(b"\0", 1)
  if rest[:1] != b"\0":
    raise ValueError("an unknown compression")
  decompressor = zlib.decompressobj()
  size = len(decompressor.decompress(rest[1:], limit + 1))
  if size > limit or not decompressor.eof:
    raise ValueError("too long, or cut short")
  return size


def check_declared(image: Image.Image, encoded: bytes | None) -> None:
  """Raises ValueError if so much pixel data as the header declares cannot be in the file."""
  if encoded is None:
    return
  compressed = sum(len(content) for kind, content in chunks(encoded) if kind == b"IDAT")
  bits = image.width * bit_depth(encoded) * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(encoded[25], 1)
  if image.height * (bits // 8) > _MAX_EXPANSION * (compressed + 1):
    raise ValueError("cut short: its data cannot hold so many pixels as it declares")


def chunks(encoded: bytes) -> Iterator[metadata_lib.Chunk]:
  """Yields type and content of a PNG file's chunks, as far as it goes."""
  position = len(_SIGNATURE)
  while position + 8 <= len(encoded):
    length, kind = struct.unpack_from(">L4s", encoded, position)
    yield kind, encoded[position + 8 : position + 8 + length]
    position += length + 12


def kept_chunks(encoded: bytes, is_swapped: bool) -> tuple[metadata_lib.Chunk, ...]:
  """Returns the text, colour and size chunks to be written again, without those that repeat EXIF or XMP.

  Args:
    encoded: the file.
    is_swapped: whether the image was turned by 90 degrees, which swaps pixels per unit across and down.
  """
  kept = [
    (kind, content)
    for kind, content in chunks(encoded)
    if kind in _KEPT and not content.startswith((_XMP_KEYWORD, _EXIF_TEXT_KEYWORD))
  ]
  return tuple(
    (kind, content[4:8] + content[:4] + content[8:]) if kind == b"pHYs" and is_swapped else (kind, content)
    for kind, content in kept
  )


def bit_depth(encoded: bytes) -> int:
  """Returns the bits per sample that a PNG file's header names."""
  return encoded[24]


def only_pixels(encoded: bytes) -> bytes:
  """Returns a PNG file without anything that a decoder could warn of, animate, or turn and colour pixels by."""
  compressed = b"".join(content for kind, content in chunks(encoded) if kind == b"IDAT")
  kept = [(kind, content) for kind, content in chunks(encoded) if kind in (b"IHDR", b"tRNS")]
  return _SIGNATURE + b"".join(_chunk(*chunk) for chunk in [*kept, *_pixel_chunks(compressed), (b"IEND", b"")])


def encode(pixels: np.ndarray, metadata: metadata_lib.Metadata) -> tuple[bytes, list[str]]:
  """Encodes (H, W, C) uint8 or uint16, C = 1, 2 (gray, alpha), 3 or 4; returns the file and remarks."""
  height, width, channels = pixels.shape
  head = struct.pack(">LLBBBBB", width, height, 8 * pixels.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
  body = [(b"IHDR", head), *_metadata_chunks(metadata), *_pixel_chunks(_compressed(pixels)), (b"IEND", b"")]
  return _SIGNATURE + b"".join(_chunk(*chunk) for chunk in body), metadata_lib.left_out(
    metadata, ("icc_profile", "exif", "xmp", "dpi", "comment", "png_chunks"), "PNG"
  )


def _metadata_chunks(metadata):
  kinds = {kind for kind, _ in metadata.png_chunks}
  if metadata.icc_profile:
    yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc_profile)
  yield from metadata.png_chunks
  if metadata.dpi and b"pHYs" not in kinds:
    yield b"pHYs", struct.pack(">LLB", *(round(number / _METERS_PER_INCH) for number in metadata.dpi), 1)
  if metadata.exif:
    yield b"eXIf", metadata.exif
  if metadata.xmp:
    yield b"iTXt", _XMP_KEYWORD + bytes(4) + metadata.xmp
  if metadata.comment:
    yield b"tEXt", b"Comment\0" + metadata.comment.replace(b"\0", b"")


def _chunk(kind, content):
  return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def _pixel_chunks(compressed):
  for start in range(0, len(compressed), _MAX_CHUNK_BYTES):
    yield b"IDAT", compressed[start : start + _MAX_CHUNK_BYTES]


def _compressed(pixels) -> bytes:
  """Filters and compresses; each row with the filter whose differences are smallest (PNG specification, 12.7)."""
  height, width, channels = pixels.shape
  step = channels * pixels.itemsize  # Bytes to the pixel on the left.
  rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
  above = np.zeros(step + width * step, np.int16)
  row = above.copy()  # Both with a pixel of zeros before the first.
  compressor = zlib.compressobj(_LEVEL)
  parts = []
  for number in range(height):
    row[step:] = rows[number]
    here, left, up, corner = row[step:], row[:-step], above[step:], above[:-step]
    candidates = [(_SUB, here - left), (_UP, here - up), (_PAETH, here - _paeth(left, up, corner))]
    kind, filtered = min(
      ((kind, difference.astype(np.uint8)) for kind, difference in candidates),
      key=lambda candidate: np.abs(candidate[1].view(np.int8).astype(np.int16)).sum(),
    )
    parts.append(compressor.compress(bytes([kind]) + filtered.tobytes()))
    row, above = above, row
  return b"".join(parts) + compressor.flush()


def _paeth(left, up, corner):
  """Of the three neighbours, the one closest to left + up - corner."""
  to_left, to_up, to_corner = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
  return np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))

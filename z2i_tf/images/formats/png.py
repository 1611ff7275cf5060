"""Reads and writes PNG files of 8 and 16 bits with all their metadata.

OpenCV filters and compresses the pixels; the chunks around them are written here, because OpenCV has no metadata.
"""

from collections.abc import Iterator
import struct
import zlib

import cv2
import numpy as np
from PIL import Image
from PIL import PngImagePlugin

from z2i_tf.images.formats import codec
from z2i_tf.images.formats.metadata import Chunk
from z2i_tf.images.formats.metadata import Metadata

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # Number of channels -> PNG's colour type.
_CHANNELS_OF_COLOUR_TYPE = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_COMPRESSION_LEVEL = 4  # About 5% larger than level 6, in half of the time.
_MAX_CHUNK_BYTES = 2**20  # Readers refuse, or warn of, chunks of several MiB.
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
# ImageMagick stores EXIF as text. It holds the orientation, so the text must not be copied.
_EXIF_TEXT_KEYWORD = b"Raw profile type exif\0"
# Chunks that are copied unchanged. Others describe a palette or a bit depth that is gone, or an animation.
_KEPT = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"pHYs", b"tEXt", b"zTXt", b"iTXt")
_METERS_PER_INCH = 0.0254
# Chunks that decoding the pixels requires.
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9, b"tIME": 7}
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Pillow refuses a file with longer compressed texts and profiles, or with more text.
_MAX_INFLATED_BYTES, _MAX_TEXT_BYTES = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
_MAX_DEFLATE_EXPANSION = 1032


def _prepare(encoded: bytes) -> tuple[bytes, list[str]]:
  """Returns the file without unusable chunks that the pixels do not need, and without animation; and remarks."""
  kept, position, text_bytes = [encoded[:8]], len(_SIGNATURE), 0
  unusable: dict[str, list[str]] = {}
  while position + 12 <= len(encoded):
    length, kind = struct.unpack_from(">L4s", encoded, position)
    end = position + length + 12
    problem = ""
    if kind not in _PIXEL_CHUNKS and end <= len(encoded):
      problem, size = _examine(kind, encoded[position + 8 : end - 4], encoded[end - 4 : end])
      if not problem and kind in _TEXTS:
        problem = "too long" if text_bytes + size > _MAX_TEXT_BYTES else ""
        text_bytes += 0 if problem else size
    if problem:
      unusable.setdefault(problem, []).append(kind.decode("latin-1") if kind.isalpha() else "a chunk without a name")
    else:
      kept.append(encoded[position:end])
    position = end
    if kind == b"IEND":
      break
  remarks = [f"{problem} {', '.join(dict.fromkeys(kinds))} left out" for problem, kinds in unusable.items()]
  return (b"".join(kept) if remarks else encoded), remarks


def _examine(kind: bytes, content: bytes, checksum: bytes) -> tuple[str, int]:
  """Returns the fault of a chunk, or "", and the length of its decompressed content, in bytes."""
  size = len(content)
  if not kind.isalpha() or struct.pack(">L", zlib.crc32(kind + content)) != checksum:
    return "damaged", 0
  if size != _LENGTHS.get(kind, size):
    return "damaged", 0
  try:
    if kind == b"iTXt":
      _, rest = content.split(b"\0", 1)
      is_compressed, method = rest[:2]
      content = bytes([0, method]) + rest[2:].split(b"\0", 2)[2]
      if not is_compressed:
        return "", size
    elif kind not in (b"iCCP", b"zTXt"):
      return "", size
    size = _inflated_length(content)
  except (ValueError, IndexError, zlib.error):
    return "damaged", 0
  return "too long" if size > _MAX_INFLATED_BYTES else "", size


def _inflated_length(content: bytes) -> int:
  """Returns the length of the compressed text after a keyword and a method, or `_MAX_INFLATED_BYTES` + 1 if it exceeds.

  Raises ValueError if it is cut short.
  """
  _, rest = content.split(b"\0", 1)
  if rest[:1] != b"\0":
    raise ValueError("an unknown compression")
  decompressor = zlib.decompressobj()
  size = len(decompressor.decompress(rest[1:], _MAX_INFLATED_BYTES + 1))
  if size <= _MAX_INFLATED_BYTES and not decompressor.eof:
    raise ValueError("cut short")
  return size


def _check(image: Image.Image, encoded: bytes | None) -> None:
  """Raises ValueError if the compressed data cannot hold as many pixels as the header declares."""
  if encoded is None:
    return
  compressed = sum(len(content) for kind, content in chunks(encoded) if kind == b"IDAT")
  bits = image.width * bit_depth(encoded) * _CHANNELS_OF_COLOUR_TYPE.get(encoded[25], 1)
  if image.height * (bits // 8) > _MAX_DEFLATE_EXPANSION * (compressed + 1):
    raise ValueError("cut short: its data cannot hold as many pixels as it declares")


def chunks(encoded: bytes) -> Iterator[Chunk]:
  """Yields type and content of a PNG file's chunks, as far as the file goes."""
  position = len(_SIGNATURE)
  while position + 8 <= len(encoded):
    length, kind = struct.unpack_from(">L4s", encoded, position)
    yield kind, encoded[position + 8 : position + 8 + length]
    position += length + 12


def _read_own(image: Image.Image, encoded: bytes, is_swapped: bool) -> tuple[dict[str, tuple[Chunk, ...]], list[str]]:
  """Returns the text, colour and size chunks to copy, without those that repeat EXIF or XMP."""
  del image
  kept = [
    (kind, content)
    for kind, content in chunks(encoded)
    if kind in _KEPT and not content.startswith((_XMP_KEYWORD, _EXIF_TEXT_KEYWORD))
  ]
  turned = tuple(  # A turn by 90 degrees swaps pixels per unit across and down.
    (kind, content[4:8] + content[:4] + content[8:]) if kind == b"pHYs" and is_swapped else (kind, content)
    for kind, content in kept
  )
  return {"png_chunks": turned}, []


def _read_exif(image: Image.Image, encoded: bytes) -> object:
  """Returns EXIF; also from ImageMagick's text: a name, a length, and hexadecimal digits."""
  del encoded
  text = image.info.get("Raw profile type exif")
  return image.info.get("exif") or (bytes.fromhex("".join(text.split("\n")[3:])) if text else None)


def bit_depth(encoded: bytes) -> int:
  """Returns the bits per sample that a PNG file's header states."""
  return encoded[24]


def only_pixels(encoded: bytes) -> bytes:
  """Returns a PNG file with its pixels and transparency only: nothing to warn about, to animate or to convert."""
  compressed = b"".join(content for kind, content in chunks(encoded) if kind == b"IDAT")
  kept = [(kind, content) for kind, content in chunks(encoded) if kind in (b"IHDR", b"tRNS")]
  return _SIGNATURE + b"".join(_chunk(*chunk) for chunk in [*kept, *_pixel_chunks(compressed), (b"IEND", b"")])


def encode(pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, list[str]]:
  """Encodes (H, W, C) uint8 or uint16, C = 1, 2 (gray, alpha), 3 or 4; returns the file and no remarks."""
  height, width, channels = pixels.shape
  head = struct.pack(">LLBBBBB", width, height, 8 * pixels.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
  body = [(b"IHDR", head), *_metadata_chunks(metadata), *_pixel_chunks(_compressed(pixels)), (b"IEND", b"")]
  return _SIGNATURE + b"".join(_chunk(*chunk) for chunk in body), []


def _metadata_chunks(metadata: Metadata) -> Iterator[Chunk]:
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


def _chunk(kind: bytes, content: bytes) -> bytes:
  return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def _pixel_chunks(compressed: bytes) -> Iterator[Chunk]:
  for start in range(0, len(compressed), _MAX_CHUNK_BYTES):
    yield b"IDAT", compressed[start : start + _MAX_CHUNK_BYTES]


def _compressed(pixels: np.ndarray) -> bytes:
  """Filters and compresses the rows.

  OpenCV writes no gray with alpha. Gray of 16 bits and RGBA of 8 bits have pixels of the same length, which is all that
  filters look at.
  """
  if pixels.shape[2] == 2:
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    pixels = rows.view(">u2").astype(np.uint16) if pixels.itemsize == 1 else rows.view(np.uint8)
  if pixels.shape[2] >= 3:
    pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
  is_written, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION_LEVEL])
  if not is_written:
    raise ValueError("too large for PNG")
  return b"".join(content for kind, content in chunks(encoded.tobytes()) if kind == b"IDAT")


CODEC = codec.Codec(
  name="PNG",
  pillow_names=("PNG",),
  extensions=(".png",),
  is_start=codec.starts_with(_SIGNATURE),
  prepare=_prepare,
  check=_check,
  read_exif=_read_exif,
  read_own=_read_own,
  encode=encode,
  channels=(1, 2, 3, 4),
  holds_16_bits=True,
  keeps=("icc_profile", "exif", "xmp", "dpi", "comment", "png_chunks"),
)

"""Finds the codec of an image file, opens the file, and checks its header before decoding.

Only the formats of `CODECS` are opened. Pillow knows dozens more; some start other programs (EPS), and many are hardly
tested.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import io
import logging
import os

from PIL import Image
from PIL import ImageFile
from PIL import UnidentifiedImageError

from z2i_tf.errors import InputError
from z2i_tf.errors import one_line
from z2i_tf.images.formats import bmp
from z2i_tf.images.formats import heif
from z2i_tf.images.formats import jpeg
from z2i_tf.images.formats import jpeg2000
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff
from z2i_tf.images.formats import webp
from z2i_tf.images.formats.codec import Codec
from z2i_tf.images.formats.codec import starts_with

_GIF = Codec(
  name="GIF",
  pillow_names=("GIF",),
  extensions=(".gif",),
  is_start=starts_with(b"GIF8"),
  read_own=lambda image, encoded, is_swapped: ({"comment": image.info.get("comment") or None}, []),
)
CODECS = (png.CODEC, jpeg.CODEC, webp.CODEC, bmp.CODEC, tiff.CODEC, _GIF, heif.AVIF, jpeg2000.CODEC, heif.HEIC)
WRITTEN = {extension: codec for codec in CODECS if codec.encode for extension in codec.extensions}

SIXTEEN_BIT_GRAY_MODES = ("I", "I;16", "I;16B", "I;16L")
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_EXIF_ORIENTATION = 0x0112
_TURNED_BY_90_DEGREES = (5, 6, 7, 8)
_START_BYTES = 256
# Keeps Pillow from printing log lines about damaged files.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def extensions() -> tuple[str, ...]:
  """Returns the extensions of the files that can be read, in lower case; HEIC's only if pillow-heif is installed."""
  return tuple(extension for codec in CODECS if codec.is_available() for extension in codec.extensions)


def extension_of(path: str) -> str:
  """Returns a path's extension in lower case."""
  return os.path.splitext(path)[1].lower()


def _codec_of(start: bytes) -> Codec:
  """Returns the codec of a file by its first bytes; raises UnidentifiedImageError if there is none."""
  for codec in CODECS:
    if codec.is_start(start):
      return codec
  raise UnidentifiedImageError


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
  """An image file that is not decoded yet.

  Attributes:
    image: the image as Pillow opened it.
    codec: of the file's format.
    encoded: the file as `image` reads it, or None if only the header of a file on disk is to be read.
    remarks: parts of the file that could not be used.
  """

  image: ImageFile.ImageFile
  codec: Codec
  encoded: bytes | None
  remarks: tuple[str, ...] = ()


@contextlib.contextmanager
def opened(
  path: str, encoded: bytes | None, check_size: Callable[[Image.Image], None] = lambda image: None
) -> Iterator[Opened]:
  """Opens an image without decoding it. Turns errors of the file, also in the block, into an InputError.

  Args:
    path: the file, for errors; also read from if `encoded` is None.
    encoded: its content; None to read only the header.
    check_size: called with the image before all other checks; raises InputError if it is too large.

  Raises:
    InputError: the file has an unknown format, is damaged, too large, or declares more than its size can hold.
    MemoryError: memory does not suffice.
  """
  try:
    remarks: list[str] = []
    if encoded is None:
      with open(path, "rb") as file:
        codec = _codec_of(file.read(_START_BYTES))
    else:
      codec = _codec_of(encoded)
      encoded, remarks = codec.prepare(encoded)
    with Image.open(path if encoded is None else io.BytesIO(encoded), formats=codec.pillow_names[:1]) as image:
      if image.mode not in _EIGHT_BIT_MODES + SIXTEEN_BIT_GRAY_MODES:
        raise InputError(f"{path}: pixels of a kind that photographs do not have ({image.mode}); convert it to 8 bits")
      check_size(image)
      codec.check(image, encoded)
      yield Opened(image, codec, encoded, tuple(remarks))
  except InputError as error:
    raise error if path in str(error) else InputError(f"{path}: {error}") from error
  except Image.DecompressionBombError as error:
    raise InputError(f"{path}: too many pixels: {error}") from error
  except MemoryError:  # The file may be sound.
    raise
  except Exception as error:  # Pillow raises errors of every kind on damaged files.
    reason = "unknown format" if isinstance(error, UnidentifiedImageError) else one_line(error)
    raise InputError(f"{path}: not an image that can be read: {reason}") from error


def is_deep(image: ImageFile.ImageFile) -> bool:
  """Returns whether the file of an image that is not decoded yet has more than 8 bits per channel."""
  if image.format == "TIFF" and tiff.bits_per_sample(image) > 8:
    return True
  # Pillow opens 16-bit colour as RGB; only its way of unpacking tells them apart.
  unpacking = " ".join(str(tile[-1]) for tile in image.tile)
  return image.mode in SIXTEEN_BIT_GRAY_MODES or ";16" in unpacking


def orientation(image: Image.Image) -> int | None:
  """Returns the EXIF orientation, 1 to 8 (1 without EXIF), or None if EXIF is damaged."""
  try:
    # The base class reads EXIF; PNG's own reader would decode the pixels first.
    value = Image.Image.getexif(image).get(_EXIF_ORIENTATION)
  except Exception:  # Pillow raises errors of every kind.
    return None
  return value if isinstance(value, int) and value in range(1, 9) else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
  """Returns height and width of the upright image; `image` must not be decoded yet."""
  # For TIFF, Pillow reports the upright size already.
  is_turned = is_swapped(orientation(image)) and image.format != "TIFF"
  return (image.width, image.height) if is_turned else (image.height, image.width)


def is_swapped(exif_orientation: int | None) -> bool:
  """Returns whether an EXIF orientation swaps height and width."""
  return exif_orientation in _TURNED_BY_90_DEGREES


def has_more_pictures(image: Image.Image) -> bool:
  """Returns whether the file has more than one picture or page; counting them could take minutes."""
  try:
    return bool(getattr(image, "is_animated", False))
  except Exception:  # The second one is damaged.
    return True

"""Opens image files of the formats listed here only, and checks what they declare before decoding.

Pillow knows dozens of formats; some start other programs (EPS), and many are hardly tested.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import io
import logging
import os

from PIL import Image
from PIL import UnidentifiedImageError

from z2i_tf.errors import InputError
from z2i_tf.images.formats import heif
from z2i_tf.images.formats import jpeg
from z2i_tf.images.formats import png
from z2i_tf.images.formats import simple
from z2i_tf.images.formats import tiff

SIXTEEN_BIT_GRAY_MODES = ("I", "I;16", "I;16B", "I;16L")
TURNED_BY_90_DEGREES = (5, 6, 7, 8)
# Pillow would print what it finds in damaged files, beside the one line of our own.
logging.getLogger("PIL").addHandler(logging.NullHandler())
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_EXIF_ORIENTATION = 0x0112


@dataclasses.dataclass(frozen=True)
class Format:
  """A format that is read.

  Attributes:
    name: Pillow's.
    extensions: of its files.
    repair: file -> (the same without metadata that would keep good pixels from being read, remarks).
    check: (image opened by Pillow, file, or None if only the header will be read) -> None; raises ValueError if
      decoding would take far more memory or time than an image of its size needs.
  """

  name: str
  extensions: tuple[str, ...]
  repair: Callable[[bytes], tuple[bytes, list[str]]] = lambda encoded: (encoded, [])
  check: Callable[[Image.Image, bytes | None], None] = lambda image, encoded: None


_FORMATS = (
  Format("PNG", (".png",), png.repaired, png.check_declared),
  Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), check=jpeg.check_declared),  # And MPO, which begins with a JPEG.
  Format("WEBP", (".webp",), simple.checked_webp),
  Format("BMP", (".bmp",)),
  Format("TIFF", (".tif", ".tiff"), tiff.repaired, tiff.check_declared),
  Format("GIF", (".gif",)),
  Format("AVIF", (".avif",), heif.named_avif),
  Format("JPEG2000", (".jp2", ".j2k", ".jpx", ".jpf")),
  Format("HEIF", heif.EXTENSIONS, heif.registered),
)


def extensions() -> tuple[str, ...]:
  """Returns the extensions of files that are read here, in lower case; those of HEIC where pillow-heif is installed."""
  return tuple(
    extension
    for file_format in _FORMATS
    for extension in file_format.extensions
    if file_format.name != "HEIF" or heif.is_installed()
  )


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
  """An image file that is not decoded yet.

  Attributes:
    image: by Pillow.
    encoded: the file as `image` reads it; None if that is a file on disk, of which only the header is to be read.
    remarks: what of the file could not be used.
  """

  image: Image.Image
  encoded: bytes | None
  remarks: tuple[str, ...] = ()


@contextlib.contextmanager
def opened(
  path: str, encoded: bytes | None, check_size: Callable[[Image.Image], None] = lambda image: None
) -> Iterator[Opened]:
  """Opens an image, not yet decoded; whatever goes wrong with the file inside the block becomes an InputError.

  Args:
    path: of the file, for errors, and to be read if `encoded` is None.
    encoded: its content; None: only the header will be read.
    check_size: called with the image before all other checks; raises InputError if it is too large.
  """
  try:
    remarks, found = (), None
    if encoded is not None:
      found = _format_of(encoded)
      encoded, remarks = found.repair(encoded)
    names = [found.name] if found else [file_format.name for file_format in _FORMATS if file_format.name != "HEIF"]
    with Image.open(path if encoded is None else io.BytesIO(encoded), formats=names) as image:
      if image.mode not in _EIGHT_BIT_MODES + SIXTEEN_BIT_GRAY_MODES:
        raise InputError(f"{path}: pixels of a kind that photographs do not have ({image.mode}); convert it to 8 bits")
      check_size(image)
      found = found or next((file_format for file_format in _FORMATS if file_format.name == image.format), None)
      if found:
        found.check(image, encoded)
      yield Opened(image, encoded, tuple(remarks))
  except InputError as error:
    raise error if path in str(error) else InputError(f"{path}: {error}") from error
  except Image.DecompressionBombError as error:
    raise InputError(f"{path}: too many pixels: {error}") from error
  except Exception as error:  # On damaged files Pillow raises errors of every kind.
    reason = "unknown format" if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())
    raise InputError(f"{path}: not an image that can be read: {reason or type(error).__name__}") from error


def is_deep(image: Image.Image) -> bool:
  """Whether the file of an image that is not decoded yet has more than 8 bits per channel."""
  if image.format == "TIFF" and tiff.bits_per_sample(image) > 8:
    return True
  # Pillow opens 16-bit colour as RGB; how it will unpack it tells.
  unpacking = " ".join(str(tile[-1]) for tile in image.tile)
  return image.mode in SIXTEEN_BIT_GRAY_MODES or ";16" in unpacking


def orientation(image: Image.Image) -> int | None:
  """Returns the EXIF orientation, 1 to 8 (1 if there is none); None if EXIF is damaged, and the pixels may be good."""
  try:
    # (The base class's reader: PNG's own one decodes the pixels first.)
    value = Image.Image.getexif(image).get(_EXIF_ORIENTATION)
  except Exception:  # Pillow raises errors of every kind.  pylint: disable=broad-except
    return None
  return value if isinstance(value, int) and value in range(1, 9) else 1


def has_more_pictures(image: Image.Image) -> bool:
  """Whether further pictures, or pages, follow the first; counting them may take minutes."""
  try:
    return bool(getattr(image, "is_animated", False))
  except Exception:  # The second one is damaged.  pylint: disable=broad-except
    return True


def with_extension_of(path: str, found: tuple[str, ...]) -> bool:
  """Whether a file's name ends in one of the extensions."""
  return os.path.splitext(path)[1].lower() in found


def _format_of(encoded: bytes) -> Format:
  """Returns the format of a file by its first bytes; raises UnidentifiedImageError for one that is not read here."""
  named = {file_format.name: file_format for file_format in _FORMATS}
  for name, start in (
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("JPEG", b"\xff\xd8\xff"),
    ("BMP", b"BM"),
    ("GIF", b"GIF8"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("JPEG2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("JPEG2000", b"\xff\x4f\xff\x51"),
  ):
    if encoded.startswith(start):
      return named[name]
  if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
    return named["WEBP"]
  if encoded[4:8] == b"ftyp":
    return named["AVIF" if b"avif" in heif.brands(encoded) or b"avis" in heif.brands(encoded) else "HEIF"]
  raise UnidentifiedImageError

"""Reads and writes photographs as files, with every depth, alpha and metadata that the format can hold."""

from collections.abc import Iterator
import contextlib
import dataclasses
import re
import threading
import warnings

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images.formats import codecs
from z2i_tf.images.formats import metadata as metadata_lib
from z2i_tf.images.formats import pixels as pixels_lib
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff
from z2i_tf.images.formats.codec import Codec
from z2i_tf.images.formats.metadata import Metadata
from z2i_tf.system import input_files
from z2i_tf.system import standard_error
from z2i_tf.system.atomic_files import atomic_write


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
  """An upright image with everything that its file holds.

  Attributes:
    rgb: (H, W, 3) uint8 or uint16.
    alpha: (H, W) of the same type, or None; the greatest value of the type is opaque.
    is_gray: whether the file has one colour channel; `rgb` then repeats it.
    orientation: EXIF orientation of the file, 1 to 8; `rgb` and `alpha` are turned already.
    metadata: of the upright image.
    remarks: changes made by reading, for the user.
    format: Pillow's name of the file's format, or "" without a file.
  """

  rgb: np.ndarray
  alpha: np.ndarray | None = None
  is_gray: bool = False
  orientation: int = 1
  metadata: Metadata = Metadata()
  remarks: tuple[str, ...] = ()
  format: str = ""


EXTENSIONS = tuple(codecs.WRITTEN)  # Of the files that `write_photo` can write.
# A line of libpng, or of libtiff: it begins with a function, such as TIFFFillTile, or with Pillow's name for the file.
_LIBRARY_LINE = re.compile(
  rb"(libpng (error|warning)|tempfile\.tif|(?![A-Z]+:|\w+(Error|Exception|Warning):)\w*[A-Z]\w*): "
)
# Guards Image.MAX_IMAGE_PIXELS, a variable of Pillow's module.
_PILLOW_LIMIT_LOCK = threading.Lock()
_MAX_16_BITS = 65535


class _PillowSilence:
  """Ignores Pillow's warnings while any thread is in the block.

  Threads share the filters of warnings, so each must not restore its own.
  """

  def __init__(self):
    self._lock, self._threads, self._filters = threading.Lock(), 0, contextlib.ExitStack()

  def __enter__(self):
    with self._lock:
      if not self._threads:
        self._filters.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module="PIL|pillow_heif")
      self._threads += 1

  def __exit__(self, *_):
    with self._lock:
      self._threads -= 1
      if not self._threads:
        self._filters.close()


_SILENCE = _PillowSilence()


def read_photo(path: str, max_pixels: int | None = None) -> Photo:
  """Reads an image file of any depth, turned upright by its EXIF orientation.

  Palettes become RGB, with alpha if they have transparency. CMYK becomes sRGB by its ICC profile, or RGB by plain
  complement without one, at 8 bits. 1 bit becomes 8. 16 bits stay in PNG and TIFF, and in gray of any format. Of
  several pictures in a file, the first is read.

  Args:
    path: the file.
    max_pixels: the largest number of pixels; None for Pillow's limit (89,478,485).

  Raises:
    InputError: the file is missing, damaged or too large, or has pixels that photographs do not have.
  """
  with _opened(path, max_pixels) as source:
    return _photo(path, source)


def read_size(path: str, max_pixels: int | None = None) -> tuple[int, int]:
  """Returns height and width of the upright image, by the file's header; arguments and errors as `read_photo`."""
  with _opened(path, max_pixels) as source:
    return codecs.upright_size(source.image)


def can_be_written(path: str) -> bool:
  """Returns whether `write_photo` writes files with the extension of `path`."""
  return codecs.extension_of(path) in codecs.WRITTEN


def own_extension(path: str, photo: Photo) -> str:
  """Returns the extension that keeps a photograph in its file's format, or ".png" if that format is only read.

  Args:
    path: the file; its extension is returned if it matches the format.
    photo: the image read from it.
  """
  matching = [extension for extension, codec in codecs.WRITTEN.items() if photo.format in codec.pillow_names]
  extension = codecs.extension_of(path)
  return extension if extension in matching else next(iter(matching), ".png")


def media_type(extension: str) -> str:
  """Returns the media type of one of `EXTENSIONS`."""
  return f"image/{codecs.WRITTEN[extension].name.lower()}"


def write_photo(path: str, photo: Photo) -> str:
  """Writes an image file atomically, in the format of its extension.

  PNG, TIFF, BMP and WebP are lossless. A JPEG that was read from a JPEG gets its quantization tables and subsampling;
  any other one gets quality 95 without subsampling. Leaves out data that the format cannot hold, and names it.

  Args:
    path: the file, with one of `EXTENSIONS`.
    photo: the image.

  Returns:
    Remarks of reading and writing for the user, separated by "; ", or "".

  Raises:
    InputError: the file cannot be written, or the image is too large for the format.
    TypeError: `alpha` and `rgb` have different types.
  """
  try:
    encoded, remarks = _encoded(codecs.WRITTEN[codecs.extension_of(path)], photo)
    with atomic_write(path) as file:
      file.write(encoded)
  except (OSError, ValueError) as error:  # ValueError: too large for the format.
    raise InputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
  return "; ".join([*photo.remarks, *remarks])


def to_8_bits(levels: np.ndarray) -> np.ndarray:
  """Rounds uint16 levels to uint8 of the same brightness; returns uint8 unchanged."""
  if levels.dtype == np.uint8:
    return levels
  return ((levels.astype(np.uint32) * 255 + _MAX_16_BITS // 2) // _MAX_16_BITS).astype(np.uint8)


def to_gray(rgb: np.ndarray) -> np.ndarray:
  """Returns the luma (Rec. 601, as Pillow's "L"), (H, W), of (H, W, 3) uint8 or uint16; exact if R = G = B."""
  if (rgb[..., :1] == rgb).all():
    return rgb[..., 0]
  weighted = rgb.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
  return ((weighted + 2**15) >> 16).astype(rgb.dtype)


@contextlib.contextmanager
def _opened(path: str, max_pixels: int | None) -> Iterator[codecs.Opened]:
  """Opens a file as `codecs.opened`, without Pillow's warnings; an error about too many pixels names the argument."""

  def check_size(image: Image.Image) -> None:
    most = limit if max_pixels is None else max_pixels
    if most is not None and image.width * image.height > most:
      raise InputError(
        f"{path}: {image.width}x{image.height} are {image.width * image.height:,} pixels, more than "
        f"{most:,}; if the file is to be trusted, raise the limit with `max_pixels`"
      )

  encoded = input_files.read_bytes(path)
  with contextlib.ExitStack() as stack:
    stack.enter_context(_SILENCE)  # Pillow warns about metadata that it can do without.
    with _PILLOW_LIMIT_LOCK:
      limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
      try:
        source = stack.enter_context(codecs.opened(path, encoded, check_size))
      finally:
        Image.MAX_IMAGE_PIXELS = limit
    yield source


def _photo(path: str, source: codecs.Opened) -> Photo:
  """Decodes an opened file."""
  image, codec, encoded = source.image, source.codec, source.encoded
  assert encoded is not None  # `_opened` reads the whole file.
  has_more = codecs.has_more_pictures(image)
  prints_lines = codec is tiff.CODEC or codec is png.CODEC and codecs.is_deep(image)
  with (
    standard_error.filtered(lambda line: not _LIBRARY_LINE.match(line)) if prints_lines else contextlib.nullcontext()
  ):
    pixels = pixels_lib.decode(path, encoded, image)
  is_swapped = codecs.is_swapped(pixels.orientation)
  read_exif = None if pixels.has_damaged_exif else codec.read_exif
  own, own_remarks = codec.read_own(image, encoded, is_swapped)
  height, width = pixels.rgb.shape[:2]
  metadata, remarks = metadata_lib.read(image, encoded, read_exif, own, height, width, is_swapped)
  if image.mode == "CMYK":
    metadata = dataclasses.replace(metadata, icc_profile=pixels_lib.srgb_profile() if pixels.became_srgb else None)
  bits = codec.bits_per_sample(image, encoded)
  if bits > 8 and pixels.rgb.dtype == np.uint8:
    remarks.append(f"{bits} bits reduced to 8: {image.format}")
  if has_more:
    remarks.append("only the first of its pictures is kept")
  all_remarks = (*pixels.remarks, *source.remarks, *own_remarks, *remarks)
  return Photo(pixels.rgb, pixels.alpha, pixels.is_gray, pixels.orientation, metadata, all_remarks, image.format or "")


def _encoded(codec: Codec, photo: Photo) -> tuple[bytes, list[str]]:
  """Returns the file and remarks."""
  if photo.alpha is not None and photo.alpha.dtype != photo.rgb.dtype:
    raise TypeError(f"rgb is {photo.rgb.dtype}, alpha {photo.alpha.dtype}")
  remarks: list[str] = []
  pixels, metadata = photo.rgb, photo.metadata
  if photo.is_gray:
    gray = to_gray(pixels)[..., np.newaxis]
    pixels = gray if 1 in codec.channels else np.repeat(gray, 3, axis=2)
  if photo.alpha is not None:
    if pixels.shape[2] + 1 in codec.channels:
      pixels = np.concatenate([pixels, photo.alpha[..., np.newaxis]], axis=2)
    else:
      remarks.append(f"alpha left out: {codec.name} is written without")
  if pixels.dtype == np.uint16 and not codec.holds_16_bits:
    pixels = to_8_bits(pixels)
    remarks.append(f"16 bits reduced to 8: {codec.name}")
  if metadata.icc_profile and pixels.shape[2] >= 3 and metadata.icc_profile[16:20] == b"GRAY":
    metadata = dataclasses.replace(metadata, icc_profile=None)
    remarks.append(f"gray ICC profile left out: {codec.name} is written with three channels")
  assert codec.encode is not None  # A codec of `WRITTEN`.
  encoded, more_remarks = codec.encode(pixels, metadata)
  return encoded, remarks + more_remarks + metadata_lib.left_out(metadata, codec.keeps, codec.name)

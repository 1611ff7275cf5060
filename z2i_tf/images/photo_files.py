"""Photographs as files: whatever a file holds is read, and written again with as much of it as the format can hold."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import os
import re
import threading
import warnings

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images.formats import jpeg
from z2i_tf.images.formats import opening
from z2i_tf.images.formats import pixels as pixels_lib
from z2i_tf.images.formats import png
from z2i_tf.images.formats import read_only
from z2i_tf.images.formats import reading
from z2i_tf.images.formats import simple
from z2i_tf.images.formats import tiff
from z2i_tf.images.formats.metadata import Metadata
from z2i_tf.system import standard_error
from z2i_tf.system.atomic_files import atomic_write


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
  """An image as it was in its file, upright.

  Attributes:
    rgb: (H, W, 3) uint8 or uint16.
    alpha: (H, W) of the same type, or None; its greatest value is opaque.
    is_gray: whether the file had one channel; `rgb` then repeats it.
    orientation: of the file by EXIF, 1 to 8; `rgb` and `alpha` are turned already.
    metadata: what the file says beside its pixels, as of the upright image.
    remarks: what reading has changed, for the user.
    format: Pillow's name of the file's format; "" if there was no file.
  """

  rgb: np.ndarray
  alpha: np.ndarray | None = None
  is_gray: bool = False
  orientation: int = 1
  metadata: Metadata = Metadata()
  remarks: tuple[str, ...] = ()
  format: str = ""


@dataclasses.dataclass(frozen=True)
class _Format:
  """How files of a format are written.

  Attributes:
    name: for remarks.
    encode: (pixels (H, W, C), metadata) -> (file, remarks).
    channels: which C there are; 2 is gray with alpha.
    is_deep: whether pixels may be uint16.
    read_as: Pillow's names of the formats that are written in this one.
  """

  name: str
  encode: Callable[[np.ndarray, Metadata], tuple[bytes, list[str]]]
  channels: tuple[int, ...]
  is_deep: bool = False
  read_as: tuple[str, ...] = ()


_PNG = _Format("PNG", png.encode, (1, 2, 3, 4), is_deep=True, read_as=("PNG",))
_TIFF = _Format("TIFF", tiff.encode, (1, 2, 3, 4), is_deep=True, read_as=("TIFF",))
_JPEG = _Format("JPEG", jpeg.encode, (1, 3), read_as=("JPEG", "MPO"))
_FORMATS = {
  ".png": _PNG,
  ".tif": _TIFF,
  ".tiff": _TIFF,
  ".jpg": _JPEG,
  ".jpeg": _JPEG,
  ".jpe": _JPEG,
  ".jfif": _JPEG,
  ".webp": _Format("WebP", simple.encode_webp, (3, 4), read_as=("WEBP",)),
  ".bmp": _Format("BMP", simple.encode_bmp, (1, 3), read_as=("BMP",)),
}
# Of the files that are written.
EXTENSIONS = tuple(_FORMATS)

# A line of libpng, or of libtiff: it begins with a function, such as TIFFFillTile, or with Pillow's name for the file.
_LIBRARY_LINE = re.compile(
  rb"(libpng (error|warning)|tempfile\.tif|(?![A-Z]+:|\w+(Error|Exception|Warning):)\w*[A-Z]\w*): "
)
# Pillow's limit is a variable of its module.
_PILLOW_LIMIT = threading.Lock()
_MAX_16_BITS = 65535


def read_photo(path: str, max_pixels: int | None = None) -> Photo:
  """Reads an image file of any depth, turned upright by its EXIF orientation.

  Palettes become colours, with alpha where they have transparency. CMYK becomes RGB: by its ICC profile sRGB, which
  is then the profile, without one by plain complement; such pixels and those of 1 bit get 8. 16 bits are
  kept of PNG and TIFF, and of gray in any format. Of several pictures in a file the first is taken.
  Args:
    path: of the file.
    max_pixels: largest number of pixels; None: Pillow's limit (89,478,485).
  Raises: InputError if the file is missing, damaged or too large, or has pixels that photographs do not have.
  """
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Pillow finds odd about metadata, where it can go on.
    with _opened(path, image_files.read_bytes(path), max_pixels) as source:
      return _photo(path, source)


def read_size(path: str, max_pixels: int | None = None) -> tuple[int, int]:
  """Returns height and width of the upright image by the file's header alone; arguments and errors as `read_photo`."""
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with _opened(path, image_files.read_bytes(path), max_pixels) as source:
      height, width = source.image.height, source.image.width
      # Of TIFF, Pillow gives the upright size already.
      is_turned = opening.orientation(source.image) in opening.TURNED_BY_90_DEGREES and source.image.format != "TIFF"
      return (width, height) if is_turned else (height, width)


def can_be_written(path: str) -> bool:
  """Whether the extension of a path is that of a format that `write_photo` writes."""
  return os.path.splitext(path)[1].lower() in _FORMATS


def own_extension(path: str, photo: Photo) -> str:
  """Returns the extension that keeps a photograph in its file's format; ".png" if that is only read, not written.

  Args:
    path: of the file; its extension is kept if it is true.
    photo: what was read from it.
  """
  matching = [extension for extension, file_format in _FORMATS.items() if photo.format in file_format.read_as]
  extension = os.path.splitext(path)[1].lower()
  return extension if extension in matching else next(iter(matching), ".png")


def media_type(extension: str) -> str:
  """Returns the media type of the format that one of `EXTENSIONS` stands for."""
  return f"image/{_FORMATS[extension].name.lower()}"


def write_photo(path: str, photo: Photo) -> str:
  """Writes an image file under a temporary name, then renames it; the extension says the format.

  PNG, TIFF, BMP and WebP are lossless. A JPEG of a JPEG has its quantization tables and subsampling, another one
  quality 95 without subsampling. What the format cannot hold is left out and named.
  Returns: remarks for the user, separated by "; ", or "".
  Raises: InputError if the file cannot be written; TypeError if `alpha` and `rgb` have different types.
  """
  file_format = _FORMATS[os.path.splitext(path)[1].lower()]
  try:
    encoded, remarks = _encode(file_format, photo)
    with atomic_write(path) as file:
      file.write(encoded)
  except (OSError, ValueError) as error:  # ValueError: too large for the format.
    raise InputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
  return "; ".join([*photo.remarks, *remarks])


def to_8_bits(levels: np.ndarray) -> np.ndarray:
  """Rounds uint16 levels to uint8 of the same brightness; uint8 stays."""
  if levels.dtype == np.uint8:
    return levels
  return ((levels.astype(np.uint32) * 255 + _MAX_16_BITS // 2) // _MAX_16_BITS).astype(np.uint8)


def to_gray(rgb: np.ndarray) -> np.ndarray:
  """Returns the luma (Rec. 601, as Pillow's "L") of (H, W, 3) uint8 or uint16, exact where channels are equal."""
  if (rgb[..., :1] == rgb).all():
    return rgb[..., 0]
  weighted = rgb.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
  return ((weighted + 2**15) >> 16).astype(rgb.dtype)


@contextlib.contextmanager
def _opened(path, encoded, max_pixels) -> Iterator[opening.Opened]:
  """As `opening.opened`; Pillow's own warning and error of too many pixels become one error that names the flag."""

  def check_size(image):
    most = limit if max_pixels is None else max_pixels
    if most is not None and image.width * image.height > most:
      raise InputError(
        f"{path}: {image.width}x{image.height} are {image.width * image.height:,} pixels, more than "
        f"{most:,}; if the file is to be trusted, raise the limit with --max_pixels"
      )

  with contextlib.ExitStack() as stack:
    with _PILLOW_LIMIT:
      limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
      try:
        source = stack.enter_context(opening.opened(path, encoded, check_size))
      finally:
        Image.MAX_IMAGE_PIXELS = limit
    yield source


def _photo(path, source):
  """Returns the Photo of an opened file."""
  image, encoded = source.image, source.encoded
  has_more = opening.has_more_pictures(image)
  prints = image.format == "TIFF" or image.format == "PNG" and opening.is_deep(image)
  with standard_error.filtered(lambda line: not _LIBRARY_LINE.match(line)) if prints else contextlib.nullcontext():
    pixels = pixels_lib.decode(path, encoded, image)
  metadata, remarks = reading.read_metadata(
    image,
    encoded,
    *pixels.rgb.shape[:2],
    is_swapped=pixels.orientation in opening.TURNED_BY_90_DEGREES,
    with_exif=not pixels.has_damaged_exif,
  )
  if image.mode == "CMYK":
    metadata = dataclasses.replace(metadata, icc_profile=pixels_lib.srgb_profile() if pixels.became_srgb else None)
  bits = read_only.bits_per_sample(image, encoded)
  if bits > 8 and pixels.rgb.dtype == np.uint8:
    remarks.append(f"{bits} bits reduced to 8: {image.format}")
  if has_more:
    remarks.append("only the first of its pictures is kept")
  return Photo(
    pixels.rgb,
    pixels.alpha,
    pixels.is_gray,
    pixels.orientation,
    metadata,
    tuple(pixels.remarks + list(source.remarks) + remarks),
    image.format,
  )


def _encode(file_format: _Format, photo: Photo) -> tuple[bytes, list[str]]:
  """Returns the file and remarks."""
  if photo.alpha is not None and photo.alpha.dtype != photo.rgb.dtype:
    raise TypeError(f"rgb is {photo.rgb.dtype}, alpha {photo.alpha.dtype}")
  remarks = []
  pixels, metadata = photo.rgb, photo.metadata
  if photo.is_gray:
    gray = to_gray(pixels)[..., np.newaxis]
    pixels = gray if 1 in file_format.channels else np.repeat(gray, 3, axis=2)
  if photo.alpha is not None:
    if pixels.shape[2] + 1 in file_format.channels:
      pixels = np.concatenate([pixels, photo.alpha[..., np.newaxis]], axis=2)
    else:
      remarks.append(f"alpha left out: {file_format.name} is written without")
  if pixels.dtype == np.uint16 and not file_format.is_deep:
    pixels = to_8_bits(pixels)
    remarks.append(f"16 bits reduced to 8: {file_format.name}")
  if metadata.icc_profile and pixels.shape[2] >= 3 and metadata.icc_profile[16:20] == b"GRAY":
    metadata = dataclasses.replace(metadata, icc_profile=None)
    remarks.append(f"gray ICC profile left out: {file_format.name} is written with three channels")
  encoded, more_remarks = file_format.encode(pixels, metadata)
  return encoded, remarks + more_remarks

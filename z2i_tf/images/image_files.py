"""Reads images as 8-bit RGB and masks, writes them, and lists and checks folders."""

import dataclasses
import os
import tempfile
import unicodedata

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images import photo_files
from z2i_tf.images.formats import codecs
from z2i_tf.images.formats import heif
from z2i_tf.images.formats import pixels
from z2i_tf.system import input_files

# Extensions of the files that are read in folders.
IMAGE_EXTENSIONS = codecs.extensions()

# Maximum number of names in the line about files that are not read.
_MAX_NAMED = 5


def stem(path: str) -> str:
  """Returns a file's name without folder and extension, in composed Unicode (macOS stores decomposed letters)."""
  return unicodedata.normalize("NFC", os.path.splitext(os.path.basename(path))[0])


def left_out(folder: str, recursive: bool = False) -> str:
  """Returns a line about the files of a folder that `list_images` leaves out, "" if there are none.

  It does not mention hidden files. Arguments and errors as `list_images`.
  """
  names = sorted(path for path in _files(folder, recursive) if codecs.extension_of(path) not in IMAGE_EXTENSIONS)
  if not names:
    return ""
  named = ", ".join(os.path.relpath(path, folder) for path in names[:_MAX_NAMED])
  more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
  needs_heif = any(codecs.extension_of(path) in heif.HEIC.extensions for path in names)
  return (
    f"{folder}: left out {len(names)} file{'s' * (len(names) > 1)} that {'are' if len(names) > 1 else 'is'} not "
    f"read as images: {named}{more}" + (f"; {heif.REMEDY}" if needs_heif else "")
  )


def list_images(folder: str, recursive: bool = False) -> list[str]:
  """Returns the paths of the image files in a folder, sorted.

  Args:
    folder: the folder.
    recursive: whether to list its subfolders too, and those behind symbolic links.

  Returns:
    Paths, without hidden files and files in hidden folders.

  Raises:
    InputError: the folder does not exist, holds no image, or a (sub)folder cannot be read.
  """
  paths = [path for path in _files(folder, recursive) if codecs.extension_of(path) in IMAGE_EXTENSIONS]
  if not paths:
    others = left_out(folder, recursive)
    raise InputError(f"{folder}: no images in it ({', '.join(IMAGE_EXTENSIONS)})" + (f"; {others}" if others else ""))
  return sorted(paths)


def has_images(folder: str) -> bool:
  """Returns whether `list_images` finds any image in a folder; raises InputError if the folder cannot be read."""
  return any(codecs.extension_of(path) in IMAGE_EXTENSIONS for path in _files(folder, recursive=False))


def _files(folder: str, recursive: bool) -> list[str]:
  """Returns the paths of all files except hidden ones ("._x.png" of macOS, ".DS_Store") and those in hidden folders."""
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  paths: list[str] = []
  visited: set[str] = set()
  for parent, subfolders, names in os.walk(folder, followlinks=True, onerror=_refuse_folder):
    real = os.path.realpath(parent)
    if real in visited:  # A link to a folder above would never end.
      subfolders.clear()
      continue
    visited.add(real)
    subfolders[:] = [name for name in subfolders if not name.startswith(".")]
    paths += [os.path.join(parent, name) for name in names if not name.startswith(".")]
    if not recursive:
      break
  return paths


@dataclasses.dataclass(frozen=True)
class Header:
  """Header of an image file.

  Attributes:
    height: of the upright image, in pixels.
    width: of the upright image, in pixels.
    mode: Pillow's name of the pixel format ("RGB", "L", "CMYK", "P", ...), followed by " 16-bit" if the channels have
      more than 8 bits.
    is_turned: whether the stored image has to be turned or mirrored to become upright.
  """

  height: int
  width: int
  mode: str
  is_turned: bool


def read_header(path: str, encoded: bytes | None = None) -> Header:
  """Reads an image's header; arguments and errors as `read_rgb`."""
  if encoded is not None:
    return _header(path, encoded)
  input_files.check_regular(path)
  try:
    return _header(path, None)
  except InputError:  # The codec may repair the file in memory, or need all of it.
    return _header(path, input_files.read_bytes(path))


def _header(path: str, encoded: bytes | None) -> Header:
  with codecs.opened(path, encoded) as source:
    image = source.image
    mode = image.mode if image.mode not in codecs.SIXTEEN_BIT_GRAY_MODES else "L"
    is_turned = (codecs.orientation(image) or 1) > 1
    return Header(*codecs.upright_size(image), mode + (" 16-bit" if codecs.is_deep(image) else ""), is_turned)


def read_rgb(path: str, encoded: bytes | None = None) -> np.ndarray:
  """Reads any image as 8-bit RGB, turned upright by its EXIF orientation.

  Repeats gray, converts CMYK and palettes, drops alpha (the colours under it stay), and takes the upper 8 of 16 bits.

  Args:
    path: the file.
    encoded: its content, if it was read elsewhere; `path` then only names it in errors.

  Returns:
    (H, W, 3) uint8.

  Raises:
    InputError: the file is missing, damaged, or has an unsupported pixel format, such as floats.
  """
  with codecs.opened(path, input_files.read_bytes(path) if encoded is None else encoded) as source:
    image: Image.Image = source.image
    image.load()  # Pillow applies and forgets the orientation of TIFF here.
    orientation = codecs.orientation(image) or 1
    if image.mode in codecs.SIXTEEN_BIT_GRAY_MODES:
      levels = (pixels.deep_gray(path, image) >> 8).astype(np.uint8)
      return np.repeat(pixels.turn_upright(levels, orientation)[..., np.newaxis], 3, axis=2)
    if image.mode in ("P", "PA"):
      image = image.convert("RGBA")  # A palette may hold transparency.
    return pixels.turn_upright(np.asarray(image.convert("RGB")), orientation)


def create_folder(folder: str) -> str:
  """Creates a folder, if missing, in an existing one; raises InputError unless files can be written into it.

  Returns:
    The folder's name for a summary, followed by "(new folder)" if it was missing.
  """
  is_new = not os.path.isdir(folder)
  try:
    if is_new:
      os.mkdir(folder)
  except OSError as error:
    raise InputError(f"{folder}: cannot create this folder: {error.strerror}") from error
  check_writable_folder(folder)
  return f"{folder} (new folder)" if is_new else folder


def create_folder_of(path: str) -> None:
  """Creates the folder of a file; see `create_folder`."""
  create_folder(os.path.dirname(path) or ".")


def check_writable_file(path: str) -> None:
  """Raises InputError unless an image can be written to `path` (folder, permission, extension).

  The folder may be missing in an existing one; `create_folder_of` creates it.
  """
  if not photo_files.can_be_written(path):
    raise InputError(f"{path}: unknown image extension; use one of {', '.join(photo_files.EXTENSIONS)}")
  check_creatable_folder(os.path.dirname(path) or ".")


def check_creatable_folder(folder: str) -> None:
  """Raises InputError unless files can be written into `folder`, or `create_folder` can create it."""
  check_writable_folder(folder if os.path.lexists(folder) else os.path.dirname(os.path.normpath(folder)) or ".")


def check_writable_folder(folder: str) -> None:
  """Raises InputError unless `folder` exists and files can be created in it."""
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder; create it first")
  try:
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    raise InputError(f"{folder}: cannot write here: {error.strerror}") from error


def write_rgb(path: str, rgb: np.ndarray) -> None:
  """Writes (H, W, 3) uint8 atomically, in the format of the extension.

  PNG, BMP, TIFF and WebP are lossless; JPEG has quality 95 without chroma subsampling.

  Raises:
    InputError: the file cannot be written.
  """
  photo_files.write_photo(path, photo_files.Photo(rgb))


def write_mask(path: str, mask: np.ndarray) -> None:
  """Writes an (H, W) mask, 1 = hole, as gray levels 255 and 0; raises as `write_rgb`."""
  levels = np.where(mask, np.uint8(255), np.uint8(0))
  photo_files.write_photo(
    path, photo_files.Photo(np.broadcast_to(levels[..., np.newaxis], (*levels.shape, 3)), is_gray=True)
  )


def _refuse_folder(error: OSError) -> None:
  raise InputError(f"{error.filename}: this folder cannot be read: {error.strerror}") from error

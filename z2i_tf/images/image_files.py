"""Image files to 8-bit arrays and back."""

from collections.abc import Sequence
import dataclasses
import os
import tempfile
import unicodedata

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images.formats import heif
from z2i_tf.images.formats import opening
from z2i_tf.system.atomic_files import atomic_write

# Extensions read in folders.
IMAGE_EXTENSIONS = opening.extensions()

_SAVE_OPTIONS = {
  ".png": {},
  ".bmp": {},
  ".tif": {"compression": "tiff_lzw"},
  ".tiff": {"compression": "tiff_lzw"},
  ".webp": {"lossless": True, "exact": True},  # Exact: colours under alpha 0 too.
  ".jpg": {"quality": 95, "subsampling": 0},
  ".jpeg": {"quality": 95, "subsampling": 0},
  ".jpe": {"quality": 95, "subsampling": 0},
  ".jfif": {"quality": 95, "subsampling": 0},
}
# EXIF orientation -> what makes the image upright.
_TRANSPOSITIONS = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}
# How many files are named that are left out of a folder.
_MAX_NAMED = 5


def stem(path: str) -> str:
  """Returns a file's name without folder and extension, in composed Unicode; macOS stores decomposed letters."""
  return unicodedata.normalize("NFC", os.path.splitext(os.path.basename(path))[0])


def left_out(folder: str, recursive: bool = False) -> str:
  """Returns a line on the files of a folder that are not read as images, "" if there are none.

  Args: as `list_images`, which names what is read. Hidden files are not mentioned.
  """
  names = sorted(path for path in _files(folder, recursive) if not opening.with_extension_of(path, IMAGE_EXTENSIONS))
  if not names:
    return ""
  named = ", ".join(os.path.relpath(path, folder) for path in names[:_MAX_NAMED])
  more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
  needs_heif = any(opening.with_extension_of(path, heif.EXTENSIONS) for path in names)
  return (
    f"{folder}: left out {len(names)} file{'s' * (len(names) > 1)} that {'are' if len(names) > 1 else 'is'} not "
    f"read as images: {named}{more}" + (f"; {heif.REMEDY}" if needs_heif else "")
  )


def list_images(folder: str, recursive: bool = False) -> list[str]:
  """Returns the paths of the image files in a folder, sorted.

  Args:
    folder: where to look.
    recursive: whether to look in its subfolders too; links are followed.
  Returns: paths; those of hidden files, and of files in hidden folders, are left out.
  Raises: InputError if there is no such folder, no image in it, or a (sub)folder that cannot be read.
  """
  paths = [path for path in _files(folder, recursive) if opening.with_extension_of(path, IMAGE_EXTENSIONS)]
  if not paths:
    others = left_out(folder, recursive)
    raise InputError(f"{folder}: no images in it ({', '.join(IMAGE_EXTENSIONS)})" + (f"; {others}" if others else ""))
  return sorted(paths)


def _files(folder, recursive) -> Sequence[str]:
  """Returns the paths of all files, hidden ones ("._x.png" of macOS, ".DS_Store") and those in hidden folders apart."""
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  paths = []
  visited = set()
  for parent, subfolders, names in os.walk(folder, followlinks=True, onerror=_refuse_folder):
    real = os.path.realpath(parent)
    if real in visited:  # A link back up would go on for ever.
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
  """What an image file says of itself before its pixels.

  Attributes:
    height: of the upright image, pixels.
    width: of the upright image, pixels.
    mode: Pillow's name of the pixel format ("RGB", "L", "CMYK", "P", ...), with " 16-bit" after it where a
      channel has so many bits.
    is_turned: whether the EXIF orientation is another than upright.
  """

  height: int
  width: int
  mode: str
  is_turned: bool


def read_header(path: str, encoded: bytes | None = None) -> Header:
  """Reads an image's header; arguments and errors as `read_rgb`."""
  if encoded is not None:
    return _header(path, encoded)
  _check_is_file(path)
  try:
    return _header(path, None)
  except InputError:  # Of PNG and TIFF, damage that the pixels do not feel is mended in memory.
    return _header(path, read_bytes(path))


def _header(path, encoded) -> Header:
  with opening.opened(path, encoded) as source:
    image = source.image
    width, height = image.size
    orientation = opening.orientation(image)
    # Of TIFF, Pillow gives the upright size already.
    if orientation in opening.TURNED_BY_90_DEGREES and image.format != "TIFF":
      width, height = height, width
    mode = image.mode if image.mode not in opening.SIXTEEN_BIT_GRAY_MODES else "L"
    return Header(height, width, mode + (" 16-bit" if opening.is_deep(image) else ""), orientation in _TRANSPOSITIONS)


def read_bytes(path: str) -> bytes:
  """Returns a file's content; raises InputError if there is no such file, or it cannot be read."""
  _check_is_file(path)
  try:
    with open(path, "rb") as file:
      return file.read()
  except OSError as error:
    raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def read_rgb(path: str, encoded: bytes | None = None) -> np.ndarray:
  """Reads any image as 8-bit RGB, turned upright by its EXIF orientation.

  Gray is repeated, CMYK and palettes are converted, an alpha channel is left out (colours under it stay), of 16
  bits per channel the upper 8 are taken.

  Args:
    path: of the file.
    encoded: the file's content, if it was read elsewhere; `path` then only names it in errors.
  Returns: (H, W, 3) uint8.
  Raises: InputError if the file is missing, damaged, or has another pixel format (floats).
  """
  with opening.opened(path, read_bytes(path) if encoded is None else encoded) as source:
    image = _upright(source.image)
    if image.mode in opening.SIXTEEN_BIT_GRAY_MODES:
      levels = np.asarray(image)
      if levels.min() < 0 or levels.max() >= 2**16:
        raise InputError(f"{path}: more than 16 bits per channel; convert it to 8 bits")
      return np.repeat((levels >> 8).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    if image.mode in ("P", "PA"):
      image = image.convert("RGBA")  # A palette may hold transparency.
    return np.asarray(image.convert("RGB"))


def read_mask(path: str) -> np.ndarray:
  """Reads a mask file: white is hole.

  A pixel is hole where its gray value is at least 128, or not 0 if the brightest
  pixel is 1. A mask is binary at every size: it is never resized.
  Returns: (H, W) uint8, 1 = hole, 0 = known.
  Raises: InputError as `read_rgb`.
  """
  gray = np.asarray(Image.fromarray(read_rgb(path)).convert("L"))
  return (gray > 0 if gray.max() == 1 else gray >= 128).astype(np.uint8)


def create_folder(folder: str) -> str:
  """Creates a folder, if missing, in an existing one; raises InputError unless files can be put into it.

  Returns: the folder's name as a summary says it, with "(new folder)" if it was missing.
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
  """Creates the folder of a file as `create_folder`."""
  create_folder(os.path.dirname(path) or ".")


def check_writable_file(path: str) -> None:
  """Raises InputError unless an image could be written to `path` (folder, permission, extension).

  The folder may be missing in an existing one: `create_folder_of` makes it when there is something to write.
  """
  if os.path.splitext(path)[1].lower() not in _SAVE_OPTIONS:
    raise InputError(f"{path}: unknown image extension; use one of {', '.join(_SAVE_OPTIONS)}")
  check_creatable_folder(os.path.dirname(path) or ".")


def check_creatable_folder(folder: str) -> None:
  """Raises InputError unless files can be put into `folder`, or it is missing and can be created by `create_folder`."""
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
  """Writes (H, W, 3) uint8 under a temporary name, then renames it; the extension says the format.

  PNG, BMP, TIFF and WebP are lossless; JPEG has quality 95 without chroma subsampling.
  Raises: InputError if the file cannot be written.
  """
  _write(path, Image.fromarray(rgb))


def write_mask(path: str, mask: np.ndarray) -> None:
  """Writes an (H, W) mask, 1 = hole, as gray levels 255 and 0; raises as `write_rgb`."""
  _write(path, Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))))


def _write(path, image):
  extension = os.path.splitext(path)[1].lower()
  try:
    with atomic_write(path) as file:
      image.save(file, format=Image.registered_extensions()[extension], **_SAVE_OPTIONS[extension])
  except (OSError, ValueError) as error:  # ValueError: too large for the format.
    raise InputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _refuse_folder(error):
  raise InputError(f"{error.filename}: this folder cannot be read: {error.strerror}") from error


def _check_is_file(path):
  if os.path.isdir(path):
    raise InputError(f"{path}: a folder where a file is needed")
  if not os.path.isfile(path):
    raise InputError(f"{path}: no such file")


def _upright(image):
  """Decodes an image and applies its EXIF orientation (ImageOps would also rewrite, and stumble over, odd EXIF)."""
  image.load()  # Of TIFF, Pillow applies and forgets the orientation here.
  transposition = _TRANSPOSITIONS.get(opening.orientation(image))
  return image if transposition is None else image.transpose(transposition)

"""Where images come from: one interface, by index, so that a run can start anywhere.

Nothing decoded is kept. `open_source` opens any kind by its name.
"""

import abc
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import hashlib
import os
import sys
import unicodedata

from z2i_tf.datasets.pictures import DecodedPicture
from z2i_tf.datasets.pictures import Picture
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.system import input_files

# Levels of 255 that 16-bit images should reach; those that do not, 12-bit data in 16 bits, are black to the networks.
_LEAST_BRIGHTEST_LEVEL = 64
# So many images, spread over a data set, are looked at before it is given up: wrong crop size, or wrong folder.
_PROBED_IMAGES = 1000


class ImageSource(abc.ABC):
  """Images by index."""

  @abc.abstractmethod
  def __len__(self) -> int:
    """Number of images, usable or not."""

  @abc.abstractmethod
  def name(self, index: int) -> str:
    """What to call image `index` in messages: its path, if it is a file."""

  @abc.abstractmethod
  def content(self) -> str:
    """Returns a line that tells this data set from others, wherever it lies, without reading its images."""

  @abc.abstractmethod
  def open(self, index: int) -> Picture:
    """Returns image `index`, upright, as 8-bit RGB (see `image_files.read_rgb` for what is converted how).

    Raises: InputError naming the image if it is damaged.
    """

  @abc.abstractmethod
  def header(self, index: int, decode: bool = False) -> image_files.Header:
    """Returns what image `index` says of itself before its pixels; raises as `open`.

    Args:
      index: of the image.
      decode: whether to decode all pixels too, which tells whether they are damaged.
    """


class EncodedSource(ImageSource):
  """Images that are files, or the content of files."""

  @abc.abstractmethod
  def encoded(self, index: int) -> bytes:
    """Returns the content of file `index`; raises InputError if it cannot be read."""

  def open(self, index: int) -> Picture:
    return DecodedPicture(image_files.read_rgb(self.name(index), self.encoded(index)))

  def header(self, index: int, decode: bool = False) -> image_files.Header:
    name, encoded = self.name(index), self.encoded(index)
    if decode:
      image_files.read_rgb(name, encoded)
    return image_files.read_header(name, encoded)


class FolderSource(EncodedSource):
  """The images of a folder and its subfolders, or of a list of files."""

  def __init__(self, path: str):
    """Lists the files; `left_out` is a line on those that are no images, or "".

    Args:
      path: a folder of JPEG, PNG, WebP, BMP or TIFF files, searched recursively; or a text file with one path
        per line, seen from the list's own folder (empty lines and those that begin with # are left out).
    Raises: InputError if there is no such folder or list, or no image in it.
    """
    is_list = os.path.isfile(path)
    self._root = os.path.dirname(path) if is_list else path
    self.left_out = "" if is_list else image_files.left_out(path, recursive=True)
    self.paths: Sequence[str] = _read_list(path) if is_list else image_files.list_images(path, recursive=True)

  def __len__(self) -> int:
    return len(self.paths)

  def name(self, index: int) -> str:
    return self.paths[index]

  def content(self) -> str:
    """The number of files and a hash of their names below the folder (or that of the list)."""
    names = (os.path.relpath(path, self._root) for path in self.paths)
    return summary(len(self), (name.encode(errors="surrogateescape") for name in names))

  def encoded(self, index: int) -> bytes:
    return input_files.read_bytes(self.paths[index])

  def header(self, index: int, decode: bool = False) -> image_files.Header:
    if decode:
      return super().header(index, decode)
    return image_files.read_header(self.paths[index])  # Without reading all of the file.


def open_source(kind: str, data_dir: str | None, split: str | None, scale: int) -> ImageSource:
  """Opens a source.

  Args:
    kind: "folder", "tfrecord" (what `z2i prepare` wrote), or a TensorFlow Dataset: "places365_small" or "div2k".
    data_dir: the folder (or list of files), or where TensorFlow Datasets are kept; None is their own default.
    split: of a TensorFlow Dataset, such as "train" or "train[:90%]"; not looked at for other kinds.
    scale: zoom factor; there is a version of DIV2K for each.
  Raises: InputError if it is not there; for a TensorFlow Dataset with the command that prepares it.
  """
  # TensorFlow and its data sets are loaded only where they are asked for.
  if kind == "folder":
    return FolderSource(data_dir)
  if kind == "tfrecord":
    from z2i_tf.datasets.tiled_records import PreparedSource

    return PreparedSource(data_dir)
  from z2i_tf.datasets.tfds_source import TfdsSource

  return TfdsSource(kind, data_dir, split, scale)


def check_size(name: str, shape: Sequence[int], side: int) -> None:
  """Raises InputError if an image of (height, width) = `shape` has no crop of `side` x `side` pixels."""
  if min(shape) < side:
    raise InputError(
      f"{name}: {shape[0]}x{shape[1]} pixels, smaller than the crop of {side}x{side}; leave it out, "
      "or take smaller crops (--crop_size)"
    )


def unused_range(source: ImageSource, index: int, header: image_files.Header) -> str:
  """Returns a warning if a 16-bit image uses a small part of its range, of which training sees the upper 8 bits; or "".

  Raises: InputError naming the image if it is damaged.
  """
  if not header.mode.endswith("16-bit"):
    return ""
  brightest = int(source.open(index).crop(0, 0, header.height, header.width).max())
  if brightest >= _LEAST_BRIGHTEST_LEVEL:
    return ""
  return (
    f"{source.name(index)}: 16 bits, but no level beyond {256 * brightest + 255} of 65535: training sees "
    f"{brightest + 1} of 256 levels, almost black; scale such images to the full range first"
  )


def check_source(source: ImageSource, side: int) -> None:
  """Raises InputError unless there is a usable image: one that can be decoded, with a crop of `side` x `side` pixels.

  Of a large data set, a thousand images spread over it are looked at until one is usable. If that one uses a small part
  of its range, stderr gets a warning.
  """
  indices = range(0, len(source), -(-len(source) // _PROBED_IMAGES))
  unusable = None
  for index in indices:
    try:
      header = source.header(index)
      check_size(source.name(index), (header.height, header.width), side)
      source.header(index, decode=True)
      warning = unused_range(source, index, header)
      if warning:
        print(f"warning: {warning}", file=sys.stderr)
      return
    except InputError as error:
      unusable = unusable or error
  raise InputError(f"none of {len(indices)} images is usable (z2i check-data says more); the first: {unusable}")


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
  """Turns whatever reading a record raises into an InputError that names the image.

  Protocol buffers and ArrayRecord have errors of their own, without a common, public class.
  """
  try:
    yield
  except InputError as error:
    raise InputError(f"{name}: {error}") from error
  except Exception as error:
    raise InputError(f"{name}: damaged: {error}") from error


def summary(count: int, parts: Iterable[bytes]) -> str:
  """Returns an `ImageSource.content`: the number of images and a hash of what tells them from others."""
  digest = hashlib.sha256()
  for part in parts:
    digest.update(part + b"\n")
  return f"{count} images, {digest.hexdigest()[:16]}"


def _read_list(path):
  try:
    with open(path, encoding="utf-8-sig") as file:
      lines = [line.strip() for line in file]
  except (OSError, UnicodeDecodeError) as error:
    raise InputError(f"{path}: not a list of files that can be read: {error}") from error
  paths = [
    _in_either_spelling(os.path.join(os.path.dirname(path), line))
    for line in lines
    if line and not line.startswith("#")
  ]
  if not paths:
    raise InputError(f"{path}: no files in this list")
  return paths


def _in_either_spelling(path):
  """Returns a path as it is, or, if only that exists, with its letters composed or decomposed (as macOS does)."""
  others = (unicodedata.normalize(form, path) for form in ("NFC", "NFD"))
  return path if os.path.exists(path) else next(filter(os.path.exists, others), path)

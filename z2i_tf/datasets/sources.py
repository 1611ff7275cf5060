"""Interface of image sources: access by index, so that a run can start at any example. Keeps nothing decoded."""

import abc
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import hashlib
import sys
import threading

from z2i_tf.datasets.pictures import DecodedPicture
from z2i_tf.datasets.pictures import Picture
from z2i_tf.errors import InputError
from z2i_tf.images import image_files

# Of 255: a 16-bit image whose brightest level is lower holds data of at most 14 bits, which look dark to the networks.
_MIN_BRIGHTEST_LEVEL = 64
# Maximum number of images probed before giving up.
_MAX_PROBED = 1000
# Maximum number of unusable images reported by name.
_MAX_NAMED = 20


class ImageSource(abc.ABC):
  """Images by index."""

  @abc.abstractmethod
  def __len__(self) -> int:
    """Returns the number of images, usable or not."""

  @abc.abstractmethod
  def name(self, index: int) -> str:
    """Returns the name of image `index` for messages: its path if it is a file."""

  @abc.abstractmethod
  def fingerprint(self) -> str:
    """Returns a one-line fingerprint of the data set, independent of its path; reads no image."""

  @abc.abstractmethod
  def open(self, index: int) -> Picture:
    """Returns image `index`, upright, as 8-bit RGB (`image_files.read_rgb` documents the conversions).

    Raises: InputError naming the image if it is damaged.
    """

  @abc.abstractmethod
  def header(self, index: int, decode: bool = False) -> image_files.Header:
    """Returns the header of image `index`: size, pixel format, orientation.

    Args:
      index: of the image.
      decode: whether to decode all pixels too, which finds damaged files.
    Raises: InputError naming the image if it is damaged.
    """


class EncodedSource(ImageSource):
  """Images that are encoded files, on disk or in records."""

  @abc.abstractmethod
  def encoded(self, index: int) -> bytes:
    """Returns the bytes of file `index`; raises InputError if it cannot be read."""

  def open(self, index: int) -> Picture:
    return DecodedPicture(image_files.read_rgb(self.name(index), self.encoded(index)))

  def header(self, index: int, decode: bool = False) -> image_files.Header:
    name, encoded = self.name(index), self.encoded(index)
    if decode:
      image_files.read_rgb(name, encoded)
    return image_files.read_header(name, encoded)


def to_stderr(text: str) -> None:
  """Prints a line to stderr."""
  print(text, file=sys.stderr)


class BadImages:
  """Skips and counts unusable images, or raises the error of the first. Safe to share between threads."""

  def __init__(self, fail: bool = False, say: Callable[[str], None] = to_stderr):
    """Creates a count of zero.

    Args:
      fail: whether to raise instead of skip.
      say: receives one line for each skipped image, up to a limit.
    """
    self._fail, self._say = fail, say
    self._names: set[str] = set()
    self._lock = threading.Lock()

  def report(self, name: str, error: InputError) -> None:
    """Counts an unusable image and reports it once; raises its error instead if `fail` was set."""
    if self._fail:
      raise error
    with self._lock:
      if name in self._names:
        return
      self._names.add(name)
      if len(self._names) <= _MAX_NAMED:
        self._say(f"skipped: {error}")
      if len(self._names) == _MAX_NAMED:
        self._say("further unusable images are skipped and counted without a line; z2i check-data --verbose names all")

  @property
  def count(self) -> int:
    """Number of different images skipped so far."""
    return len(self._names)


def check_size(name: str, shape: Sequence[int], side: int) -> None:
  """Raises InputError if an image of (height, width) = `shape` has no crop of `side` x `side` pixels."""
  if min(shape) < side:
    raise InputError(
      f"{name}: {shape[0]}x{shape[1]} pixels, smaller than the crop of {side}x{side}; leave it out, "
      "or take smaller crops (`crop_size`)"
    )


def unused_range(source: ImageSource, index: int, header: image_files.Header) -> str:
  """Returns a warning if a 16-bit image uses a small part of its range; "" otherwise.

  Training reads the upper 8 bits of each level, so such an image looks black to the networks.

  Args:
    source: of the image.
    index: of the image.
    header: of the image.
  Raises: InputError naming the image if it is damaged.
  """
  if not header.mode.endswith("16-bit"):
    return ""
  brightest = int(source.open(index).crop(0, 0, header.height, header.width).max())
  if brightest >= _MIN_BRIGHTEST_LEVEL:
    return ""
  return (
    f"{source.name(index)}: 16 bits, but no level beyond {256 * brightest + 255} of 65535: training sees "
    f"{brightest + 1} of 256 levels, almost black; scale such images to the full range first"
  )


def check_source(source: ImageSource, side: int, say: Callable[[str], None] = to_stderr) -> None:
  """Checks that an image can be decoded and has a crop of `side` x `side` pixels.

  Probes images spread evenly over the data set until one is usable.

  Args:
    source: of the images.
    side: of the crop, pixels.
    say: receives a warning if the usable image uses a small part of its 16-bit range.
  Raises: InputError if no image is usable.
  """
  indices = range(0, len(source), -(-len(source) // _MAX_PROBED))
  unusable = None
  for index in indices:
    try:
      header = source.header(index)
      check_size(source.name(index), (header.height, header.width), side)
      source.header(index, decode=True)
      warning = unused_range(source, index, header)
      if warning:
        say(f"warning: {warning}")
      return
    except InputError as error:
      unusable = unusable or error
  raise InputError(f"none of {len(indices)} images is usable (z2i check-data says more); the first: {unusable}")


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
  """Turns any exception raised while a record is read, except MemoryError, into an InputError that names the image.

  Protocol buffers and ArrayRecord raise errors of their own, which share no public class.
  """
  try:
    yield
  except InputError as error:
    raise InputError(f"{name}: {error}") from error
  except MemoryError:
    raise
  except Exception as error:
    raise InputError(f"{name}: damaged: {error}") from error


def fingerprint(count: int, parts: Iterable[bytes]) -> str:
  """Returns an `ImageSource.fingerprint`: the number of images and a hash of the parts that identify them."""
  digest = hashlib.sha256()
  for part in parts:
    digest.update(part + b"\n")
  return f"{count} images, {digest.hexdigest()[:16]}"

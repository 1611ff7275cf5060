"""Lets functions that read and write local files work on every file system that Beam knows (gs://, s3://, hdfs://)."""

from collections.abc import Iterator
import contextlib
import glob
import os
import tempfile
from typing import NamedTuple
import uuid

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images.formats import codecs

_BLOCK_BYTES = 2**20
_MIME_TYPE = "application/octet-stream"
_WILDCARDS = "*?["
# File systems where a file appears only when it is closed, complete.
_OBJECT_STORES = ("gs://", "s3://", "azfs://")


class Listing(NamedTuple):
  """Files to list.

  Attributes:
    pattern: of their paths, as Beam matches it; a local one is absolute.
    folder: the fixed part of the pattern, with a slash at its end.
  """

  pattern: str
  folder: str


def is_local(path: str) -> bool:
  """Returns whether a path has no scheme (gs://)."""
  return "://" not in path


def absolute(path: str) -> str:
  """Returns a path that means the same in every working folder."""
  return os.path.abspath(path) if is_local(path) else path


def has_wildcards(path: str) -> bool:
  """Returns whether a path has wildcards."""
  return any(wildcard in path for wildcard in _WILDCARDS)


def listing(text: str) -> Listing:
  """Returns the listing of a file, of all files of a folder, or of a pattern.

  The part of a local path that exists is no pattern, even if it contains wildcards.
  """
  if not is_local(text):
    if has_wildcards(text):
      first = min(text.find(wildcard) for wildcard in _WILDCARDS if wildcard in text)
      return Listing(text, text[: text.rfind("/", 0, first) + 1])
    folder = text[: text.rfind("/") + 1] if is_file(text) else text.rstrip("/") + "/"
    return Listing(text if is_file(text) else folder + "*", folder)
  path = os.path.abspath(text)
  if os.path.isfile(path):
    return Listing(glob.escape(path), os.path.dirname(path).rstrip("/") + "/")
  folder = path
  while not os.path.isdir(folder):
    folder = os.path.dirname(folder)
  below = path[len(folder) :].lstrip("/")
  if not has_wildcards(below):
    below = os.path.join(below, "*")
  folder = folder.rstrip("/") + "/"
  return Listing(glob.escape(folder) + below, folder)


def are_same(path: str, other: str) -> bool:
  """Returns whether two paths are the same file or folder."""
  if is_local(path) and is_local(other):
    return os.path.realpath(path) == os.path.realpath(other)
  return path.rstrip("/") == other.rstrip("/")


def is_below(path: str, folder: str) -> bool:
  """Returns whether a path is a folder, or lies below it."""
  if is_local(path) and is_local(folder):
    path, folder = os.path.realpath(path), os.path.realpath(folder)
  return f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")


def is_file(path: str) -> bool:
  """Returns whether a path is a local file, or a remote image file."""
  if is_local(path):
    return os.path.isfile(path)
  is_image = codecs.extension_of(path) in image_files.IMAGE_EXTENSIONS  # On some file systems folders exist too.
  return is_image and not has_wildcards(path) and FileSystems.exists(path)


@contextlib.contextmanager
def naming(name: str, path: str) -> Iterator[None]:
  """Turns any error of Beam, of its file systems and of their packages into an InputError that names the argument."""
  try:
    yield
  except InputError:
    raise
  except Exception as error:
    raise InputError(f"`{name}`={path}: {' '.join(str(error).split())}") from error


def check_matches(path: str, name: str) -> None:
  """Raises InputError naming the argument if its listing has no file, or Beam lacks the file system."""
  with naming(name, path):
    (match,) = FileSystems.match([listing(path).pattern], limits=[1])
  if not match.metadata_list:
    raise InputError(f"`{name}`={path}: no such file")


def remove(path: str) -> None:
  """Removes a file, if it exists; a remote path must have no wildcards."""
  if is_local(path):
    with contextlib.suppress(FileNotFoundError):
      os.unlink(path)
  elif FileSystems.exists(path):
    FileSystems.delete([path])


def create_folder(folder: str) -> None:
  """Creates a folder if it is missing; raises InputError if files cannot be written into a local one."""
  if is_local(folder):
    image_files.create_folder(folder)


@contextlib.contextmanager
def local_copies(*paths: str) -> Iterator[list[str]]:
  """Yields a local path for each path: itself, or a copy of the same name that lasts as long as the block.

  An InputError in the block names the given paths. Equal paths have one copy.
  """
  with contextlib.ExitStack() as stack:
    local = {path: path if is_local(path) else _downloaded(path, stack) for path in paths}
    try:
      yield [local[path] for path in paths]
    except InputError as error:
      message = str(error)
      for path, copy in local.items():
        message = message.replace(copy, path)
      raise InputError(message) from error


@contextlib.contextmanager
def local_output(path: str) -> Iterator[str]:
  """Yields a local path to write atomically: `path`, or a temporary one that the end of the block copies to `path`.

  Creates the folder of a local path. A killed process leaves no part of a file at `path`. Remote file systems other
  than object stores (hdfs://) are weaker: a killed process may leave a hidden temporary file and remove the former
  file, and if two processes write `path` at once, one may fail.
  """
  if is_local(path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    yield path
    return
  folder, _, name = path.rpartition("/")
  with tempfile.TemporaryDirectory() as temporary:
    local = os.path.join(temporary, name)
    yield local
    if path.startswith(_OBJECT_STORES):
      _upload(local, path)
      return
    partial = f"{folder}/.{uuid.uuid4().hex}.tmp"
    _upload(local, partial)
    if FileSystems.exists(path):  # Some file systems do not rename over it.
      FileSystems.delete([path])
    FileSystems.rename([partial], [path])


def _upload(local, path):
  with open(local, "rb") as source, FileSystems.create(path, _MIME_TYPE, CompressionTypes.UNCOMPRESSED) as target:
    while block := source.read(_BLOCK_BYTES):
      target.write(block)


def _downloaded(path, stack):
  local = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), path.rpartition("/")[2])
  with FileSystems.open(path, _MIME_TYPE, CompressionTypes.UNCOMPRESSED) as source, open(local, "wb") as target:
    while block := source.read(_BLOCK_BYTES):
      target.write(block)
  return local

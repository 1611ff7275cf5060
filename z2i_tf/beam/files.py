"""Lets functions that read and write local files work on every file system that Beam knows (gs://, s3://, hdfs://)."""

from collections.abc import Iterator
import contextlib
import os
import tempfile
import uuid

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from z2i_tf.errors import InputError
from z2i_tf.images import image_files

_BLOCK_BYTES = 2**20
_MIME_TYPE = "application/octet-stream"
# What begins the variable part of a pattern.
_WILDCARDS = "*?["


def is_local(path: str) -> bool:
  """Returns whether a path is one of this machine's file system."""
  return "://" not in path


def pattern_of(text: str) -> str:
  """Returns a pattern for a pattern or a folder: all files of the folder."""
  if any(sign in text for sign in _WILDCARDS):
    return text
  return text.rstrip("/") + "/*"


def fixed_folder(pattern: str) -> str:
  """Returns the folder of a pattern up to its first wildcard, with a slash at its end; "" if there is none."""
  first = min(pattern.find(sign) for sign in _WILDCARDS if sign in pattern)
  return pattern[: pattern.rfind("/", 0, first) + 1]


def are_same(folder: str, other: str) -> bool:
  """Returns whether two paths are the same folder; "" is the current one."""
  if is_local(folder) and is_local(other):
    return os.path.realpath(folder) == os.path.realpath(other)
  return folder.rstrip("/") == other.rstrip("/")


def is_file(path: str) -> bool:
  """Returns whether a path, without wildcards, is a file."""
  if is_local(path):
    return os.path.isfile(path)
  return not any(sign in path for sign in _WILDCARDS) and FileSystems.exists(path)


def check_matches(pattern: str, name: str) -> None:
  """Raises InputError naming the argument if no file matches its pattern, or Beam lacks the file system."""
  try:
    (match,) = FileSystems.match([pattern], limits=[1])
  except Exception as error:  # Of Beam, of its file systems, and of their packages.
    raise InputError(f"`{name}`={pattern}: {' '.join(str(error).split())}") from error
  if not match.metadata_list:
    raise InputError(f"`{name}`={pattern}: no such file")


def remove(pattern: str) -> None:
  """Removes the files that match a pattern, if there are any."""
  (match,) = FileSystems.match([pattern])
  if match.metadata_list:
    FileSystems.delete([metadata.path for metadata in match.metadata_list])


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

  Creates the folder of a local path. A killed process leaves no part of a file at `path`.
  """
  if is_local(path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    yield path
    return
  folder, _, name = path.rpartition("/")
  with tempfile.TemporaryDirectory() as temporary:
    local = os.path.join(temporary, name)
    yield local
    partial = f"{folder}/.{uuid.uuid4().hex}.tmp"
    with open(local, "rb") as source, FileSystems.create(partial, _MIME_TYPE, CompressionTypes.UNCOMPRESSED) as target:
      while block := source.read(_BLOCK_BYTES):
        target.write(block)
    if FileSystems.exists(path):  # Some file systems do not rename over it.
      FileSystems.delete([path])
    FileSystems.rename([partial], [path])


def _downloaded(path, stack):
  local = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), path.rpartition("/")[2])
  with FileSystems.open(path, _MIME_TYPE, CompressionTypes.UNCOMPRESSED) as source, open(local, "wb") as target:
    while block := source.read(_BLOCK_BYTES):
      target.write(block)
  return local

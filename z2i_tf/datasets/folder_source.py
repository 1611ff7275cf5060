"""Images of a folder and its subfolders, or of a list of files."""

from collections.abc import Sequence
import os
import unicodedata

from z2i_tf.datasets import sources
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.system import input_files


class FolderSource(sources.EncodedSource):
  """Image files: all in a folder and its subfolders, or all in a list.

  Attributes:
    paths: of the files.
    left_out: one line about files that are not images, or "".
  """

  def __init__(self, path: str):
    """Lists the files.

    Args:
      path: a folder, searched recursively; or a text file with one path per line, relative to the folder of the text
        file. Empty lines and lines that begin with # are ignored.
    Raises: InputError if the folder or list is missing, or has no image.
    """
    is_list = os.path.isfile(path)
    self._root = os.path.dirname(path) if is_list else path
    self.left_out = "" if is_list else image_files.left_out(path, recursive=True)
    self.paths: Sequence[str] = _read_list(path) if is_list else image_files.list_images(path, recursive=True)

  def __len__(self) -> int:
    return len(self.paths)

  def name(self, index: int) -> str:
    return self.paths[index]

  def fingerprint(self) -> str:
    """Returns the number of files and a hash of their paths relative to the folder (or to that of the list)."""
    names = (os.path.relpath(path, self._root) for path in self.paths)
    return sources.fingerprint(len(self), (name.encode(errors="surrogateescape") for name in names))

  def encoded(self, index: int) -> bytes:
    return input_files.read_bytes(self.paths[index])

  def header(self, index: int, decode: bool = False) -> image_files.Header:
    if decode:
      return super().header(index, decode)
    return image_files.read_header(self.paths[index])  # Reads the beginning of the file only.


def _read_list(path):
  try:
    with open(path, encoding="utf-8-sig") as file:
      lines = [line.strip() for line in file]
  except (OSError, UnicodeDecodeError) as error:
    raise InputError(f"{path}: cannot be read as a list of files: {error}") from error
  paths = [
    _in_either_spelling(os.path.join(os.path.dirname(path), line))
    for line in lines
    if line and not line.startswith("#")
  ]
  if not paths:
    raise InputError(f"{path}: no files in this list")
  return paths


def _in_either_spelling(path):
  """Returns the path, or its NFC or NFD form if only that exists: macOS may have decomposed the letters."""
  others = (unicodedata.normalize(form, path) for form in ("NFC", "NFD"))
  return path if os.path.exists(path) else next(filter(os.path.exists, others), path)

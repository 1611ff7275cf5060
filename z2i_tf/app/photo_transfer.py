"""Reads uploaded photographs and masks, and writes results, with the readers and writers of `z2i inpaint`."""

from collections.abc import Iterator
import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
import threading
from typing import BinaryIO

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.images.mask_files import MaskReading
from z2i_tf.system import input_files

_MAX_NAME_BYTES = 100
_DEFAULT_NAME = "photograph"


@dataclasses.dataclass(frozen=True, eq=False)
class PhotoFile:
  """An uploaded photograph.

  Attributes:
    name: file name without extension.
    extension: extension of the result, with its dot.
    photo: content of the file.
  """

  name: str
  extension: str
  photo: photo_files.Photo


def stack_channels(photo: photo_files.Photo) -> np.ndarray:
  """Returns a copy of a photograph's pixels, (H, W, 3), or (H, W, 4) with its alpha."""
  return np.array(photo.rgb) if photo.alpha is None else np.dstack([photo.rgb, photo.alpha])


def with_pixels(photo: photo_files.Photo, pixels: np.ndarray) -> photo_files.Photo:
  """Returns the photograph with other pixels, copied; they have the form that `stack_channels` returns."""
  return dataclasses.replace(
    photo, rgb=pixels[..., :3].copy(), alpha=None if photo.alpha is None else pixels[..., 3].copy()
  )


class PhotoFiles:
  """Reads and writes files one at a time, since decoding takes several times a picture's memory."""

  def __init__(self, max_pixels: int | None):
    """Creates a temporary folder. A photograph or mask has at most `max_pixels` pixels; None = Pillow's limit."""
    self._max_pixels = max_pixels
    self._folder = tempfile.mkdtemp(prefix="z2i_app_")
    self._turn = threading.Lock()

  def close(self) -> None:
    """Removes the temporary folder."""
    shutil.rmtree(self._folder, ignore_errors=True)

  def read_photo(self, stream: BinaryIO, name: str) -> PhotoFile:
    """Reads a photograph from a stream whose file is called `name`; raises InputError if it cannot be read."""
    with self._received(stream, name) as path:
      photo = photo_files.read_photo(path, self._max_pixels)
    stem, own = os.path.splitext(os.path.basename(path))[0], photo_files.own_extension(path, photo)
    if own == ".png" and photo.format != "PNG":
      photo = dataclasses.replace(
        photo, remarks=(*photo.remarks, f"{photo.format} cannot be written: comes back as PNG")
      )
    return PhotoFile(stem, own, photo)

  def read_mask(
    self, stream: BinaryIO, name: str, photo: photo_files.Photo, reading: MaskReading = MaskReading()
  ) -> tuple[np.ndarray, str]:
    """Reads a mask and turns it as the photograph is turned.

    Returns: (H, W) uint8, 1 = hole; and a text for the user that says how the mask was read.
    Raises: InputError if it is not a mask, or its size differs from the photograph's.
    """
    with self._received(stream, name) as path:
      mask, text = mask_files.read_mask(path, reading, self._max_pixels)
      return mask_files.match_to_photo(mask, photo), text

  def write_photo(self, photo: photo_files.Photo, extension: str) -> tuple[bytes, str]:
    """Returns the file that `photo_files.write_photo` writes, and its remarks; raises InputError if it cannot."""
    with self._turn, tempfile.TemporaryDirectory(dir=self._folder) as folder:
      path = os.path.join(folder, f"result{extension}")
      with _without_folder(folder):
        remarks = photo_files.write_photo(path, photo)
      return input_files.read_bytes(path), remarks

  @contextlib.contextmanager
  def _received(self, stream: BinaryIO, name: str) -> Iterator[str]:
    """Saves an upload as a temporary file and yields its path; errors in the block name the file without folder."""
    with tempfile.TemporaryDirectory(dir=self._folder) as folder, _without_folder(folder):
      path = os.path.join(folder, _safe_name(name))
      with open(path, "wb") as file:
        shutil.copyfileobj(stream, file)
      with self._turn:
        yield path


@contextlib.contextmanager
def _without_folder(folder):
  try:
    yield
  except InputError as error:
    raise InputError(str(error).replace(folder + os.sep, "")) from error


def _safe_name(name: str) -> str:
  """Returns a file name without folders, control characters and characters that file systems refuse."""
  name = re.sub(r"[^\w .()+,=@#&-]", "_", re.split(r"[/\\]", name)[-1]).strip(" .")
  stem, extension = os.path.splitext(name)
  stem = stem.encode("utf-8", "ignore")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
  return (stem or _DEFAULT_NAME) + extension[:8]

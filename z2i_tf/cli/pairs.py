"""Images and their masks as files: read, checked, paired by name."""

import os
import sys
from typing import Sequence, Tuple

import numpy as np

from z2i_tf import image_io
from z2i_tf import mask_io
from z2i_tf import photo_io
from z2i_tf.cli.flag_groups import MaskReading
from z2i_tf.errors import InputError
from z2i_tf.inference.checks import check_hole


def stem(path: str) -> str:
  """Returns a file's name without folder and extension."""
  return os.path.splitext(os.path.basename(path))[0]


def read_pair(image_path: str, mask_path: str,
              mask_options: MaskReading = MaskReading()) -> Tuple[photo_io.Photo, np.ndarray, str]:
  """Reads an image and its mask.

  Returns: the image; its mask as (H, W) uint8, 1 = hole, not yet dilated; what the mask was read as, for the user.
  Raises: InputError naming the files.
  """
  photo = photo_io.read_photo(image_path, mask_options.max_pixels)
  mask, text = mask_io.read_mask(mask_path, mask_options.invert, mask_options.mask_from, mask_options.max_pixels)
  try:
    mask = mask_io.match_to_photo(mask, photo)
    check_hole(mask)
  except InputError as error:
    raise InputError(f"{image_path} with {mask_path}: {error}") from error
  return photo, mask, text


class FolderPairs:
  """The images of a folder, each with the one mask of its name in another."""

  def __init__(self, image_dir: str, mask_dir: str, output_dir: str):
    """Lists both folders.

    Raises: InputError if one has no images, or the results would overwrite images or masks.
    """
    self.images = image_io.list_images(image_dir)
    self._mask_dir = mask_dir
    self._images_called, self._masks_called = map(_by_stem, (self.images, image_io.list_images(mask_dir)))
    for folder in (image_dir, mask_dir):
      if os.path.realpath(folder) == os.path.realpath(output_dir):
        raise InputError(f"--output_dir={output_dir}: the results would overwrite what is there; give a folder "
                         "of their own")

  def read(self, image_path: str, mask_options: MaskReading = MaskReading()) -> Tuple[photo_io.Photo, np.ndarray, str]:
    """Reads one of `images` and its mask as `read_pair`; raises InputError naming what is wrong."""
    name = stem(image_path)
    if len(self._images_called[name]) > 1:
      raise InputError(f"{image_path}: several images are called {name}; their results would overwrite each "
                       "other")
    matches = self._masks_called.get(name, [])
    if len(matches) != 1:
      raise InputError(f"{image_path}: {len(matches) or 'no'} masks called {name} in {self._mask_dir}; one is "
                       "needed")
    return read_pair(image_path, matches[0], mask_options)


def _by_stem(paths):
  """Returns stem -> the paths with it."""
  grouped = {}
  for path in paths:
    grouped.setdefault(stem(path), []).append(path)
  return grouped


def report(failures: Sequence[str], count: int) -> bool:
  """Prints what failed in a folder of `count` images; returns whether anything did."""
  for failure in failures:
    print(f"failed: {failure}", file=sys.stderr)
  print(f"{count - len(failures)} of {count} images inpainted")
  return bool(failures)

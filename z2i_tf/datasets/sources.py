"""Where training images come from."""

import concurrent.futures
from typing import Sequence

import numpy as np

from z2i_tf import image_io
from z2i_tf.errors import InputError


class FolderSource:
  """The images of a folder and its subfolders, by index.

  Calling `image(i)` decodes file i anew: nothing is kept in memory.
  """

  def __init__(self, folder: str, min_side: int):
    """Lists the files and reads their headers.

    Args:
      folder: of JPEG, PNG, WebP, BMP or TIFF files, searched recursively.
      min_side: least height and width in pixels that an image must have.
    Raises: InputError if there is no such folder, no image in it, or one that is damaged or too small.
    """
    self.paths: Sequence[str] = image_io.list_images(folder, recursive=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
      for path, size in zip(self.paths, pool.map(image_io.read_size, self.paths)):
        if min(size) < min_side:
          raise InputError(f"{path}: {size[0]}x{size[1]} pixels, smaller than the crop of "
                           f"{min_side}x{min_side}; remove it, or take smaller crops (--crop_size)")

  def __len__(self) -> int:
    return len(self.paths)

  def image(self, index: int) -> np.ndarray:
    """Returns image `index` as (H, W, 3) uint8; raises InputError if the file is damaged."""
    return image_io.read_rgb(self.paths[index])


# Kinds of sources by the name that --source knows them by.
SOURCES = {"folder": FolderSource}

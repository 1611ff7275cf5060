"""Masks of one's own for training."""

import collections.abc

import numpy as np

from z2i_tf import image_io
from z2i_tf.datasets.parallel import map_in_order
from z2i_tf.errors import InputError


class MaskFiles(collections.abc.Sequence):
  """The masks of a folder and its subfolders; each is read, and made binary, when asked for."""

  def __init__(self, folder: str):
    """Lists the files and reads every one of them once.

    Raises: InputError if there is none, or one is damaged, or has no hole, or no known pixel.
    """
    self._paths = image_io.list_images(folder, recursive=True)
    for path, mask in zip(self._paths, map_in_order(image_io.read_mask, self._paths)):
      if mask.all() or not mask.any():
        raise InputError(f"{path}: {'all' if mask.any() else 'none'} of this mask is hole; remove it")

  def __len__(self) -> int:
    return len(self._paths)

  def __getitem__(self, index: int) -> np.ndarray:
    """Returns mask `index`, (H, W) uint8, 1 = hole."""
    return image_io.read_mask(self._paths[index])

"""The user's own masks for training."""

import collections.abc
import hashlib

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.masks.drawing import cover
from z2i_tf.system.parallel import map_in_order

# Longer masks, scaled to cover a square crop, would lie mostly outside of it.
_MAX_ASPECT_RATIO = 16


class TrainingMasks(collections.abc.Sequence[np.ndarray]):
  """Masks of a folder and its subfolders, read once, scaled to cover a square, and kept as bits."""

  def __init__(self, folder: str, side: int):
    """Reads every file.

    Args:
      folder: of images of any format, white = hole.
      side: of the square that each mask must cover, pixels.
    Raises: InputError if there is no mask, or if one is damaged, too elongated, or at this size has no hole or no
      known pixel.
    """
    paths = image_files.list_images(folder, recursive=True)
    self._packed = list(map_in_order(lambda path: _read_packed(path, side), paths))

  def __len__(self) -> int:
    return len(self._packed)

  def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]  # Takes no slices.
    """Returns mask `index`, (H, W) uint8, 1 = hole."""
    bits, (height, width) = self._packed[index]
    return np.unpackbits(bits, count=height * width).reshape(height, width)

  def fingerprint(self) -> str:
    """Returns a one-line fingerprint: the number of masks and a hash of their pixels."""
    pixels = hashlib.sha256(b"".join(bits.tobytes() for bits, _ in self._packed))
    return f"{len(self)} masks, pixels {pixels.hexdigest()[:16]}"


def _read_packed(path, side):
  mask = mask_files.read_binary_mask(path)
  if max(mask.shape) > _MAX_ASPECT_RATIO * min(mask.shape):
    raise InputError(
      f"{path}: {mask.shape[0]}x{mask.shape[1]} pixels, one side more than {_MAX_ASPECT_RATIO} times "
      "the other; cut or remove it"
    )
  mask = cover(mask, side, side)
  if mask.all() or not mask.any():
    raise InputError(f"{path}: {'all' if mask.any() else 'none'} of this mask is hole; remove it")
  return np.packbits(mask), mask.shape

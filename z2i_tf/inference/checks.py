"""What an image and its mask must be before anything heavy starts. Needs NumPy only."""

import numpy as np

from z2i_tf.errors import InputError


def check_pair(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Checks an image and its mask.

  Args:
    image: (H, W, 3) uint8 or uint16.
    mask: (H, W) or (H, W, 1); bool, or two values of which 0 is known and the other hole.
  Returns: the mask as (H, W) bool, True = hole.
  Raises: InputError if shapes or types are others, or the mask has no hole or no known pixel.
  """
  image, mask = np.asarray(image), np.asarray(mask)
  if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16) or not image.size:
    raise InputError(f"the image must be (H, W, 3) uint8 or uint16, not {image.shape} {image.dtype}")
  if mask.ndim == 3 and mask.shape[2] == 1:
    mask = mask[..., 0]
  if mask.shape != image.shape[:2]:
    raise InputError(
      f"image ({image.shape[0]}x{image.shape[1]}) and mask "
      f"({'x'.join(map(str, mask.shape))}) differ in size (height x width); they must be equal"
    )
  if mask.dtype != bool and not np.isin(mask, (0, mask.max())).all():
    raise InputError("the mask must have two values, 0 (known) and one other (hole)")
  return check_hole(mask)


def check_hole(mask: np.ndarray) -> np.ndarray:
  """Returns a mask (H, W), 0 = known, as bool; raises InputError if it has no hole or no known pixel."""
  hole = mask if mask.dtype == bool else mask != 0
  if not hole.any():
    raise InputError("the mask is empty: there is nothing to fill; mark the hole in white")
  if hole.all():
    raise InputError("the mask covers everything: no known pixel to fill from")
  return hole

"""Draws one mask of any kind from an explicit generator."""

import cv2
import numpy as np

from z2i_tf.masks.blobs import draw_blobs
from z2i_tf.masks.specs import BlobSpec
from z2i_tf.masks.specs import MaskSpec
from z2i_tf.masks.specs import OwnMasks
from z2i_tf.masks.specs import RectangleSpec
from z2i_tf.masks.specs import StrokeSpec
from z2i_tf.masks.strokes import draw_strokes

# Maximum number of draws until a mask has both a hole and a known pixel.
_MAX_DRAWS = 1000


def draw_mask(
  spec: MaskSpec, height: int, width: int, rng: np.random.Generator, reference_size: int | None = None
) -> np.ndarray:
  """Draws one mask; a mask without a known pixel is drawn again.

  A rectangle has uniform sides and a uniform place. One of the user's own masks is taken at random, scaled as by
  `cover`, and cropped at random; a crop without a hole is drawn again.

  Args:
    spec: the kind of mask.
    height: of the mask, pixels.
    width: of the mask, pixels.
    rng: the only source of randomness.
    reference_size: if given, draws a square mask of this side, pixels, and returns a random crop of it, so that
      a small crop shows part of a mask as at test time. A crop without a hole is drawn again too: there is
      nothing to learn from it. (Our own option.)
  Returns: (height, width) uint8, 1 = hole, 0 = known.
  Raises: ValueError if a side exceeds `reference_size`, or 1,000 draws gave no usable mask (images of a
    few pixels; masks that are all hole).
  """
  if reference_size is not None and max(height, width) > reference_size:
    raise ValueError(f"A mask drawn at {reference_size} pixels has no crop of {height}x{width}.")
  draw = _DRAWERS[type(spec)]
  for _ in range(_MAX_DRAWS):
    if reference_size is None:
      mask = draw(spec, height, width, rng)
    else:
      mask = _random_crop(draw(spec, reference_size, reference_size, rng), height, width, rng)
    if mask.any() and not mask.all():
      return mask
  raise ValueError(f"No usable mask of {height}x{width} pixels in {_MAX_DRAWS} draws.")


def cover(mask: np.ndarray, height: int, width: int) -> np.ndarray:
  """Scales a mask until it just covers `height` x `width` pixels, by nearest neighbour, so that it stays binary.

  Args:
    mask: (H, W) uint8, 1 = hole.
    height: to cover, pixels.
    width: to cover, pixels.
  Returns: (H', W') uint8 of the same proportions, H' >= height and W' >= width, one of them equal.
  """
  factor = max(height / mask.shape[0], width / mask.shape[1])
  covering = [max(target, round(factor * side)) for target, side in zip((height, width), mask.shape)]
  return cv2.resize(mask, covering[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def _draw_rectangle(spec, height, width, rng):
  mask = np.zeros((height, width), np.uint8)
  sides = [max(1, round(length * rng.uniform(*spec.side_fractions))) for length in mask.shape]
  top, left = (rng.integers(length - side + 1) for length, side in zip(mask.shape, sides))
  mask[top : top + sides[0], left : left + sides[1]] = 1
  return mask


def _take_own(spec, height, width, rng):
  mask = spec.masks[int(rng.integers(len(spec.masks)))]
  return _random_crop(cover(mask, height, width), height, width, rng)


def _random_crop(mask, height, width, rng):
  top = rng.integers(mask.shape[0] - height + 1)
  left = rng.integers(mask.shape[1] - width + 1)
  return mask[top : top + height, left : left + width]


_DRAWERS = {StrokeSpec: draw_strokes, RectangleSpec: _draw_rectangle, BlobSpec: draw_blobs, OwnMasks: _take_own}

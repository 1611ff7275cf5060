"""Fills a hole at the scale the networks learnt, then goes back up to the photograph's resolution.

1. Image and hole are halved, averaging known pixels only, until the hole is thin enough.
2. There the coarse network fills it. Its fill is zoomed in and refined, as in the paper: that is the next level up.
3. The fill stays near an interpolation of the known pixels, within their usual deviation, so it is smooth where the
   surroundings are. Networks alone leave mottled boxes in skies.
4. Each colour of the fill moves to the mean of similar known colours (one step of mean shift). Far from the border,
   networks trained with L1 produce mixtures that do not occur nearby, such as gray between branches and a yellow sky.
5. Further levels are bicubic: the refinement network would see ever larger images, and its gain was in the first step.
6. Every level has its own known pixels, and the fill is blended into them (see `blending`). At the photograph's
   resolution the caller blends, after adding texture.
"""

import cv2
import numpy as np

from z2i_tf.inference import blending
from z2i_tf.inference.predictors import Predictor

# Maximum difference of the fill from the interpolated known pixels, in standard deviations.
_USUAL_DEVIATIONS = 2.0
# Standard deviation of the similarity's Gaussian, in a range of 0 to 1; maximum number of known colours compared.
_COLOUR_BANDWIDTH, _MAX_COLOURS = 0.05, 500
_PIXELS_AT_ONCE = 4096
_LEVEL_FACTOR = 2  # Between the sides of neighbouring levels.


def fill(predictor: Predictor, image: np.ndarray, hole: np.ndarray, halvings: int) -> np.ndarray:
  """Fills a crop.

  Args:
    predictor: runs the networks.
    image: (H, W, 3) float32 in [0, 1]; pixels under the hole are ignored.
    hole: (H, W) bool, True = hole.
    halvings: number of times the crop is halved for the networks.
  Returns: (H, W, 3) float32 in [0, 1]; known pixels are those of `image`.
  """
  levels = _levels(image, hole, halvings)
  filled = _network_fill(predictor, levels)  # May drop the last level.
  filled = _like_known(_near_known(filled, *levels[-1]), *levels[-1])
  while levels:
    known, hole = levels.pop()
    if filled.shape != known.shape:
      filled = np.clip(cv2.resize(filled, known.shape[1::-1], interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    filled = blending.blend(known, hole, filled) if levels else np.where(hole[..., np.newaxis], filled, known)
  return filled


def halve(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Halves an image with a hole.

  Args:
    image: (H, W, 3) float32.
    hole: (H, W) bool.
  Returns:
    (ceil(H / 2), ceil(W / 2), 3) float32, means over known pixels, 0 where there is none;
    (ceil(H / 2), ceil(W / 2)) bool, True where less than half of the area is known.
  """
  height, width = hole.shape
  means, share = shrink_known(image, hole, (-(-height // 2), -(-width // 2)))
  return means, share < 0.5


def shrink_known(image: np.ndarray, hole: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
  """Shrinks an image with a hole.

  Args:
    image: (H, W, 3) float32.
    hole: (H, W) bool.
    size: height and width to shrink to, pixels.
  Returns: (*size, 3) float32, means over known pixels, 0 where there is none; (*size) float32, known share of the area.
  """
  known = 1.0 - hole.astype(np.float32)
  total = cv2.resize(image * known[..., np.newaxis], size[::-1], interpolation=cv2.INTER_AREA)
  share = cv2.resize(known, size[::-1], interpolation=cv2.INTER_AREA)
  means = total / np.maximum(share, 1e-6)[..., np.newaxis]
  return np.where(share[..., np.newaxis] > 0, means, 0.0).astype(np.float32), share


def _near_known(filled, image, hole):
  """Bounds how far a fill lies from the interpolated known pixels, by their standard deviation nearby."""
  means = _interpolated(image, hole)
  variance = _interpolated(image**2, hole) - means**2  # Of the pixels that are interpolated, with the same weights.
  bound = _USUAL_DEVIATIONS * np.sqrt(np.maximum(variance, 0.0))
  return means + np.clip(filled - means, -bound, bound)


def _like_known(filled, image, hole):
  """Replaces colours in the hole by means of known colours, weighted by similarity."""
  known = image[~hole]
  colours = known[:: -(-len(known) // _MAX_COLOURS)]
  result, pixels = filled.copy(), filled[hole]
  for start in range(0, len(pixels), _PIXELS_AT_ONCE):
    some = pixels[start : start + _PIXELS_AT_ONCE]
    # Minus half the squared distance, up to a constant of each pixel.
    closeness = some @ colours.T - 0.5 * np.einsum("ij,ij->i", colours, colours)
    closeness -= closeness.max(axis=1, keepdims=True)
    weights = np.exp(closeness / _COLOUR_BANDWIDTH**2)
    pixels[start : start + _PIXELS_AT_ONCE] = weights @ colours / weights.sum(axis=1, keepdims=True)
  result[hole] = pixels
  return result


def _interpolated(image, hole):
  """Fills the hole by smaller and smaller means of known pixels, and back (pull and push)."""
  if not hole.any() or min(hole.shape) == 1:
    return np.where(hole[..., np.newaxis], image[~hole].mean(axis=0) if not hole.all() else 0.0, image)
  below = _interpolated(*halve(image, hole))
  return np.where(hole[..., np.newaxis], cv2.resize(below, hole.shape[::-1], interpolation=cv2.INTER_LINEAR), image)


def _levels(image, hole, halvings) -> list[tuple[np.ndarray, np.ndarray]]:
  """Returns image and hole at every scale, the largest first."""
  levels = [(image, hole)]
  for _ in range(halvings):
    smaller = halve(*levels[-1])
    if not smaller[1].any() or smaller[1].all():  # The hole, or all that is known, is too thin for this scale.
      break
    levels.append(smaller)
  return levels


def _network_fill(predictor, levels):
  """Returns the networks' fill at the last level or, refined, at the one above, which then becomes the last."""
  image, hole = levels[-1]
  if len(levels) == 1 or predictor.scale != _LEVEL_FACTOR:
    return predictor.fill(image[np.newaxis], hole[np.newaxis])[0]
  levels.pop()
  refined = predictor.refine(image[np.newaxis], hole[np.newaxis])[0]
  height, width = levels[-1][1].shape
  return np.clip(refined[:height, :width], 0.0, 1.0)

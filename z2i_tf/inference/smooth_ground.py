"""Fills holes in smooth ground, such as skies and walls, with a polynomial.

The networks' fill is often a little too bright or too dark. In smooth ground this shows as a blotch. A polynomial is
fitted to the known pixels around the hole; where it explains them up to their noise, it replaces the fill.

Its degree is 2. It is 1 if the hole reaches the border of the crop, where degree 2 would overshoot.
"""

import cv2
import numpy as np

# Width of the ring of known pixels around a hole, and minimum number of its pixels.
_RING_PX, _MIN_PIXELS = 12, 50
# Largest distance of the ring from the polynomial: root mean square of means over windows, in a range of 0 to 1.
_WINDOW_PX, _MAX_DEVIATION = 7, 1.0 / 255
# Maximum excess of the polynomial in the hole over the ring's levels, as a share of their range.
_MAX_BEYOND = 0.25
# Images with more holes stay as they are. The fit uses at most this many pixels of a ring.
_MAX_HOLES, _MAX_PIXELS = 64, 20_000


def fill(image: np.ndarray, hole: np.ndarray, filled: np.ndarray) -> np.ndarray:
  """Replaces the fill of holes in smooth ground.

  Args:
    image: (H, W, 3) float32 in [0, 1].
    hole: (H, W) bool, True = hole.
    filled: (H, W, 3) float32, the image with its holes filled.
  Returns: (H, W, 3) float32; known pixels, and holes in ground that is not smooth, are those of `filled`.
  """
  count, labels, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=8)
  if count - 1 > _MAX_HOLES:
    return filled
  result = filled.copy()
  for label in range(1, count):
    left, top, width, height = boxes[label, :4]
    crop = (
      slice(max(0, top - _RING_PX), top + height + _RING_PX),
      slice(max(0, left - _RING_PX), left + width + _RING_PX),
    )
    inside = labels[crop] == label
    ring = cv2.dilate(inside.astype(np.uint8), np.ones((2 * _RING_PX + 1,) * 2, np.uint8)).astype(bool) & ~hole[crop]
    is_at_border = top == 0 or left == 0 or top + height == hole.shape[0] or left + width == hole.shape[1]
    levels = _polynomial(image[crop], inside, ring, degree=1 if is_at_border else 2)
    if levels is not None:
      result[crop][inside] = levels
  return result


def _polynomial(image, inside, ring, degree):
  """Returns the levels inside, (n, 3); None if the ring is not smooth."""
  if ring.sum() < _MIN_PIXELS:
    return None
  rows, columns = np.nonzero(ring)
  kept = np.linspace(0, len(rows) - 1, min(len(rows), _MAX_PIXELS)).astype(int)
  terms = _terms(rows, columns, ring.shape, degree)
  weights = np.linalg.lstsq(terms[kept], image[rows[kept], columns[kept]], rcond=None)[0]
  residual = np.zeros_like(image)
  residual[ring] = image[ring] - terms @ weights

  def total(values):
    return cv2.boxFilter(values, -1, (_WINDOW_PX, _WINDOW_PX), normalize=False, borderType=cv2.BORDER_CONSTANT)

  means = total(residual)[ring] / total(ring.astype(np.float32))[ring][:, np.newaxis]
  if np.sqrt((means**2).mean(axis=0)).max() > _MAX_DEVIATION:
    return None
  levels = _terms(*np.nonzero(inside), ring.shape, degree) @ weights
  lowest, highest = (terms @ weights).min(axis=0), (terms @ weights).max(axis=0)
  margin = _MAX_BEYOND * (highest - lowest) + _MAX_DEVIATION
  if (levels < lowest - margin).any() or (levels > highest + margin).any():
    return None
  return np.clip(levels, 0.0, 1.0)


def _terms(rows, columns, shape, degree):
  """Returns the powers and products of coordinates, (n, 3) or (n, 6) float32."""
  y, x = (2 * rows / shape[0] - 1).astype(np.float32), (2 * columns / shape[1] - 1).astype(np.float32)
  return np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=1)

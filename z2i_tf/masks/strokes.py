"""Draws random stroke masks from an explicit generator (paper section 3.2 and appendix B)."""

from typing import Optional

import cv2
import numpy as np

from z2i_tf.masks.specs import StrokeSpec

# How often a mask without any known (or, for a crop, any hole) pixel is drawn again before giving up.
_MAX_DRAWS = 1000


def draw_mask(spec: StrokeSpec, height: int, width: int, rng: np.random.Generator,
              reference_size: Optional[int] = None) -> np.ndarray:
  """Draws one mask.

  A stroke starts at a uniform point; each segment is a line of the stroke's thickness, each vertex a
  filled disc of radius thickness // 2, end points clipped to the image. A mask that leaves no known pixel
  is drawn again.

  Args:
    spec: the kind of mask.
    height: of the mask, pixels.
    width: of the mask, pixels.
    rng: the only source of randomness.
    reference_size: if given, a square mask of this side is drawn and a random crop of it returned, so that
      small crops see strokes as thick, relative to the network's view, as at test time. A crop without
      any hole is drawn again as well: there is nothing to learn from it. (Our own option.)
  Returns: (height, width) uint8, 1 = hole, 0 = known.
  Raises: ValueError if a side exceeds `reference_size`, or no usable mask came in 1,000 draws (images of a
    few pixels).
  """
  if reference_size is not None and max(height, width) > reference_size:
    raise ValueError(f"A mask drawn at {reference_size} pixels has no crop of {height}x{width}.")
  for _ in range(_MAX_DRAWS):
    if reference_size is None:
      mask = _draw_strokes(spec, height, width, rng)
      if not mask.all():
        return mask
    else:
      mask = _random_crop(_draw_strokes(spec, reference_size, reference_size, rng), height, width, rng)
      if mask.any() and not mask.all():
        return mask
  raise ValueError(f"No usable mask of {height}x{width} pixels in {_MAX_DRAWS} draws.")


def _draw_strokes(spec, height, width, rng):
  mask = np.zeros((height, width), np.uint8)
  for _ in range(_integer(rng, spec.strokes)):
    _draw_stroke(mask, spec, rng)
  return mask


def _draw_stroke(mask, spec, rng):
  height, width = mask.shape
  count = _integer(rng, spec.vertices)
  thickness = _integer(rng, spec.thickness_px)
  lengths = spec.sample_lengths(rng, count, float(np.hypot(height, width)))
  angles = spec.sample_angles(rng, count)
  point = np.array([rng.integers(width), rng.integers(height)], float)
  limit = np.array([width, height], float)
  vertices = [point]
  for length, angle in zip(lengths, angles):
    point = np.clip(point + length * np.array([np.cos(angle), np.sin(angle)]), 0.0, limit)
    vertices.append(point)
  corners = [(int(x), int(y)) for x, y in vertices]
  for start, end in zip(corners, corners[1:]):
    cv2.line(mask, start, end, color=1, thickness=thickness)
  for corner in corners:
    cv2.circle(mask, corner, thickness // 2, color=1, thickness=cv2.FILLED)


def _random_crop(mask, height, width, rng):
  top = rng.integers(mask.shape[0] - height + 1)
  left = rng.integers(mask.shape[1] - width + 1)
  return mask[top:top + height, left:left + width]


def _integer(rng, bounds):
  return int(rng.integers(bounds[0], bounds[1] + 1))

"""Random strokes (paper section 3.2 and appendix B)."""

import cv2
import numpy as np

from z2i_tf.masks.specs import StrokeSpec


def draw_strokes(spec: StrokeSpec, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
  """Draws strokes onto an empty mask; they may cover all of it.

  A stroke starts at a uniform point. Each segment is a line of the stroke's thickness, its end clipped to the image.
  Each vertex is a filled disc of radius thickness // 2.

  Args: as `draw_mask`.
  Returns: (height, width) uint8, 1 = hole, 0 = known.
  """
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
  x, y = float(rng.integers(width)), float(rng.integers(height))
  corners = [(int(x), int(y))]
  # Python floats: NumPy is several times slower for so few numbers.
  for right, down in zip((lengths * np.cos(angles)).tolist(), (lengths * np.sin(angles)).tolist()):
    x, y = min(max(x + right, 0.0), width), min(max(y + down, 0.0), height)
    corners.append((int(x), int(y)))
  for start, end in zip(corners, corners[1:]):
    cv2.line(mask, start, end, color=1, thickness=thickness)
  for corner in corners:
    cv2.circle(mask, corner, thickness // 2, color=1, thickness=cv2.FILLED)


def _integer(rng, bounds):
  return int(rng.integers(bounds[0], bounds[1] + 1))

"""Draws holes shaped like objects that people remove from photographs; ours, not the paper's."""

import cv2
import numpy as np

from z2i_tf.masks.specs import BlobSpec

# Number of corners of a contour, and periods of its waves.
_CORNERS = 96
_PERIODS = np.arange(2, 7)
# A larger blob is shrunk to this share of the image's side.
_LARGEST_SHARE = 0.9


def draw_blobs(spec: BlobSpec, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
  """Draws blobs onto an empty mask: ellipses whose radius varies in random waves.

  Every blob that fits lies inside the image, except that in `border_share` of the masks the first one is centred on one
  of the four borders. Some are too large for images of fewer than 30 pixels, and are cut.

  Args: as `draw_mask`.
  Returns: (height, width) uint8, 1 = hole, 0 = known.
  """
  mask = np.zeros((height, width), np.uint8)
  sides = np.array([width, height])
  at_border = rng.random() < spec.border_share
  for number in range(int(rng.integers(spec.blobs[0], spec.blobs[1] + 1))):
    contour = _contour(spec, sides, rng)
    if number == 0 and at_border:
      centre = rng.uniform(0, sides - 1)
      axis = rng.integers(2)
      centre[axis] = rng.integers(2) * (sides[axis] - 1)
    else:
      first = 1 - contour.min(axis=0)
      centre = rng.uniform(first, np.maximum(first, sides - 2 - contour.max(axis=0)))
    cv2.fillPoly(mask, [np.rint(contour + centre).astype(np.int32)], (1,))
  return mask


def _contour(spec, sides, rng):
  """Returns the corners (_CORNERS, 2) of a blob around the origin, x and y in pixels."""
  diameter = sides.min() * _log_uniform(rng, spec.diameter_fractions)
  stretch = np.sqrt(_log_uniform(rng, spec.elongations))
  angles = np.linspace(0.0, 2.0 * np.pi, _CORNERS, endpoint=False)
  amplitudes = rng.normal(0.0, spec.waviness, len(_PERIODS)) / _PERIODS
  waves = amplitudes @ np.cos(_PERIODS[:, np.newaxis] * angles + rng.uniform(0.0, 2.0 * np.pi, (len(_PERIODS), 1)))
  points = (
    diameter
    / 2.0
    * np.exp(waves)[:, np.newaxis]
    * np.stack([stretch * np.cos(angles), np.sin(angles) / stretch], axis=1)
  )
  turn = rng.uniform(0.0, 2.0 * np.pi)
  points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
  return points * min(1.0, (_LARGEST_SHARE * sides / np.ptp(points, axis=0)).min())


def _log_uniform(rng, bounds):
  return np.exp(rng.uniform(*np.log(bounds)))

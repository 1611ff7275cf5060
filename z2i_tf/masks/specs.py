"""Describes the kinds of masks as records.

"small" is the paper's progressive step 1; "large" is step 2 and is the brush of DeepFill-v2 (Yu et al. 2019); their
numbers are the paper's (Table 4; ranges inclusive). "rect" (one rectangle), "object" (blobs as large as objects that
people remove) and the user's own masks are ours.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import math

import numpy as np

# (generator, number of segments, image diagonal in pixels) -> lengths in pixels.
LengthSampler = Callable[[np.random.Generator, int, float], np.ndarray]
# (generator, number of segments) -> directions in radians.
AngleSampler = Callable[[np.random.Generator, int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class StrokeSpec:
  """Describes random strokes.

  Attributes:
    strokes: least and most strokes per mask.
    vertices: least and most vertices per stroke, after its starting point.
    thickness_px: least and most thickness, one per stroke; does not scale with the image.
    sample_lengths: draws the segments' lengths, pixels; they scale with the image's diagonal.
    sample_angles: draws the segments' directions, radians.
    length_text: distribution of the lengths, for tables; d is the diagonal.
    angle_text: distribution of the directions, for tables.
    other_angle_text: replaces every second direction, from the first on, for tables; "" if none is replaced.
  """

  strokes: tuple[int, int]
  vertices: tuple[int, int]
  thickness_px: tuple[int, int]
  sample_lengths: LengthSampler
  sample_angles: AngleSampler
  length_text: str = ""
  angle_text: str = ""
  other_angle_text: str = ""


@dataclasses.dataclass(frozen=True)
class RectangleSpec:
  """One rectangle anywhere in the image.

  Attributes:
    side_fractions: least and largest height and width, drawn independently, as fractions of the image's.
  """

  side_fractions: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class BlobSpec:
  """Describes random blobs, see `draw_blobs`.

  Attributes:
    blobs: least and most blobs per mask; all counts are equally likely.
    diameter_fractions: least and largest diameter of a circle with the area of the contour's ellipse, as fractions of
      the image's shorter side; its logarithm is uniform.
    elongations: least and largest ratio of the ellipse's axes; its logarithm is uniform. The ellipse's direction is
      uniform, too.
    waviness: the logarithm of the contour's distance from the centre has a wave of k periods for k = 2 to 6, with
      amplitude N(0, waviness / k) and uniform phase.
    border_share: share of the masks whose first blob is centred on one of the four borders, at a uniform place. Every
      other blob lies inside the image, at a uniform place, if it fits.
  """

  blobs: tuple[int, int]
  diameter_fractions: tuple[float, float]
  elongations: tuple[float, float]
  waviness: float
  border_share: float


@dataclasses.dataclass(frozen=True)
class OwnMasks:
  """Masks that exist already.

  Attributes:
    masks: (H, W) uint8 each, 1 = hole; any sequence.
  """

  masks: Sequence[np.ndarray]


MaskSpec = StrokeSpec | RectangleSpec | BlobSpec | OwnMasks


def _short_lengths(rng, count, diagonal_px):
  return rng.uniform(1.0, max(1.0, diagonal_px / 12.0), count)


def _folding_angles(rng, count):
  """Turns each segment back: the previous direction + pi, with a deviation of at most pi/8."""
  first = rng.uniform(0.0, 2.0 * math.pi)
  turns = math.pi + rng.uniform(-math.pi / 8.0, math.pi / 8.0, count - 1)
  return first + np.concatenate([[0.0], np.cumsum(turns)])


def _long_lengths(rng, count, diagonal_px):
  mean = diagonal_px / 8.0
  return np.clip(rng.normal(mean, mean // 2.0, count), 0.0, 2.0 * mean)


def _zigzag_angles(rng, count):
  """Draws directions around 2 pi / 5, within bounds drawn per stroke; mirrors every second one, from the first on."""
  middle, reach = 2.0 * math.pi / 5.0, 2.0 * math.pi / 15.0
  low, high = middle - rng.uniform(0.0, reach), middle + rng.uniform(0.0, reach)
  angles = rng.uniform(low, high, count)
  angles[::2] = 2.0 * math.pi - angles[::2]
  return angles


SPECS: dict[str, MaskSpec] = {
  "small": StrokeSpec(
    strokes=(1, 7),
    vertices=(1, 11),
    thickness_px=(5, 29),
    sample_lengths=_short_lengths,
    sample_angles=_folding_angles,
    length_text="U(1, d/12)",
    angle_text="U(0, 2pi), then the one before + pi + U(-pi/8, pi/8)",
  ),
  "large": StrokeSpec(
    strokes=(1, 3),
    vertices=(4, 11),
    thickness_px=(12, 39),
    sample_lengths=_long_lengths,
    sample_angles=_zigzag_angles,
    length_text="N(d/8, floor(d/16)) within [0, d/4]",
    angle_text="U(2pi/5 - U(0, 2pi/15), 2pi/5 + U(0, 2pi/15))",
    other_angle_text="2pi - angle",
  ),
  "rect": RectangleSpec(side_fractions=(0.25, 0.5)),
  "object": BlobSpec(
    blobs=(1, 2), diameter_fractions=(0.12, 0.4), elongations=(1.0, 2.5), waviness=0.4, border_share=0.25
  ),
}

"""Reads mask files of any kind, fits them to their photograph, dilates and feathers them.

High values are the hole, in whichever channel: white or opaque. A picture whose hole was erased to transparency
therefore needs `invert`. An ambiguous mask is refused.
"""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from z2i_tf.conventions import HOLE_LEVEL
from z2i_tf.errors import InputError
from z2i_tf.images import photo_files
from z2i_tf.images.formats import codecs
from z2i_tf.images.formats import pixels

# Levels of 255: below the first is near black, above the second near white. A mask has few levels between.
_DARK, _BRIGHT = 64, 191
_BLACK = 13  # JPEG leaves noise up to this level on black.
# Levels above the background's that belong to a stroke: connected to it or within a distance, because JPEG tears thin
# strokes; and the fainter ones of its edge, within a shorter distance.
_STROKE, _TORN_PX, _STROKE_EDGE, _STROKE_EDGE_PX = 38, 8, 13, 2
# A larger share of pixels at levels between means a photograph instead of a mask: of pixels in areas at least three
# pixels wide, and of all pixels, which include soft edges and those that JPEG has blurred.
_MAX_UNCLEAR_AREAS, _MAX_UNCLEAR = 0.05, 0.25
_EDGE = np.ones((3, 3), np.uint8)
_ROUNDING = 1e-3  # Rounding error of distances in single precision.
# A hole was erased if a larger share of its pixels is fully transparent (its edge may be soft).
_MOSTLY = 0.5
MASK_CHANNELS = ("auto", "luma", "alpha")
NOW_OPAQUE = "what was transparent in the hole is opaque now"
_MAKE_IT_CLEAR = "make the hole white and all else black"
_OR_CHOOSE_A_THRESHOLD = f"{_MAKE_IT_CLEAR}, or set with `mask_threshold` from which level, of 255, pixels are hole"


@dataclasses.dataclass(frozen=True)
class MaskReading:
  """How to read masks, see `read_mask`; an array of 0 and one other value needs none of it.

  Attributes:
    invert: whether black, or transparent, is the hole.
    mask_from: the channel: "luma", "alpha" or "auto". "auto" takes alpha if it varies while the colours do not,
      and luma if alpha is constant or shows the same mask except for edges.
    threshold: lowest level (of 255, after inversion) that counts as hole; makes every mask unambiguous. None: 128, and
      the soft edges of strokes that reach it.
  Raises: InputError, when built, for an unknown channel, or a threshold that is no whole number from 1 to 255.
  """

  invert: bool = False
  mask_from: str = "auto"
  threshold: int | None = None

  def __post_init__(self):
    if self.mask_from not in MASK_CHANNELS:
      raise InputError(f"`mask_from`={self.mask_from}: expected one of {', '.join(MASK_CHANNELS)}")
    if self.threshold is not None and not (isinstance(self.threshold, int) and 1 <= self.threshold <= 255):
      raise InputError(f"`mask_threshold`={self.threshold}: expected a whole number from 1 to 255")

  @property
  def is_of_erasure(self) -> bool:
    """Whether transparent pixels are the hole, as in a photograph that is its own mask."""
    return self.invert and self.mask_from == "alpha"


class Mask(NamedTuple):
  """A mask and its source.

  Attributes:
    hole: (H, W) uint8, 1 = hole.
    is_from_alpha: whether it comes from the alpha channel.
  """

  hole: np.ndarray
  is_from_alpha: bool


class _Ambiguous(Exception):
  """The mask could mean two things.

  Attributes:
    problem: the reason.
    remedy: how to make it clear, with the options of `read_mask`.
  """

  def __init__(self, problem: str, remedy: str):
    super().__init__(problem)
    self.problem, self.remedy = problem, remedy


def read_binary_mask(path: str) -> np.ndarray:
  """Reads a mask file as `read_mask` without options; errors as there, without advice on options.

  Returns:
    (H, W) uint8, 1 = hole.
  """
  try:
    return _mask(photo_files.read_photo(path), MaskReading()).hole
  except _Ambiguous as error:
    raise InputError(f"{path}: ambiguous as a mask: {error.problem}; {_MAKE_IT_CLEAR}") from error


def read_mask(path: str, reading: MaskReading = MaskReading(), max_pixels: int | None = None) -> tuple[np.ndarray, str]:
  """Reads a mask file of any kind: 1-bit, gray, colour, palette, with alpha, 8 or 16 bits, 0/1 or full range, JPEG.

  A pixel is hole from half of full brightness on, together with the rest of its soft or JPEG-compressed stroke.

  Args:
    path: the file.
    reading: channel, polarity and threshold.
    max_pixels: as for `photo_files.read_photo`.

  Returns:
    The mask, (H, W) uint8, 1 = hole, turned upright by the file's own EXIF orientation, and a description such as
    "hole 7.3% of the image, 3 regions, from alpha".

  Raises:
    InputError: as `photo_files.read_photo`; or the mask is ambiguous, or lacks the alpha asked for, or, without a
      threshold, has separate areas painted below half of full brightness.
  """
  mask = mask_of(photo_files.read_photo(path, max_pixels), path, reading)
  return mask.hole, describe(mask.hole) + ", from alpha" * mask.is_from_alpha + ", inverted" * reading.invert


def mask_of(photo: photo_files.Photo, name: str, reading: MaskReading = MaskReading()) -> Mask:
  """Returns the mask that an image shows; arguments and errors as `read_mask`, with `name` for the path in errors."""
  if reading.mask_from == "alpha" and photo.alpha is None:
    raise InputError(f"{name}: `mask_from`=alpha, but there is no alpha channel; leave it out")
  try:
    return _mask(photo, reading)
  except _Ambiguous as error:
    raise InputError(f"{name}: ambiguous as a mask: {error.problem}; {error.remedy}") from error


def _mask(photo: photo_files.Photo, reading: MaskReading) -> Mask:
  """Returns the mask that an image shows, by `read_mask`'s rule; raises _Ambiguous."""
  levels = _brightness(photo_files.to_gray(photo.rgb))
  alpha = None if photo.alpha is None else _brightness(photo.alpha)
  mask_from = reading.mask_from
  if alpha is not None and (mask_from == "alpha" or mask_from == "auto" and _prefers_alpha(alpha, levels)):
    levels = alpha
  is_from_alpha = levels is alpha
  has_soft_edges = reading.threshold is None and not ((levels == 0) | (levels == 255)).all()
  unclear = _unclear(levels) if has_soft_edges else ""
  if unclear:
    raise _Ambiguous(unclear, _OR_CHOOSE_A_THRESHOLD)
  levels = 255 - levels if reading.invert else levels
  threshold = HOLE_LEVEL if reading.threshold is None else reading.threshold
  return Mask(_strokes(levels) if has_soft_edges else (levels >= threshold).astype(np.uint8), is_from_alpha)


def describe(mask: np.ndarray) -> str:
  """Describes the size and the number of regions of an (H, W) mask; regions that touch at a corner count as one."""
  regions = cv2.connectedComponents(mask, connectivity=8)[0] - 1  # Without the background.
  share = 100 * mask.mean()
  percentage = f"{share:.1f}" if share >= 0.05 or not regions else "less than 0.1"
  return f"hole {percentage}% of the image, {regions} region{'s' * (regions != 1)}"


def match_to_photo(mask: np.ndarray, photo: photo_files.Photo) -> np.ndarray:
  """Returns the mask in the orientation of the upright photograph.

  A mask of the photograph's size is assumed to be drawn on the upright picture, because editors show that one; this
  includes squares and pictures stored upside down or mirrored. A mask that fits only the stored picture is turned like
  the picture.

  Args:
    mask: (H, W) uint8 or bool.
    photo: the photograph that the mask belongs to.

  Raises:
    InputError: neither size fits.
  """
  size = photo.rgb.shape[:2]
  if mask.shape == size:
    return mask
  if mask.shape == size[::-1] and codecs.is_swapped(photo.orientation):
    return pixels.turn_upright(mask, photo.orientation)
  raise InputError(different_sizes(size, mask.shape))


def different_sizes(image: tuple[int, ...], mask: tuple[int, ...]) -> str:
  """Returns the error text for an image and a mask of different sizes (height, width)."""
  return (
    f"image ({image[0]}x{image[1]}) and mask ({mask[0]}x{mask[1]}) differ in size (height x width); they must be equal"
  )


def dilate(mask: np.ndarray, radius_px: int) -> np.ndarray:
  """Returns an (H, W) uint8 mask grown by every pixel at most `radius_px` from its hole (centre to centre)."""
  if not radius_px or not mask.any():
    return mask
  # A distance transform costs the same for every radius, dilation by a kernel its area.
  distances = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
  return (distances <= radius_px + _ROUNDING).astype(np.uint8)


def feather_weights(mask: np.ndarray, dilated: np.ndarray, feather_px: int) -> np.ndarray:
  """Returns the weight of the fill at each pixel.

  Args:
    mask: (H, W) uint8, the hole as given.
    dilated: (H, W) uint8, the filled hole, which contains `mask`.
    feather_px: width of the transition in pixels, inwards from the edge of `dilated`.

  Returns:
    (H, W) float32: 1 in `mask`, 0 outside `dilated`. In between it rises linearly from 0 at the edge of `dilated` (half
    a pixel outside its outermost centres) to 1 at `feather_px` inside it.
  """
  if not feather_px or dilated.all():
    return dilated.astype(np.float32)
  to_edge = cv2.distanceTransform(dilated, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5
  weights = np.clip(to_edge / feather_px, 0, 1).astype(np.float32)
  weights[mask != 0] = 1
  return weights


def feathered(filled: np.ndarray, photo: np.ndarray, weights: np.ndarray) -> np.ndarray:
  """Blends the fill with the photograph by the weights of `feather_weights`.

  Args:
    filled: (H, W, 3) uint8 or uint16; equals the photograph outside the hole.
    photo: (H, W, 3) of the same type.
    weights: (H, W) float32.
  """
  ring = (weights > 0) & (weights < 1)
  shares = weights[ring, np.newaxis]
  result = filled.copy()
  result[ring] = np.rint(shares * filled[ring] + (1.0 - shares) * photo[ring])
  return result


def was_erased(alpha: np.ndarray | None, mask: np.ndarray, is_own_mask: bool = False) -> bool:
  """Returns whether the hole was erased to transparency, so that its fill should become opaque.

  Args:
    alpha: of the photograph, (H, W) uint8 or uint16, or None.
    mask: (H, W), the hole as given; not 0 = hole.
    is_own_mask: whether the mask was read from the photograph's own transparency. If not, all of the hole except its
      edge must be transparent.
  """
  if alpha is None or not (alpha[mask != 0] < np.iinfo(alpha.dtype).max).any():
    return False
  inner = cv2.erode((mask != 0).astype(np.uint8), _EDGE) != 0
  return is_own_mask or not alpha[inner].any() and bool((alpha[mask != 0] == 0).mean() > _MOSTLY)


def made_opaque(alpha: np.ndarray, hole: np.ndarray) -> np.ndarray:
  """Returns alpha, (H, W) uint8 or uint16, made opaque in the hole, (H, W), not 0 = hole."""
  return np.where(hole != 0, np.iinfo(alpha.dtype).max, alpha).astype(alpha.dtype)


def _brightness(levels: np.ndarray) -> np.ndarray:
  """Returns levels as uint8; stretches levels of only 0 and 1, and keeps those of 8 bits in 16."""
  greatest = levels.max()
  if greatest <= 1:
    return levels.astype(np.uint8) * np.uint8(255)
  return levels.astype(np.uint8) if greatest <= 255 else photo_files.to_8_bits(levels)


def _strokes(levels: np.ndarray) -> np.ndarray:
  """Returns the mask of all strokes that reach half brightness; raises _Ambiguous if a stroke does not."""
  dark = levels[levels < _DARK]
  ground = int(np.median(dark)) if dark.size else 0
  painted = (levels >= min(ground + _STROKE, HOLE_LEVEL)).astype(np.uint8)
  count, labels = cv2.connectedComponents(painted, connectivity=8)
  is_stroke = np.zeros(count, bool)
  is_stroke[np.unique(labels[levels >= HOLE_LEVEL])] = True
  is_stroke[0] = False
  mask = is_stroke[labels].astype(np.uint8)
  faint = cv2.morphologyEx(painted - mask, cv2.MORPH_OPEN, _EDGE)
  if faint.any():
    least = int(levels[faint != 0].min())
    raise _Ambiguous(
      f"{100 * faint.mean():.2g}% of the image is painted below half of white, at {least} to "
      f"{int(levels[faint != 0].max())} of 255",
      f"`mask_threshold`={least} fills it too, `mask_threshold`={HOLE_LEVEL} leaves it",
    )
  mask |= _around(mask, _TORN_PX) & painted
  return mask | (_around(mask, _STROKE_EDGE_PX) & (levels >= min(ground + _STROKE_EDGE, HOLE_LEVEL)))


def _around(mask: np.ndarray, distance_px: int) -> np.ndarray:
  return cv2.dilate(mask, np.ones((2 * distance_px + 1,) * 2, np.uint8))


def _unclear(levels: np.ndarray) -> str:
  """Returns the reason why levels cannot be a mask, or ""."""
  if _BLACK < levels.max() < _BRIGHT:
    return f"its brightest level is {levels.max() / 255:.0%} of white"
  between = (levels > _DARK) & (levels < _BRIGHT)
  # Erosion counts pixels outside the image as between.
  areas = cv2.erode(between.astype(np.uint8), _EDGE).mean()
  if areas > _MAX_UNCLEAR_AREAS or between.mean() > _MAX_UNCLEAR:
    return f"{between.mean():.0%} of its pixels are neither black nor white, as in a photograph"
  return ""


def _prefers_alpha(alpha: np.ndarray, luma: np.ndarray) -> bool:
  """Returns whether to read alpha; raises _Ambiguous if alpha and luma show different masks."""
  if alpha.min() == alpha.max():
    return False
  if luma.min() == luma.max():
    return True
  differs = (alpha >= HOLE_LEVEL) != (luma >= HOLE_LEVEL)
  if _unclear(luma) or cv2.erode(differs.astype(np.uint8), _EDGE).any():
    raise _Ambiguous(
      "its colours and its transparency say different things",
      "choose with `mask_from`=luma (white = hole) or `mask_from`=alpha (opaque = hole; with `invert_mask`, "
      "transparent = hole)",
    )
  return False

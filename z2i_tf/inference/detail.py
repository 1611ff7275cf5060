"""Adds texture to a smooth fill by copying patches from its surroundings.

A network that minimises L1 fills with means: colours are right, texture is missing. Patches supply it:

1. Image and fill are halved until the hole is about 30 pixels thick. There, every 7x7 patch that touches the hole
   finds its nearest known patch by an exact search. The fill is smooth, so the first rounds compare blurred patches
   on both sides and copy sharp ones; otherwise the search prefers flat places.
2. Every patch votes for the colours of the pixels it covers. A pixel becomes the weighted mean of its votes.
3. Sources, doubled, start the next level up. They vote at once, so that the search compares sharp patches, and are
   mended by one round of propagation from the four neighbours, as in PatchMatch. More rounds, or its random search,
   make neighbours disagree, and the fill flatter.
4. Where the patches' colours are far from the fill's, no patch fits; the smooth fill stays.

References: Wexler et al., "Space-Time Completion of Video", PAMI 2007 (search and vote); Barnes et al., "PatchMatch",
SIGGRAPH 2009. Blurred search, sharp votes and the start by voting are our own, chosen by measuring.
"""

from concurrent import futures

import cv2
import numpy as np

from z2i_tf.inference import pieces
from z2i_tf.inference.patch_level import known_centres
from z2i_tf.inference.patch_level import PATCH
from z2i_tf.inference.patch_level import PatchLevel
from z2i_tf.inference.patch_level import RADIUS_PX
from z2i_tf.inference.pyramid import halve
from z2i_tf.system import processor

# Of the level with the exact search: thickness of the hole, and maximum number of compared pairs of patches.
_SEARCH_THICKNESS_PX, _MAX_SEARCH_PAIRS = 30, 2**25
_SEARCH_BLURS_PX = (3.0, 1.5, 0.0)  # Gaussian sigma of both sides, one for each round.
_START_VOTE_RADIUS_PX = _LAST_VOTE_RADIUS_PX = 1  # At native resolution the inner 3x3 votes.
# Patches fit if their blurred colours differ from the fill's by less than the first; they do not above the second.
_FIT_BLUR_PX, _FITS, _DOES_NOT_FIT = 2.0, 0.12, 0.2


def is_possible(hole: np.ndarray) -> bool:
  """Returns whether there is a known 7x7 patch to copy from; `hole` is (H, W) bool, True = hole."""
  return bool(known_centres(hole).any())


def add_texture(image: np.ndarray, hole: np.ndarray, fill: np.ndarray) -> np.ndarray:
  """Returns the fill with texture.

  Args:
    image: (H, W, 3) float32 in [0, 1]; pixels under the hole are ignored.
    hole: (H, W) bool, True = hole.
    fill: (H, W, 3) float32, the smooth fill; known pixels are those of `image`.
  Returns: (H, W, 3) float32 in [0, 1]; `fill` itself where no patch fits, or no 7x7 patch is known.
  Cost: time grows with the hole's pixels; the exact search is bounded.
  """
  levels = _levels(image, hole, fill)
  with futures.ThreadPoolExecutor(processor.usable_cores()) as pool:
    _, small_hole, small_fill = levels.pop()
    level = PatchLevel(small_fill, small_hole, pool.map)
    if not level.is_key.any():  # Only possible if the hole was not halved.
      return fill
    for blur in _SEARCH_BLURS_PX:
      sources = level.search(blur, _MAX_SEARCH_PAIRS)
      level.vote(sources, RADIUS_PX)
    fits = _fit(level.picture, small_fill)
    while levels:
      below, below_sources = level, sources
      known, small_hole, small_fill = levels.pop()
      larger = cv2.resize(below.picture, small_hole.shape[::-1], interpolation=cv2.INTER_CUBIC)
      level = PatchLevel(np.where(small_hole[..., np.newaxis], larger, known), small_hole, pool.map)
      sources = level.doubled(below, below_sources)
      level.vote(sources, _START_VOTE_RADIUS_PX)
      sources = level.mended(sources)
      level.vote(sources, RADIUS_PX if levels else _LAST_VOTE_RADIUS_PX)
  fits = cv2.resize(fits, hole.shape[::-1], interpolation=cv2.INTER_LINEAR)[..., np.newaxis]
  return np.clip(fits * level.picture + (1.0 - fits) * fill, 0.0, 1.0)


def _levels(image, hole, fill) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """Returns image, hole and fill at every scale, the largest first."""
  levels = [(image, hole, fill)]
  thickness = pieces.thickness_px(hole)
  while thickness > _SEARCH_THICKNESS_PX or _pairs(levels[-1][1]) > _MAX_SEARCH_PAIRS:
    smaller, smaller_hole = halve(*levels[-1][:2])
    if not smaller_hole.any() or not is_possible(smaller_hole):
      break
    smaller_fill = cv2.resize(levels[-1][2], smaller_hole.shape[::-1], interpolation=cv2.INTER_AREA)
    levels.append((smaller, smaller_hole, np.where(smaller_hole[..., np.newaxis], smaller_fill, smaller)))
    thickness /= 2.0
  return levels


def _pairs(hole):
  """Returns the number of pairs of a patch that touches the hole and a known patch."""
  queries = np.count_nonzero(cv2.dilate(hole.astype(np.uint8), PATCH))
  return queries * (hole.size - queries)


def _fit(picture, fill):
  """Rates how well the patches' colours agree with the fill's: (H, W) float32 in [0, 1]."""
  difference = np.abs(cv2.GaussianBlur(picture - fill, (0, 0), _FIT_BLUR_PX)).mean(axis=-1)
  return np.clip((_DOES_NOT_FIT - difference) / (_DOES_NOT_FIT - _FITS), 0.0, 1.0)

"""Fills the pieces of a photograph's hole one after the other.

For each piece: the networks at the scale they learnt (`pyramid`), a polynomial where the ground is smooth
(`smooth_ground`), texture from the surroundings (`detail`), and a blend in the gradient domain (`blending`).
"""

from collections.abc import Callable
from collections.abc import Sequence

import cv2
import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.inference import blending
from z2i_tf.inference import detail as texture
from z2i_tf.inference import pieces
from z2i_tf.inference import pyramid
from z2i_tf.inference import smooth_ground
from z2i_tf.inference.pieces import Piece
from z2i_tf.inference.predictors import Predictor

DETAILS = ("auto", "patches", "none")
STEPS_PER_PIECE = 2  # Networks, then texture with its blending.
# Thinner holes show no texture, so "auto" copies none.
_MIN_TEXTURE_THICKNESS_PX = 6


def fill_pieces(
  predictor: Predictor,
  image: np.ndarray,
  hole: np.ndarray,
  plan: Sequence[Piece],
  known_range: tuple[int, int],
  detail: str,
  advance: Callable[[], None],
) -> None:
  """Fills pieces in place. Each piece sees the fill of the pieces before it.

  Args:
    predictor: runs the networks.
    image: (H, W, 3) uint8 or uint16; the pieces' hole pixels are overwritten.
    hole: (H, W) bool, True = hole; filled pixels become False.
    plan: pieces in pixels of the image.
    known_range: as `brightness_range`. The networks see it as 0 to 1.
    detail: one of `DETAILS`.
    advance: called `STEPS_PER_PIECE` times per piece.
  Raises: InputError if the networks return values that are not finite.
  """
  darkest, brightest = known_range
  for piece, crop_hole in _in_turn(plan, hole):
    crop = image[piece.crop]
    values = (crop.astype(np.float32) - darkest) / np.float32(max(1, brightest - darkest))
    filled = np.clip(_fill_crop(predictor, values, crop_hole, piece, detail, advance), 0.0, 1.0)
    levels = np.rint(filled * np.float32(brightest - darkest) + darkest).astype(image.dtype)
    core = piece.core_in_crop
    image[piece.core] = np.where(crop_hole[core][..., np.newaxis], levels[core], crop[core])


def lacks_texture(hole: np.ndarray, plan: Sequence[Piece], detail: str) -> bool:
  """Returns whether a piece gets no texture because too little is known around it.

  Args:
    hole: (H, W) bool, True = hole.
    plan: pieces in pixels of the image.
    detail: one of `DETAILS`.
  """
  in_turn = _in_turn(plan, hole.copy())
  return any(_has_texture(piece, detail) and not texture.is_possible(crop_hole) for piece, crop_hole in in_turn)


def brightness_range(image: np.ndarray, hole: np.ndarray) -> tuple[int, int]:
  """Returns the minimum and the maximum of the known pixels over all channels.

  Args:
    image: (H, W, 3) uint8 or uint16.
    hole: (H, W) bool, True = hole, with at least one known pixel.
  """
  rows, columns = pieces.bounds(hole)
  around = (image[: rows.start], image[rows.stop :], image[rows, : columns.start], image[rows, columns.stop :])
  extremes = [(part.min(), part.max()) for part in around if part.size]  # Much faster than masking the whole image.
  inside, known = image[rows, columns], (~hole[rows, columns]).astype(np.uint8)
  if known.any():
    extremes += [cv2.minMaxLoc(cv2.extractChannel(inside, channel), known)[:2] for channel in range(3)]
  return int(min(low for low, _ in extremes)), int(max(high for _, high in extremes))


def check_finite(filled: np.ndarray, hole: np.ndarray) -> None:
  """Raises InputError if a fill (H, W, 3) has values in the hole (H, W) that are not finite."""
  if not np.isfinite(filled[hole]).all():
    raise InputError("the model returns values that are not finite: its weights are damaged, or too large; train again")


def _in_turn(plan, hole):
  """Yields each piece with the hole that is left in its crop; its core becomes known before the next."""
  for piece in plan:
    yield piece, hole[piece.crop]
    hole[piece.core] = False


def _has_texture(piece, detail):
  return detail == "patches" or detail == "auto" and piece.thickness_px >= _MIN_TEXTURE_THICKNESS_PX


def _fill_crop(predictor, image, hole, piece, detail, advance):
  """Returns the filled crop (H, W, 3) float32 for an image in [0, 1]."""
  is_gray = _is_gray(image[~hole])
  smooth = pyramid.fill(predictor, image, hole, piece.halvings)
  check_finite(smooth, hole)
  smooth = smooth_ground.fill(image, hole, smooth)
  if is_gray:
    smooth = np.where(hole[..., np.newaxis], smooth.mean(axis=-1, keepdims=True), image)
  advance()
  filled = texture.add_texture(image, hole, smooth) if _has_texture(piece, detail) else smooth
  blended = blending.blend(image, hole, filled, colours=smooth)
  advance()
  return blended


def _is_gray(pixels):
  """Returns whether R = G = B in (n, 3) pixels."""
  return bool((pixels[:, 0] == pixels[:, 1]).all() and (pixels[:, 1] == pixels[:, 2]).all())

"""Fills holes in photographs of any size.

A photograph is filled piece by piece (see `pieces`): the networks at the scale they learnt (`pyramid`), texture from
the surroundings (`detail`), and a blend in the gradient domain (`blending`). `native=True` leaves all of that out and
gives the networks' own result at the image's own resolution.
"""

from collections.abc import Callable
import contextlib
import dataclasses

import cv2
import numpy as np
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.inference import blending
from z2i_tf.inference import detail as texture
from z2i_tf.inference import model_store
from z2i_tf.inference import pieces
from z2i_tf.inference import pyramid
from z2i_tf.inference import smooth_ground
from z2i_tf.inference.checks import check_pair
from z2i_tf.inference.pieces import Piece

DETAILS = ("auto", "patches", "none")
# In holes thinner than this no texture is visible, so "auto" copies none.
_MIN_TEXTURE_THICKNESS_PX = 6
_STEPS_PER_PIECE = 2  # Networks, then texture with its blending.


@dataclasses.dataclass(frozen=True, eq=False)
class Patch:
  """A rectangle of a photograph whose hole is filled.

  Attributes:
    box: its rows and columns in the photograph.
    pixels: (h, w, 3) of the photograph's type; known pixels are the photograph's.
  """

  box: tuple[slice, slice]
  pixels: np.ndarray


class PhotoInpainter:
  """Fills holes with a trained model."""

  def __init__(self, predictor):
    """Wraps a `Predictor`, or anything with its methods and attributes."""
    self._predictor = predictor

  @classmethod
  def load(cls, model: str = model_store.DEFAULT, precision: str | None = None) -> "PhotoInpainter":
    """Loads a model.

    Args:
      model: a bundled model's name, or a folder with `model.npz` or a SavedModel of `z2i export`.
      precision: "float32" or "bfloat16" (faster on processors that have it); None: float32, or a SavedModel's own.
    Raises: InputError if it cannot.
    """
    return cls(model_store.load_predictor(model, precision))

  def plan(self, image: np.ndarray, mask: np.ndarray) -> list[Piece]:
    """Returns the pieces that an image will be filled in; arguments and errors as `__call__`."""
    with _out_of_memory_said(image):
      return pieces.divide(check_pair(image, mask), self._predictor.max_thickness_px)

  def remark(self, mask: np.ndarray, plan: list[Piece]) -> str:
    """Returns a warning if a piece has too little context for texture, else ""."""
    hole = np.asarray(mask).reshape(np.shape(mask)[:2]) != 0
    if all(texture.is_possible(hole[piece.crop]) for piece in plan):
      return ""
    return "too little is known around the hole: filled without texture"

  def count_steps(self, plan: list[Piece] | None) -> int:
    """Returns how often `__call__` will call `advance`; `plan` None stands for `native`."""
    return _STEPS_PER_PIECE * len(plan) if plan else 1

  def __call__(
    self,
    image: np.ndarray,
    mask: np.ndarray,
    native: bool = False,
    detail: str = "auto",
    plan: list[Piece] | None = None,
    advance: Callable[[], None] = lambda: None,
  ) -> np.ndarray:
    """Fills the hole.

    Args:
      image: (H, W, 3) uint8 or uint16; pixels under the hole are ignored.
      mask: (H, W) or (H, W, 1), hole = anything but 0, known = 0; bool, 0/1 or 0/255.
      native: whether to return the networks' own result at the image's own resolution.
      detail: "auto" copies texture into all but thin holes, "patches" into all, "none" into none.
      plan: what `plan` returned for them, if it was called.
      advance: called after each step, on progress.
    Returns: (H, W, 3) of the image's type; known pixels are those of `image`, bit for bit.
    Raises:
      InputError: shapes or types are others, the mask has no hole or no known pixel, or memory does not suffice.
      ValueError: there is no such detail.
    """
    if detail not in DETAILS:
      raise ValueError(f"detail must be one of {', '.join(DETAILS)}. Received: {detail}")
    image, hole = np.asarray(image), check_pair(image, mask)
    with _out_of_memory_said(image):
      if native:
        filled = self._predictor.fill(_as_float(image)[np.newaxis], hole[np.newaxis])[0]
        advance()
        _check_finite(filled, hole)
        return image_ops.fill_hole(image, hole, filled)
      plan = plan or pieces.divide(hole, self._predictor.max_thickness_px)
      result = image.copy()
      self._fill_pieces(result, hole.copy(), plan, _range(image, hole), detail, advance)
      return result

  def patches(
    self,
    image: np.ndarray,
    mask: np.ndarray,
    detail: str = "auto",
    plan: list[Piece] | None = None,
    advance: Callable[[], None] = lambda: None,
  ) -> list[Patch]:
    """Fills the hole like `__call__`, but returns only the rectangles that contain it.

    The time depends on the hole: of a large photograph only the brightness range is read. Put into the photograph,
    the patches give the result of `__call__`, bit for bit.

    Args, Raises: as `__call__`.
    """
    image, hole = np.asarray(image), check_pair(image, mask)
    with _out_of_memory_said(image):
      plan = plan or pieces.divide(hole, self._predictor.max_thickness_px)
      region = pieces.region(plan)
      result = image[region].copy()
      moved = [piece.relative_to(region) for piece in plan]
      self._fill_pieces(result, hole[region].copy(), moved, _range(image, hole), detail, advance)
      return [Patch(piece.core, result[inner.core].copy()) for piece, inner in zip(plan, moved)]

  def stages(self, image: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Returns every stage of the networks at the image's own resolution.

    Args: as `__call__`.
    Returns: float32 arrays by stage name, (H, W, 3) or, at high resolution, (H*scale, W*scale, 3); and
      "attention_sources" as of `Generator.stages`.
    Raises: InputError as `__call__`.
    """
    image, hole = np.asarray(image), check_pair(image, mask)
    with _out_of_memory_said(image):
      stages = self._predictor.stages(_as_float(image)[np.newaxis], hole[np.newaxis])
    return {name: stage[0] for name, stage in stages.items()}

  def _fill_pieces(self, result, left, plan, known_range, detail, advance):
    """Fills pieces one after the other, in place: their pixels in `result`, the hole that is left in `left`."""
    darkest, brightest = known_range
    for piece in plan:
      crop, crop_hole = result[piece.crop], left[piece.crop]
      values = (crop.astype(np.float32) - darkest) / np.float32(max(1, brightest - darkest))
      filled = np.clip(self._filled(values, crop_hole, piece, detail, advance), 0.0, 1.0)
      levels = np.rint(filled * np.float32(brightest - darkest) + darkest).astype(result.dtype)
      core = piece.core_in_crop
      result[piece.core] = np.where(crop_hole[core][..., np.newaxis], levels[core], crop[core])
      left[piece.core] = False

  def _filled(self, image, hole, piece, detail, advance):
    """Fills a crop (H, W, 3) float32 in [0, 1]."""
    is_gray = _is_gray(image[~hole])
    smooth = pyramid.fill(self._predictor, image, hole, piece.halvings)
    _check_finite(smooth, hole)
    smooth = smooth_ground.fill(image, hole, smooth)
    if is_gray:
      smooth = np.where(hole[..., np.newaxis], smooth.mean(axis=-1, keepdims=True), image)
    advance()
    has_texture = detail == "patches" or detail == "auto" and piece.thickness_px >= _MIN_TEXTURE_THICKNESS_PX
    filled = texture.add_texture(image, hole, smooth) if has_texture else smooth
    blended = blending.blend(image, hole, filled, colours=smooth)
    advance()
    return blended


def _check_finite(filled, hole):
  """Raises InputError if networks filled a hole with what is no number."""
  if not np.isfinite(filled[hole]).all():
    raise InputError(
      "the model gives values that are not numbers: its weights are damaged, or too large; train it again"
    )


def _range(image, hole) -> tuple[int, int]:
  """Returns the minimum and the maximum of the known pixels, over all channels.

  The networks see this range as 0 to 1, so files that use part of their bits are filled like any other.
  """
  rows, columns = pieces.bounds(hole)
  around = (image[: rows.start], image[rows.stop :], image[rows, : columns.start], image[rows, columns.stop :])
  extremes = [(part.min(), part.max()) for part in around if part.size]  # Much faster than a look at the mask.
  inside, known = image[rows, columns], (~hole[rows, columns]).astype(np.uint8)
  if known.any():
    extremes += [cv2.minMaxLoc(cv2.extractChannel(inside, channel), known)[:2] for channel in range(3)]
  return int(min(low for low, _ in extremes)), int(max(high for _, high in extremes))


def _is_gray(pixels) -> bool:
  """Whether R = G = B in (n, 3) pixels."""
  return bool((pixels[:, 0] == pixels[:, 1]).all() and (pixels[:, 1] == pixels[:, 2]).all())


def _as_float(image):
  """uint8 or uint16 of any shape to float32 in [0, 1]."""
  return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


@contextlib.contextmanager
def _out_of_memory_said(image):
  """Turns what NumPy, TensorFlow and OpenCV raise without memory into one line for the user."""
  try:
    yield
  except (MemoryError, tf.errors.ResourceExhaustedError, cv2.error) as error:
    if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
      raise
    height, width = np.shape(image)[:2]
    raise InputError(
      f"out of memory: an image of {height}x{width}; close other programs, or give a smaller one"
    ) from error

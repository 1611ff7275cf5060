"""Fills holes in photographs: the public `z2i_tf.Inpainter`."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import contextlib
import dataclasses
import os

import cv2
import numpy as np
from PIL import Image
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.images import given_images
from z2i_tf.images.given_images import AnyImage
from z2i_tf.images.mask_files import MaskReading
from z2i_tf.inference import bundled_models
from z2i_tf.inference import crop_fill
from z2i_tf.inference import model_store
from z2i_tf.inference import pieces
from z2i_tf.inference.generator import PRECISIONS
from z2i_tf.inference.pieces import Piece
from z2i_tf.inference.predictors import Predictor

Result = Image.Image | np.ndarray

# Settings of a model that `repr` shows.
_DESCRIBED = ("zoom", "scale", "width", "adapter")
_SHORT_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16"}


@dataclasses.dataclass(frozen=True, eq=False)
class Patch:
  """A rectangle of a photograph with its hole filled.

  Attributes:
    box: its rows and columns in the photograph.
    pixels: (h, w, 3) of the photograph's type; known pixels are the photograph's.
  """

  box: tuple[slice, slice]
  pixels: np.ndarray


class Inpainter:
  """Fills holes with a trained model.

  Images are paths, PIL images or arrays: (H, W), (H, W, 1), (H, W, 3) and, with alpha, (H, W, 2) and (H, W, 4); uint8,
  uint16, or floats in [0, 1], which are filled in 16 bits. A PIL image returns a PIL image (palettes become RGB or
  RGBA, CMYK and YCbCr become RGB, mode 1 becomes L). An array returns an array of its shape and type, a path an array
  with the file's channels. Alpha stays, except where the hole was erased to transparency: there it becomes opaque.
  Known pixels stay bit for bit.

  Masks are of the same kinds, or arrays of bool or of two values, 0 = known. White, or opaque, is the hole. Ambiguous
  masks are refused.

  A photograph is filled piece by piece (see `crop_fill`), and the networks of z2i compute large crops in tiles, so
  their memory is bounded. Other methods' networks see a whole crop, and with `native` the whole image.
  """

  def __init__(self, predictor: Predictor, model: str | None = None):
    """Wraps a predictor; `model` is the model's name for `repr`."""
    self._predictor = predictor
    self._model = model

  @classmethod
  def load(cls, model: str | os.PathLike = bundled_models.DEFAULT, precision: str | None = None) -> "Inpainter":
    """Loads a model.

    Args:
      model: a bundled model's name; a folder with `model.npz` or a SavedModel of `z2i export`; or the model of another
        method, as `ADAPTER:PATH` or a path whose adapter lies beside it.
      precision: "float32" ("fp32") or "bfloat16" ("bf16"; faster on processors that support it); None: float32, or the
        precision of a SavedModel or of another method's model.
    Raises: InputError if the model cannot be loaded, or the precision is unknown or not the model's own.
    """
    model = os.fspath(model)
    full_name = precision if precision is None else _SHORT_PRECISIONS.get(precision, precision)
    if full_name is not None and full_name not in PRECISIONS:
      raise InputError(f"`precision`={precision}: expected one of {', '.join([*PRECISIONS, *_SHORT_PRECISIONS])}")
    return cls(model_store.load_predictor(model, full_name), model)

  def __repr__(self) -> str:
    described = {
      "model": self._model,
      "precision": self._predictor.precision,
      **{name: self._predictor.settings.get(name) for name in _DESCRIBED},
      "max_thickness_px": self._predictor.max_thickness_px,
    }
    return f"Inpainter({', '.join(f'{name}={value!r}' for name, value in described.items() if value is not None)})"

  def __call__(
    self,
    image: AnyImage,
    mask: AnyImage,
    native: bool = False,
    detail: str = "auto",
    plan: list[Piece] | None = None,
    advance: Callable[[], None] = lambda: None,
    *,
    mask_from: str = "auto",
    invert_mask: bool = False,
    mask_threshold: int | None = None,
    max_pixels: int | None = None,
  ) -> Result:
    """Fills the hole.

    Args:
      image: see the class; pixels under the hole are ignored.
      mask: see the class; of the image's size.
      native: whether to return the networks' own result at the image's own resolution; without `detail` and `plan`.
      detail: "auto" copies texture into all but thin holes, "patches" into all, "none" into none.
      plan: the result of `plan` for the same image and mask; None: computed here.
      advance: called after each step (see `count_steps`).
      mask_from: channel of the mask that is read: "luma", "alpha", or "auto", which chooses the more informative one.
      invert_mask: whether black, or transparent, marks the hole.
      mask_threshold: lowest level of 255 that marks the hole; None: the whole of soft strokes.
      max_pixels: maximum number of pixels of a file; None: Pillow's limit (89,478,485).
    Returns: the filled image, of the kind that was given.
    Raises:
      InputError: an image or a mask cannot be read, has an unsupported shape or type, the sizes differ, the mask is
        ambiguous or has no hole or no known pixel, `detail`, `mask_from` or `mask_threshold` cannot be used, `plan` is
        of another mask, or memory does not suffice.
    """
    _check_detail(detail, native)
    if native and plan:
      raise InputError("`plan` has no effect with `native`; leave one of them out")
    reading = MaskReading(invert_mask, mask_from, mask_threshold)
    return self._prepared(image, mask, reading, max_pixels, "image", "mask")(native, detail, plan, advance)

  def fill_batch(
    self,
    images: Iterable[AnyImage],
    masks: AnyImage | Sequence[AnyImage],
    native: bool = False,
    detail: str = "auto",
    advance: Callable[[], None] = lambda: None,
    *,
    mask_from: str = "auto",
    invert_mask: bool = False,
    mask_threshold: int | None = None,
    max_pixels: int | None = None,
  ) -> list[Result]:
    """Fills images of any sizes and kinds one after the other.

    Reads and checks all of them before it fills the first, so all are in memory. For many files, call the inpainter on
    each.

    Args:
      images: as `__call__`, or an array (B, H, W, C).
      masks: one for each image, or one for all: a path, a PIL image, or an array (H, W).
      advance: called after each filled image.
      native, detail, mask_from, invert_mask, mask_threshold, max_pixels: as `__call__`.
    Returns: a result for each image, of its kind.
    Raises: as `__call__`, naming the image or mask by its number from 0.
    """
    _check_detail(detail, native)
    if isinstance(images, (str, os.PathLike, Image.Image)):
      raise InputError("images: one image, not a list of them; give [image], or call the inpainter itself")
    images = list(images)
    if isinstance(masks, (str, os.PathLike, Image.Image)) or isinstance(masks, np.ndarray) and masks.ndim == 2:
      masks, names = [masks] * len(images), ["masks"] * len(images)
    else:
      masks = list(masks)
      names = [f"masks[{number}]" for number in range(len(masks))]
    if len(masks) != len(images):
      raise InputError(f"images and masks: {len(images)} and {len(masks)}; give a mask for each image, or one for all")
    reading = MaskReading(invert_mask, mask_from, mask_threshold)
    prepared = [
      self._prepared(image, mask, reading, max_pixels, f"images[{number}]", name)
      for number, (image, mask, name) in enumerate(zip(images, masks, names))
    ]
    results = []
    for fill in prepared:
      results.append(fill(native, detail, None, lambda: None))
      advance()
    return results

  def plan(
    self,
    image: AnyImage,
    mask: AnyImage,
    *,
    mask_from: str = "auto",
    invert_mask: bool = False,
    mask_threshold: int | None = None,
    max_pixels: int | None = None,
  ) -> list[Piece]:
    """Returns the pieces in which the hole will be filled; arguments and errors as `__call__`."""
    reading = MaskReading(invert_mask, mask_from, mask_threshold)
    given, hole = _given(image, mask, reading, max_pixels, "image", "mask")
    rgb = given.photo.rgb
    with _out_of_memory_reported(rgb):
      return pieces.divide(hole, self._predictor.max_thickness_px)

  def remark(self, mask: np.ndarray, plan: list[Piece], detail: str = "auto") -> str:
    """Returns a warning if a piece has too little context for its texture, else "".

    Args:
      mask: (H, W), 0 = known.
      plan: the result of `plan` for this mask.
      detail: as `__call__`.
    """
    is_without = crop_fill.lacks_texture(np.asarray(mask) != 0, plan, detail)
    return "too little is known around the hole: filled without texture" if is_without else ""

  def count_steps(self, plan: list[Piece] | None) -> int:
    """Returns how often `__call__` will call `advance`; `plan` is None for `native`."""
    return crop_fill.STEPS_PER_PIECE * len(plan) if plan else 1

  def patches(
    self,
    image: AnyImage,
    mask: AnyImage,
    detail: str = "auto",
    plan: list[Piece] | None = None,
    advance: Callable[[], None] = lambda: None,
  ) -> list[Patch]:
    """Fills the hole like `__call__`, but returns only the rectangles that contain it, (h, w, 3) uint8 or uint16.

    The time depends on the hole: only the brightness range of a large photograph is read. The patches, put into the
    photograph, give the result of `__call__` bit for bit.

    Args, Raises: as `__call__`.
    """
    _check_detail(detail)
    rgb, hole = _pixels(image, mask)
    with _out_of_memory_reported(rgb):
      plan = self._checked(plan, hole)
      region = pieces.region(plan)
      result = rgb[region].copy()
      moved = [piece.relative_to(region) for piece in plan]
      known_range = crop_fill.brightness_range(rgb, hole)
      crop_fill.fill_pieces(self._predictor, result, hole[region].copy(), moved, known_range, detail, advance)
      return [Patch(piece.core, result[inner.core].copy()) for piece, inner in zip(plan, moved)]

  def outputs(self, image: AnyImage, mask: AnyImage) -> dict[str, np.ndarray]:
    """Returns every output of the networks at the image's own resolution.

    Args, Raises: as `__call__`.
    Returns: float32 arrays by name, (H, W, 3) or, at high resolution, (H*scale, W*scale, 3); and, from the
      generator of the paper's networks, "attention_sources".
    """
    rgb, hole = _pixels(image, mask)
    with _out_of_memory_reported(rgb):
      outputs = self._predictor.outputs(_as_float(rgb)[np.newaxis], hole[np.newaxis])
    return {name: output[0] for name, output in outputs.items()}

  def _prepared(self, image, mask, reading, max_pixels, image_name, mask_name):
    """Reads and checks an image and its mask; returns a function (native, detail, plan, advance) -> result."""
    given, hole = _given(image, mask, reading, max_pixels, image_name, mask_name)
    is_own_mask = reading.is_of_erasure and _are_same(image, mask)
    return lambda *options: given.to_input_type(self._fill(given.photo.rgb, hole, *options), hole, is_own_mask)

  def _fill(self, image, hole, native, detail, plan, advance):
    """Fills (H, W, 3) uint8 or uint16; `hole` is (H, W) bool."""
    with _out_of_memory_reported(image):
      if native:
        filled = self._predictor.fill(_as_float(image)[np.newaxis], hole[np.newaxis])[0]
        advance()
        crop_fill.check_finite(filled, hole)
        return image_ops.fill_hole(image, hole, filled)
      plan = self._checked(plan, hole)
      result = image.copy()
      known_range = crop_fill.brightness_range(image, hole)
      crop_fill.fill_pieces(self._predictor, result, hole.copy(), plan, known_range, detail, advance)
      return result

  def _checked(self, plan, hole):
    """Returns the pieces of a hole: the given ones, if they are its own."""
    if not plan:
      return pieces.divide(hole, self._predictor.max_thickness_px)
    pieces.check_plan(plan, hole)
    return plan


def _check_detail(detail, native=False):
  if detail not in crop_fill.DETAILS:
    raise InputError(f"`detail`={detail}: expected one of {', '.join(crop_fill.DETAILS)}")
  if native and detail != crop_fill.DETAILS[0]:
    raise InputError(f"`detail`={detail} has no effect with `native`; leave one of them out")


def _given(image, mask, reading, max_pixels, image_name, mask_name):
  """Returns an `InputImage` and its hole, (H, W) bool; raises InputError naming one of them."""
  given = given_images.read_image(image, image_name, max_pixels)
  hole = given_images.read_hole(mask, given, reading, mask_name, max_pixels)
  try:
    pieces.check_hole(hole)
  except InputError as error:
    raise InputError(f"{mask_name}: {error}") from error
  given_images.check_known_floats(image, hole, image_name)
  return given, hole


def _pixels(image, mask) -> tuple[np.ndarray, np.ndarray]:
  given, hole = _given(image, mask, MaskReading(), None, "image", "mask")
  return given.photo.rgb, hole


def _are_same(image, mask) -> bool:
  """Returns whether an image is its own mask."""
  if isinstance(image, (str, os.PathLike)) and isinstance(mask, (str, os.PathLike)):
    return os.path.realpath(image) == os.path.realpath(mask)
  return image is mask


def _as_float(image):
  """Converts uint8 or uint16 of any shape to float32 in [0, 1]."""
  return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


@contextlib.contextmanager
def _out_of_memory_reported(image):
  """Turns the out-of-memory errors of NumPy, TensorFlow and OpenCV into an InputError."""
  try:
    yield
  except (MemoryError, tf.errors.ResourceExhaustedError, cv2.error) as error:
    if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
      raise
    height, width = np.shape(image)[:2]
    raise InputError(
      f"out of memory: an image of {height}x{width}; close other programs, or give a smaller one"
    ) from error

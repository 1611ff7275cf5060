"""What fills holes, for Python: takes images and masks as people have them, and returns the kind that it was given."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import contextlib
import os
import re

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.images import given_images
from z2i_tf.images.given_images import AnyImage
from z2i_tf.images.given_images import MaskReading
from z2i_tf.inference import model_store
from z2i_tf.inference.checks import check_hole
from z2i_tf.inference.generator import PRECISIONS
from z2i_tf.inference.photo_inpainter import Patch
from z2i_tf.inference.photo_inpainter import PhotoInpainter
from z2i_tf.inference.pieces import Piece

Result = Image.Image | np.ndarray

_SHORT_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16"}
# The library's messages speak of flags; the arguments here have the same names.
_FLAG = re.compile(r"--([a-z]\w*)")


class Inpainter(PhotoInpainter):
  """Fills holes with a trained model.

  Images are paths, PIL images or arrays: (H, W), (H, W, 1), (H, W, 3) and, with alpha, (H, W, 2) and (H, W, 4); uint8,
  uint16, or floats in [0, 1], which are filled in 16 bits. PIL images are returned for PIL images (palettes become RGB
  or RGBA, CMYK becomes RGB), otherwise arrays: of an array's shape and type, or with a file's channels. Alpha
  stays, but where a hole was erased to transparency: there it becomes opaque. Known pixels are those of the image, bit
  for bit.

  Masks are of the same kinds, and masks of bool or of two values, 0 = known. White, or opaque, is the hole; what could
  mean two things is refused.

  There is no limit of memory to set: a photograph is filled in crops around its holes, and what the networks compute of
  a crop in tiles of bounded size.
  """

  def __init__(self, predictor, model: str | None = None):
    """Wraps a `Predictor`, or anything with its methods and attributes; `model` is its name, for people."""
    super().__init__(predictor)
    self._model = model

  @classmethod
  def load(cls, model: str | os.PathLike = model_store.DEFAULT, precision: str | None = None) -> "Inpainter":
    """Loads a model.

    Args:
      model: a bundled model's name, or a folder with `model.npz` or a SavedModel of `z2i export`.
      precision: "float32" ("fp32") or "bfloat16" ("bf16"; faster on processors that have it); None: float32, or a
        SavedModel's own.
    Raises: InputError if it cannot.
    """
    model = os.fspath(model)
    with _arguments_named():
      full_name = _SHORT_PRECISIONS.get(precision, precision)
      if full_name is not None and full_name not in PRECISIONS:
        raise InputError(f"precision={precision}: it is one of {', '.join([*PRECISIONS, *_SHORT_PRECISIONS])}")
      return cls(model_store.load_predictor(model, full_name), model)

  def __repr__(self) -> str:
    config = self._predictor.model_config
    described = {
      "model": self._model,
      "precision": self._predictor.precision,
      "zoom": config.zoom,
      "scale": config.scale,
      "width": config.width,
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
      native: whether to return the networks' own result at the image's own resolution.
      detail: "auto" copies texture into all but thin holes, "patches" into all, "none" into none.
      plan: what `plan` returned for them, if it was called.
      advance: called after each step, on progress.
      mask_from: channel of the mask that is read: "luma", "alpha", or "auto", the one that says more.
      invert_mask: whether the hole is what is black, or transparent.
      mask_threshold: level of 255 from which on a pixel of the mask is hole; None: soft strokes are taken in whole.
      max_pixels: largest number of pixels of a file; None: Pillow's limit (89,478,485).
    Returns: the image with its hole filled, as the kind that was given.
    Raises:
      InputError: an image or a mask cannot be read, shapes or types are others, the sizes differ, the mask is ambiguous
        or has no hole or no known pixel, or memory does not suffice.
      ValueError: there is no such detail, or `mask_from`.
    """
    reading = _reading(mask_from, invert_mask, mask_threshold)
    with _arguments_named():
      fill = self._prepared(image, mask, reading, max_pixels, "image", "mask")
      return fill(native, detail, plan, advance)

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
    """Fills images of any sizes and kinds, one after the other.

    All are read and checked before the first is filled, so all are in memory; of many files, call the inpainter itself.

    Args:
      images: as of `__call__`, or an array (B, H, W, C).
      masks: one for each image; or one for all: a path, a PIL image, or an array (H, W).
      advance: called after each image.
      native, detail, mask_from, invert_mask, mask_threshold, max_pixels: as of `__call__`.
    Returns: a result for each image, as its kind.
    Raises: as `__call__`, naming the image or mask by its number from 0.
    """
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
    reading = _reading(mask_from, invert_mask, mask_threshold)
    results = []
    with _arguments_named():
      prepared = [
        self._prepared(image, mask, reading, max_pixels, f"images[{number}]", name)
        for number, (image, mask, name) in enumerate(zip(images, masks, names))
      ]
      for fill in prepared:
        results.append(fill(native, detail, None, lambda: None))
        advance()
    return results

  def plan(self, image: AnyImage, mask: AnyImage) -> list[Piece]:
    """Returns the pieces that an image will be filled in; arguments and errors as `__call__`."""
    with _arguments_named():
      return super().plan(*_pixels(image, mask))

  def remark(self, mask: AnyImage, plan: list[Piece]) -> str:
    """Returns a warning if a piece has too little context for texture, else ""; `mask`: (H, W), 0 = known."""
    return super().remark(mask, plan)

  def patches(
    self,
    image: AnyImage,
    mask: AnyImage,
    detail: str = "auto",
    plan: list[Piece] | None = None,
    advance: Callable[[], None] = lambda: None,
  ) -> list[Patch]:
    """Fills the hole like `__call__`, but returns only the rectangles that contain it, (h, w, 3) uint8 or uint16.

    The time depends on the hole: of a large photograph only the brightness range is read.

    Args, Raises: as `__call__`.
    """
    with _arguments_named():
      return super().patches(*_pixels(image, mask), detail, plan, advance)

  def stages(self, image: AnyImage, mask: AnyImage) -> dict[str, np.ndarray]:
    """Returns every stage of the networks at the image's own resolution.

    Args, Raises: as `__call__`.
    Returns: float32 arrays by stage name, (H, W, 3) or, at high resolution, (H*scale, W*scale, 3); and
      "attention_sources" as of `Generator.stages`.
    """
    with _arguments_named():
      return super().stages(*_pixels(image, mask))

  def _prepared(self, image, mask, reading, max_pixels, image_name, mask_name):
    """Reads and checks an image and its mask; returns what fills it: (native, detail, plan, advance) -> result."""
    given, hole = _given(image, mask, reading, max_pixels, image_name, mask_name)
    is_own_mask = reading.mask_from == "alpha" and reading.invert and _are_same(image, mask)
    fill = super().__call__
    return lambda *options: given.given_back(fill(given.photo.rgb, hole, *options), hole, is_own_mask)


def _given(image, mask, reading, max_pixels, image_name, mask_name):
  """Returns a `GivenImage` and its hole, (H, W) bool; raises InputError naming one of them."""
  given = given_images.read_image(image, image_name, max_pixels)
  hole = given_images.read_hole(mask, given, reading, mask_name, max_pixels)
  try:
    check_hole(hole)
  except InputError as error:
    raise InputError(f"{mask_name}: {error}") from error
  given_images.check_known_floats(image, hole, image_name)
  return given, hole


def _pixels(image, mask):
  given, hole = _given(image, mask, MaskReading(), None, "image", "mask")
  return given.photo.rgb, hole


def _reading(mask_from, invert_mask, mask_threshold) -> MaskReading:
  if mask_from not in ("auto", "luma", "alpha"):
    raise ValueError(f"mask_from must be one of auto, luma, alpha. Received: {mask_from}")
  return MaskReading(invert_mask, mask_from, mask_threshold)


def _are_same(image, mask) -> bool:
  """Whether an image is its own mask."""
  if isinstance(image, (str, os.PathLike)) and isinstance(mask, (str, os.PathLike)):
    return os.path.realpath(image) == os.path.realpath(mask)
  return image is mask


@contextlib.contextmanager
def _arguments_named():
  """Makes errors name arguments where they would name flags."""
  try:
    yield
  except InputError as error:
    raise InputError(_FLAG.sub(r"\1", str(error))) from error

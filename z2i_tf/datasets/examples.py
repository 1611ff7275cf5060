"""Makes examples: crops images, draws masks, and turns both into tensors."""

import dataclasses
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.datasets.pictures import Picture
from z2i_tf.datasets.sources import check_size
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.datasets.training_masks import TrainingMasks
from z2i_tf.errors import InputError
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.masks.specs import OwnMasks

MAX_CROPS_PER_IMAGE = 32
# Random stream of the fixed masks; `pipelines` numbers the others.
VALIDATION_STREAM = 2

# Name -> axes of (height, width) that may be mirrored.
FLIPS = {"none": (), "horizontal": (1,), "both": (0, 1)}


@dataclasses.dataclass(frozen=True)
class ExampleConfig:
  """Settings of examples.

  Attributes:
    crop_size: side of the low-resolution crop, pixels, a multiple of 8; the high-resolution crop is
      `crop_size * scale`.
    scale: zoom factor.
    masks: kinds of masks; None for examples without holes.
    seed: of order, crops, flips and masks.
    crops_per_image: number of examples, at most 32, cut from an image each time it is decoded (paper: 1). For N > 1,
      two crops of one decoding are more than 128 // N examples apart.
    flips: directions in which a crop is mirrored, each with probability 1/2: a name in `FLIPS` (paper: "none").
    crop_scales: factors s; a training crop is cut s times as large and averaged over s x s pixels. Each crop draws s
      from the factors that its image is large enough for; a repeated factor is drawn more often (paper: 1 alone).
  Raises: ValueError for a crop size that does not fit the networks or the masks, or a value out of range.
  """

  crop_size: int
  scale: int
  masks: MaskMixture | None
  seed: int
  crops_per_image: int = 1
  flips: str = "none"
  crop_scales: tuple[int, ...] = (1,)

  def __post_init__(self):
    if self.crop_size <= 0 or self.crop_size % conventions.SIZE_MULTIPLE:
      raise ValueError(
        f"The crop size must be a multiple of {conventions.SIZE_MULTIPLE}. Received: `crop_size`={self.crop_size}"
      )
    reference = self.masks.reference_size if self.masks else None
    if reference is not None and reference < self.crop_size:
      raise ValueError(
        f"Masks drawn at {reference} pixels are smaller than the crop of {self.crop_size}; raise `mask_reference_size`"
      )
    if not 1 <= self.crops_per_image <= MAX_CROPS_PER_IMAGE:
      raise ValueError(
        f"There can be 1 to {MAX_CROPS_PER_IMAGE} crops per image. Received: `crops_per_image`={self.crops_per_image}"
      )
    if self.flips not in FLIPS:
      raise ValueError(f"Flips are one of {', '.join(FLIPS)}. Received: `flips`={self.flips!r}")
    if not self.crop_scales or min(self.crop_scales) < 1:
      raise ValueError(f"Scales of crops are whole numbers from 1. Received: `crop_scales`={self.crop_scales}")

  @property
  def crop_size_hr(self) -> int:
    """Side of the high-resolution crop, pixels."""
    return self.crop_size * self.scale

  @property
  def smallest_cut(self) -> int:
    """Side of the smallest training cut, pixels; smaller images are unusable."""
    return self.crop_size_hr * min(self.crop_scales)


def make_config(
  *, mask_kind: str | None, train_mask_dir: str | None, mask_reference_size: int | None, crop_size: int, **settings: Any
) -> ExampleConfig:
  """Makes the settings of examples from plain values; reads the masks of `train_mask_dir`.

  Args:
    mask_kind: kind of masks, or shares such as "small:0.7,large:0.3"; None for examples without holes.
    train_mask_dir: folder of masks for the kind "folder".
    mask_reference_size: side at which masks are drawn, pixels; None draws at `crop_size`.
    crop_size: see `ExampleConfig`.
    **settings: the other attributes of `ExampleConfig`.
  Raises: InputError for masks that are missing or unusable, and for settings that exclude each other.
  """
  masks, own_masks = None, None
  if mask_kind is not None:
    if train_mask_dir:
      own_masks = OwnMasks(TrainingMasks(train_mask_dir, mask_reference_size or crop_size))
    try:
      masks = MaskMixture.parse(mask_kind, mask_reference_size, own_masks)
    except InputError:
      raise
    except ValueError as error:
      raise InputError(f"`mask_kind`={mask_kind}: {error}") from error
  try:
    return ExampleConfig(crop_size=crop_size, masks=masks, **settings)
  except ValueError as error:
    raise InputError(str(error)) from error


def random_crop(picture: Picture, config: ExampleConfig, rng: np.random.Generator) -> np.ndarray:
  """Returns a random crop, scaled and flipped, (S*scale, S*scale, 3) uint8; raises InputError if a tile is damaged."""
  scales = [scale for scale in config.crop_scales if config.crop_size_hr * scale <= min(picture.shape)]
  # A single scale draws no number from the generator.
  scale = scales[0 if len(config.crop_scales) == 1 else rng.integers(len(scales))]
  side = config.crop_size_hr * scale
  top, left = (rng.integers(length - side + 1) for length in picture.shape)
  crop = picture.crop(top, left, side, side)
  if scale > 1:
    crop = cv2.resize(crop, (config.crop_size_hr, config.crop_size_hr), interpolation=cv2.INTER_AREA)
  for axis in FLIPS[config.flips]:
    if rng.random() < 0.5:
      crop = np.flip(crop, axis)
  return crop


def centre_crop(source: ImageSource, index: int, side: int) -> np.ndarray:
  """Returns the centre of image `index`, (side, side, 3) uint8; raises InputError if the image is unusable."""
  picture = open_picture(source, index, side)
  top, left = ((length - side) // 2 for length in picture.shape)
  return picture.crop(top, left, side, side)


def validation_mask(masks: MaskMixture | None, side: int, seed: int, index: int) -> np.ndarray:
  """Returns the fixed mask of image `index`; `masks`, result and errors as in `draw_mask`."""
  return draw_mask(masks, side, np.random.default_rng([seed, VALIDATION_STREAM, index]))


def draw_mask(masks: MaskMixture | None, side: int, rng: np.random.Generator) -> np.ndarray:
  """Draws a mask, (side, side) uint8, 1 = hole, all 0 for `masks` None; raises InputError if none can be drawn."""
  if masks is None:
    return np.zeros((side, side), np.uint8)
  try:
    return masks.draw(side, side, rng)
  except ValueError as error:
    raise InputError(f"{error} Give a larger `crop_size`, or other masks") from error


def open_picture(source: ImageSource, index: int, side: int) -> Picture:
  """Opens image `index`; raises InputError if it is damaged or has no crop of `side` x `side` pixels."""
  picture = source.open(index)
  check_size(source.name(index), picture.shape, side)
  return picture


def shrink(image: tf.Tensor, side: int) -> tf.Tensor:
  """Shrinks bicubically with antialiasing: (H, W, 3) in [0, 1] -> (side, side, 3) float32, which may overshoot."""
  return tf.image.resize(image, [side, side], tf.image.ResizeMethod.BICUBIC, antialias=True)


def to_tensors(crop: tf.Tensor, mask: tf.Tensor, config: ExampleConfig) -> dict[str, tf.Tensor]:
  """Returns the unbatched example of a crop (S*scale, S*scale, 3) and its mask (S, S), both uint8."""
  side, side_hr = config.crop_size, config.crop_size_hr
  image_hr = tf.cast(tf.ensure_shape(crop, [side_hr, side_hr, 3]), tf.float32) / 255.0
  mask = tf.cast(tf.ensure_shape(mask, [side, side]), tf.float32)
  image_lr = image_hr
  if config.scale > 1:
    image_lr = shrink(image_hr, side)
  return {conventions.IMAGE_HR: image_hr, conventions.IMAGE_LR: image_lr, conventions.MASK_LR: mask[..., tf.newaxis]}

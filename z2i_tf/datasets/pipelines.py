"""From images to batches: crop, flip, degrade, mask.

Everything random about an example (which image, which crop, which flip, which mask) is a function of the seed and
the example's number in the run, hence of its epoch, so a run can start at any step and sees what an
uninterrupted one would have seen, whatever the number of parallel calls and of replicas.

Several crops per decoded image (our own option) come in blocks: a block's images are visited round after round,
each round with one crop of each image. A round orders the first half of the block's images anew, then the second half,
so that two crops of one decoding are always more than half a block's images apart.
"""

import dataclasses
import functools

import cv2
import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.datasets import python_calls
from z2i_tf.datasets.bad_images import BadImages
from z2i_tf.datasets.pictures import Picture
from z2i_tf.datasets.sources import check_size
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.errors import InputError
from z2i_tf.masks.mixture import MaskMixture

# Independent random streams of one seed.
_ORDER_STREAM, _EXAMPLE_STREAM, _VALIDATION_STREAM, _ROUND_STREAM = range(4)
# A block of several crops per image holds about so many (200 MB at 512x512 pixels; the next block is on its way), and
# the images of a block are at least an eighth of them.
_BLOCK_CROPS = 256
_MAX_CROPS_PER_IMAGE = 32
_ENDLESS = np.iinfo(np.int64).max
# What stands for crop and mask of an unusable image until they are left out.
_NOTHING = (np.zeros([0], np.uint8), np.zeros([0], np.uint8))

# Name -> axes of (height, width) that may be mirrored.
FLIPS = {"none": (), "horizontal": (1,), "both": (0, 1)}


@dataclasses.dataclass(frozen=True)
class ExampleConfig:
  """What an example is made of.

  Attributes:
    crop_size: side of the low-resolution crop, pixels, a multiple of 8; the high-resolution crop is
      `crop_size * scale`.
    scale: zoom factor.
    masks: the kinds of masks; None for examples without holes.
    seed: of order, crops, flips and masks.
    crops_per_image: so many examples, at most 32, are cut from an image each time it is decoded (paper: 1). For
      N > 1, two of one decoding are more than 128 // N examples apart.
    flips: in which directions a crop is mirrored, each with probability 1/2: a name in `FLIPS` (paper: "none").
    crop_scales: factors s; a training crop is cut s times as large and averaged over s x s pixels. For each crop s is
      drawn among those that the image is large enough for; repeat a factor to draw it more often (paper: 1 alone).
  Raises: ValueError for a crop size that the networks or the masks do not take, or values out of range.
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
        f"The crop size must be a multiple of {conventions.SIZE_MULTIPLE}. Received: crop_size={self.crop_size}"
      )
    reference = self.masks.reference_size if self.masks else None
    if reference is not None and reference < self.crop_size:
      raise ValueError(
        f"Masks drawn at {reference} pixels are smaller than the crop of {self.crop_size}; "
        "raise the mask reference size"
      )
    if not 1 <= self.crops_per_image <= _MAX_CROPS_PER_IMAGE:
      raise ValueError(
        f"There can be 1 to {_MAX_CROPS_PER_IMAGE} crops per image. Received: crops_per_image={self.crops_per_image}"
      )
    if self.flips not in FLIPS:
      raise ValueError(f"Flips are one of {', '.join(FLIPS)}. Received: flips={self.flips!r}")
    if not self.crop_scales or min(self.crop_scales) < 1:
      raise ValueError(f"Scales of crops are whole numbers from 1. Received: crop_scales={self.crop_scales}")

  @property
  def crop_size_hr(self) -> int:
    return self.crop_size * self.scale

  @property
  def smallest_cut(self) -> int:
    """Side of the smallest part of an image that becomes a training crop, pixels: smaller images are unusable."""
    return self.crop_size_hr * min(self.crop_scales)


def training_dataset(
  source: ImageSource,
  config: ExampleConfig,
  batch_size: int,
  start_example: int = 0,
  bad_images: BadImages | None = None,
  parallel_calls: int = tf.data.AUTOTUNE,
  worker: int = 0,
  workers: int = 1,
) -> tf.data.Dataset:
  """Endless batches of random crops with fresh masks.

  Each epoch visits every image once, in a new order. In the place of an unusable image comes the next usable one
  of the epoch's order.

  Args:
    source: of the images.
    config: of the examples.
    batch_size: global; batch n has the examples start_example + n * batch_size and following.
    start_example: the example to start with; nothing of earlier ones is computed (with several crops per image:
      nothing of earlier blocks).
    bad_images: decides about unusable images; None: the first one is an error.
    parallel_calls: how many images are worked on at once; the batches do not depend on it.
    worker: of so many `workers`, each of which gets an equal share of every batch: the first one its beginning. With
      several crops per image every worker decodes the images of all.
  Returns: dataset of dicts: "image_hr" (B, S*scale, S*scale, 3) and "image_lr" (B, S, S, 3) float32 in
    [0, 1] (bicubic may overshoot), "mask_lr" (B, S, S, 1) float32, 1 = hole.
    Iterating raises InputError (within `python_calls.reading_errors`) when no image is usable.
  """
  visits = _Visits(source, config, bad_images or BadImages(fail=True))
  per_image = config.crops_per_image
  block_images = _BLOCK_CROPS // per_image
  share = batch_size // workers
  if per_image == 1:
    numbers = tf.data.Dataset.range(_ENDLESS).map(
      lambda number: start_example + number // share * batch_size + worker * share + number % share
    )
    crops = numbers.map(visits.crops, num_parallel_calls=parallel_calls).unbatch()
  else:
    first_block, rest = divmod(start_example, block_images * per_image)
    crops = tf.data.Dataset.range(first_block * block_images, _ENDLESS).map(
      visits.crops, num_parallel_calls=parallel_calls
    )
    blocks = crops.batch(block_images, drop_remainder=True).enumerate(first_block)
    crops = blocks.map(lambda number, block: _in_rounds(number, block, config, block_images)).prefetch(1)
    crops = crops.unbatch().skip(rest)
    if workers > 1:
      crops = (
        crops.enumerate()
        .filter(lambda number, _: number % batch_size // share == worker)
        .map(lambda _, example: example)
      )
  examples = crops.map(lambda crop, mask: _tensors(crop, mask, config), num_parallel_calls=parallel_calls)
  return examples.batch(share, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def validation_dataset(
  source: ImageSource, config: ExampleConfig, batch_size: int, bad_images: BadImages | None = None
) -> tf.data.Dataset:
  """The centre crop of every usable image with one fixed mask each, in order; the last batch may be smaller.

  Crops are cut as large as they are, whatever the scales of the training crops.

  Args and returns: as `training_dataset`; an image's mask depends on the seed and its index only.
  """
  bad_images = bad_images or BadImages(fail=True)

  @python_calls.wrap
  def example(index):
    try:
      crop = centre_crop(source, int(index), config.crop_size_hr)
    except InputError as error:
      bad_images.report(source.name(int(index)), error)
      return (*_NOTHING, False)
    return crop, validation_mask(config.masks, config.crop_size, config.seed, int(index)), True

  examples = tf.data.Dataset.range(len(source)).map(
    lambda index: tf.numpy_function(example, [index], (tf.uint8, tf.uint8, tf.bool)),
    num_parallel_calls=tf.data.AUTOTUNE,
  )
  examples = examples.filter(lambda crop, mask, usable: usable).map(
    lambda crop, mask, usable: _tensors(crop, mask, config), num_parallel_calls=tf.data.AUTOTUNE
  )
  return examples.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def centre_crop(source: ImageSource, index: int, side: int) -> np.ndarray:
  """Returns image `index`'s centre, (side, side, 3) uint8; raises InputError if the image is unusable."""
  picture = _open(source, index, side)
  top, left = ((length - side) // 2 for length in picture.shape)
  return picture.crop(top, left, side, side)


def validation_mask(masks: MaskMixture, side: int, seed: int, index: int) -> np.ndarray:
  """Returns image `index`'s fixed mask, (side, side) uint8, 1 = hole; raises InputError if none can be drawn."""
  return _draw(masks, side, np.random.default_rng([seed, _VALIDATION_STREAM, index]))


def shrink(image: tf.Tensor, side: int) -> tf.Tensor:
  """Bicubic with antialiasing: (H, W, 3) in [0, 1] -> (side, side, 3) float32, which may overshoot."""
  return tf.image.resize(image, [side, side], tf.image.ResizeMethod.BICUBIC, antialias=True)


def _draw(masks, side, rng):
  if masks is None:
    return np.zeros((side, side), np.uint8)
  try:
    return masks.draw(side, side, rng)
  except ValueError as error:
    raise InputError(f"{error} Take larger crops (--crop_size), or --mask_reference_size") from error


def _open(source, index, side) -> Picture:
  picture = source.open(index)
  check_size(source.name(index), picture.shape, side)
  return picture


class _Visits:
  """The images in the order in which they are visited, and the crops cut from them."""

  def __init__(self, source, config, bad_images):
    self._source, self._config, self._bad_images = source, config, bad_images
    # Images that cannot be opened, so that each is tried once.
    self._unusable = set()
    # Epoch -> the order of its images.
    self._order = functools.lru_cache(maxsize=2)(
      lambda epoch: np.random.default_rng([config.seed, _ORDER_STREAM, epoch]).permutation(len(source))
    )

  def crops(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns visit `number`'s crops (N, S*scale, S*scale, 3) and masks (N, S, S), uint8, N = crops per image."""
    config = self._config
    crops, masks = tf.numpy_function(python_calls.wrap(self._make), [number], (tf.uint8, tf.uint8), stateful=False)
    return (
      tf.ensure_shape(crops, [config.crops_per_image, config.crop_size_hr, config.crop_size_hr, 3]),
      tf.ensure_shape(masks, [config.crops_per_image, config.crop_size, config.crop_size]),
    )

  def _make(self, number):
    crops, generators = self._crops_of_next_usable(int(number))
    return crops, np.stack([_draw(self._config.masks, self._config.crop_size, rng) for rng in generators])

  def _crops_of_next_usable(self, number):
    """Returns the crops of a visit, and each example's generator for what is still to be drawn."""
    source, config = self._source, self._config
    epoch, position = divmod(number, len(source))
    identities = range(number * config.crops_per_image, (number + 1) * config.crops_per_image)
    for offset in range(len(source)):
      index = int(self._order(epoch)[(position + offset) % len(source)])
      picture = None if index in self._unusable else self._opened(index)
      if picture is None:
        continue
      # Anew for every image: one damaged behind its beginning may have taken some of their numbers.
      generators = [np.random.default_rng([config.seed, _EXAMPLE_STREAM, identity]) for identity in identities]
      try:
        return np.stack([_random_crop(picture, config, rng) for rng in generators]), generators
      except InputError as error:  # A tile; other crops may do without it.
        self._bad_images.report(source.name(index), error)
    raise InputError(f"none of the {len(source)} images is usable")

  def _opened(self, index):
    try:
      return _open(self._source, index, self._config.smallest_cut)
    except InputError as error:
      self._bad_images.report(self._source.name(index), error)
      self._unusable.add(index)
      return None


def _random_crop(picture, config, rng):
  scales = [scale for scale in config.crop_scales if config.crop_size_hr * scale <= min(picture.shape)]
  # One scale alone takes no number from the generator.
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


def _in_rounds(block, crops, config, images):
  """Puts a block's crops, (images, crops per image, ...), into their order: (images * crops per image, ...)."""

  @python_calls.wrap
  def order(block):
    rng = np.random.default_rng([config.seed, _ROUND_STREAM, int(block)])
    halves = np.split(rng.permutation(images), [images // 2])
    return np.concatenate(
      [
        rng.permutation(half) * config.crops_per_image + number
        for number in range(config.crops_per_image)
        for half in halves
      ]
    )

  indices = tf.ensure_shape(
    tf.numpy_function(order, [block], tf.int64, stateful=False), [images * config.crops_per_image]
  )
  return tuple(tf.gather(tf.reshape(part, [-1, *part.shape[2:]]), indices) for part in crops)


def _tensors(crop, mask, config) -> dict[str, tf.Tensor]:
  """A uint8 crop and its mask as the unbatched dict of an example."""
  side, side_hr = config.crop_size, config.crop_size_hr
  image_hr = tf.cast(tf.ensure_shape(crop, [side_hr, side_hr, 3]), tf.float32) / 255.0
  mask = tf.cast(tf.ensure_shape(mask, [side, side]), tf.float32)
  image_lr = image_hr
  if config.scale > 1:
    image_lr = shrink(image_hr, side)
  return {conventions.IMAGE_HR: image_hr, conventions.IMAGE_LR: image_lr, conventions.MASK_LR: mask[..., tf.newaxis]}

"""From images to batches: crop, degrade, mask.

Everything random about an example (which image, which crop, which mask) is a function of the seed and the
example's index, so a run can start at any step and sees what an uninterrupted one would have seen,
whatever the number of parallel calls.
"""

import contextlib
import dataclasses
import functools
import re
from typing import Dict, Iterator, Tuple

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.datasets.sources import FolderSource
from z2i_tf.errors import InputError
from z2i_tf.masks.mixture import MaskMixture

# How TensorFlow quotes an exception of a Python function in a pipeline.
_QUOTED_ERROR = re.compile(r"InputError: (.+)")
# Independent random streams of one seed.
_ORDER_STREAM, _EXAMPLE_STREAM, _VALIDATION_STREAM = range(3)


@contextlib.contextmanager
def reading_errors() -> Iterator[None]:
  """Raises the InputError of an unreadable image as itself; TensorFlow wraps it while iterating."""
  try:
    yield
  except tf.errors.OpError as error:
    quoted = _QUOTED_ERROR.search(str(error))
    if quoted is None:
      raise
    raise InputError(quoted[1]) from None  # What TensorFlow adds keeps its threads alive.


@dataclasses.dataclass(frozen=True)
class ExampleConfig:
  """What an example is made of.

  Attributes:
    crop_size: side of the low-resolution crop, pixels, a multiple of 8; the high-resolution crop is
      `crop_size * scale`.
    scale: zoom factor.
    masks: the kinds of masks.
    seed: of order, crops and masks.
  Raises: ValueError for a crop size that the networks or the masks do not take.
  """
  crop_size: int
  scale: int
  masks: MaskMixture
  seed: int

  def __post_init__(self):
    if self.crop_size <= 0 or self.crop_size % conventions.SIZE_MULTIPLE:
      raise ValueError(f"The crop size must be a multiple of {conventions.SIZE_MULTIPLE}. "
                       f"Received: crop_size={self.crop_size}")
    reference = self.masks.reference_size
    if reference is not None and reference < self.crop_size:
      raise ValueError(f"Masks drawn at {reference} pixels are smaller than the crop of {self.crop_size}; "
                       "raise the mask reference size")

  @property
  def crop_size_hr(self) -> int:
    return self.crop_size * self.scale


def training_dataset(source: FolderSource, config: ExampleConfig, batch_size: int,
                     start_step: int = 0) -> tf.data.Dataset:
  """Endless batches of random crops with fresh masks.

  Each epoch takes every image once, in a new order.

  Args:
    source: of the images.
    config: of the examples.
    batch_size: global; batch n has the examples n * batch_size and following.
    start_step: the batch to start with; earlier ones are not computed.
  Returns: dataset of dicts: "image_hr" (B, S*scale, S*scale, 3) and "image_lr" (B, S, S, 3) float32 in
    [0, 1] (bicubic may overshoot), "mask_lr" (B, S, S, 1) float32, 1 = hole.
  """
  @functools.lru_cache(maxsize=2)
  def order(epoch):
    return np.random.default_rng([config.seed, _ORDER_STREAM, epoch]).permutation(len(source))

  def example(index):
    epoch, position = divmod(int(index), len(source))
    rng = np.random.default_rng([config.seed, _EXAMPLE_STREAM, int(index)])
    image = source.image(order(epoch)[position])
    side = config.crop_size_hr
    top, left = (rng.integers(length - side + 1) for length in image.shape[:2])
    mask = config.masks.draw(config.crop_size, config.crop_size, rng)
    return image[top:top + side, left:left + side], mask

  indices = tf.data.Dataset.range(start_step * batch_size, np.iinfo(np.int64).max)
  return _examples(indices, example, config).batch(batch_size, drop_remainder=True).prefetch(
      tf.data.AUTOTUNE)


def validation_dataset(source: FolderSource, config: ExampleConfig, batch_size: int) -> tf.data.Dataset:
  """The centre crop of every image with one fixed mask each, in order; the last batch may be smaller.

  Args: as `training_dataset`.
  """
  def example(index):
    return validation_example(
        source, int(index), config.crop_size_hr, config.crop_size, config.masks, config.seed)

  indices = tf.data.Dataset.range(len(source))
  return _examples(indices, example, config).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def validation_example(source: FolderSource, index: int, crop_size: int, mask_size: int,
                       masks: MaskMixture, seed: int) -> Tuple[np.ndarray, np.ndarray]:
  """Returns image `index`'s centre crop (crop_size, crop_size, 3) and its fixed (mask_size, mask_size) mask.

  Both uint8, 1 = hole; sizes in pixels.
  """
  image = source.image(index)
  top, left = ((length - crop_size) // 2 for length in image.shape[:2])
  rng = np.random.default_rng([seed, _VALIDATION_STREAM, index])
  return (image[top:top + crop_size, left:left + crop_size], masks.draw(mask_size, mask_size, rng))


def _examples(indices, example, config):
  """Maps indices through `example` (index -> uint8 crop and mask) to unbatched dicts."""
  side, side_hr = config.crop_size, config.crop_size_hr

  def to_tensors(index) -> Dict[str, tf.Tensor]:
    crop, mask = tf.numpy_function(example, [index], (tf.uint8, tf.uint8), stateful=False)
    image_hr = tf.cast(tf.ensure_shape(crop, [side_hr, side_hr, 3]), tf.float32) / 255.0
    mask = tf.cast(tf.ensure_shape(mask, [side, side]), tf.float32)
    image_lr = image_hr
    if config.scale > 1:
      image_lr = tf.image.resize(image_hr, [side, side], tf.image.ResizeMethod.BICUBIC, antialias=True)
    return {conventions.IMAGE_HR: image_hr, conventions.IMAGE_LR: image_lr,
            conventions.MASK_LR: mask[..., tf.newaxis]}

  return indices.map(to_tensors, num_parallel_calls=tf.data.AUTOTUNE)

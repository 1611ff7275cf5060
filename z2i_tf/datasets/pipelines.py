"""Builds datasets of examples: crops, flips, shrinks and masks images, and batches them.

All randomness of an example (image, crop, flip, mask) is a function of the seed and of the example's number in the run.
A run can therefore start at any step and sees the examples of an uninterrupted run, for any number of parallel
calls and replicas.

Several crops per decoded image (our own option) come in blocks. A block visits its images in rounds, each with one crop
of each image. A round shuffles the first half of the block's images, then the second half, so that two crops of one
decoding are always more than half a block's images apart.
"""

import functools

import numpy as np
import tensorflow as tf

from z2i_tf.datasets import examples
from z2i_tf.datasets import python_calls
from z2i_tf.datasets.examples import ExampleConfig
from z2i_tf.datasets.sources import BadImages
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.errors import InputError
from z2i_tf.system.processor import usable_cores

# Independent random streams of one seed; number 2 is `examples.VALIDATION_STREAM`.
_ORDER_STREAM, _EXAMPLE_STREAM, _ROUND_STREAM = 0, 1, 3
# Target number of crops in a block (200 MB at 512x512 pixels, twice with prefetching).
_BLOCK_CROPS = 256
_ENDLESS = np.iinfo(np.int64).max
# Replaces crop and mask of an unusable image until a filter drops them.
_NOTHING = (np.zeros([0], np.uint8), np.zeros([0], np.uint8))


def training_dataset(
  source: ImageSource,
  config: ExampleConfig,
  batch_size: int,
  start_example: int = 0,
  bad_images: BadImages | None = None,
  parallel_calls: int | None = None,
  worker: int = 0,
  workers: int = 1,
) -> tf.data.Dataset:
  """Builds endless batches of random crops with fresh masks.

  Each epoch visits every image once, in a new order. The next usable image of that order replaces an unusable one.

  Args:
    source: of the images.
    config: of the examples.
    batch_size: global; batch n starts with example start_example + n * batch_size.
    start_example: number of the first example. Earlier examples cost nothing; with several crops per image, earlier
      blocks cost nothing.
    bad_images: skips unusable images, or raises; None: raises.
    parallel_calls: number of images processed in parallel, which does not change the batches; None: usable cores.
    worker: index of this worker. Worker 0 gets the beginning of every batch.
    workers: number of workers, which share every batch equally. With several crops per image each decodes all images.
  Returns: dataset of dicts: "image_hr" (B, S*scale, S*scale, 3) and "image_lr" (B, S, S, 3) float32 in
    [0, 1] (bicubic may overshoot), "mask_lr" (B, S, S, 1) float32, 1 = hole.
    Iterating raises InputError (within `python_calls.reading_errors`) when no image is usable.
  """
  visits = _Visits(source, config, bad_images or BadImages(fail=True))
  parallel_calls = parallel_calls or usable_cores()
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
  batches = crops.map(lambda crop, mask: examples.to_tensors(crop, mask, config), num_parallel_calls=parallel_calls)
  return _ending_at_once(batches.batch(share, drop_remainder=True).prefetch(tf.data.AUTOTUNE))


def validation_dataset(
  source: ImageSource, config: ExampleConfig, batch_size: int, bad_images: BadImages | None = None
) -> tf.data.Dataset:
  """Builds batches of the centre crop of every usable image, in order; the last batch may be smaller.

  `crop_scales` does not apply to these crops. The mask of an image depends on the seed and its index alone.

  Args:
    source: of the images.
    config: of the examples.
    batch_size: of all batches but the last.
    bad_images: as in `training_dataset`.
  Returns: as `training_dataset`.
  """
  bad_images = bad_images or BadImages(fail=True)

  @python_calls.wrap
  def example(index):
    try:
      crop = examples.centre_crop(source, int(index), config.crop_size_hr)
    except InputError as error:
      bad_images.report(source.name(int(index)), error)
      return (*_NOTHING, False)
    return crop, examples.validation_mask(config.masks, config.crop_size, config.seed, int(index)), True

  usable = tf.data.Dataset.range(len(source)).map(
    lambda index: tf.numpy_function(example, [index], (tf.uint8, tf.uint8, tf.bool)), num_parallel_calls=usable_cores()
  )
  usable = usable.filter(lambda crop, mask, is_usable: is_usable).map(
    lambda crop, mask, is_usable: examples.to_tensors(crop, mask, config), num_parallel_calls=usable_cores()
  )
  return _ending_at_once(usable.batch(batch_size).prefetch(tf.data.AUTOTUNE))


def _ending_at_once(batches):
  """Turns off tf.data's tuning thread, for which the end of a long training would wait for up to two minutes."""
  options = tf.data.Options()
  options.autotune.enabled = False
  return batches.with_options(options)


class _Visits:
  """Visits images in the order of each epoch and cuts their crops."""

  def __init__(self, source, config, bad_images):
    self._source, self._config, self._bad_images = source, config, bad_images
    # Indices of images that could not be opened: each is tried once.
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
    return crops, np.stack([examples.draw_mask(self._config.masks, self._config.crop_size, rng) for rng in generators])

  def _crops_of_next_usable(self, number):
    """Returns the crops of a visit, and the generator of each example, which then draws its mask."""
    source, config = self._source, self._config
    epoch, position = divmod(number, len(source))
    identities = range(number * config.crops_per_image, (number + 1) * config.crops_per_image)
    for offset in range(len(source)):
      index = int(self._order(epoch)[(position + offset) % len(source)])
      picture = None if index in self._unusable else self._opened(index)
      if picture is None:
        continue
      # New ones for every image: an image with a damaged tile may have used some of their numbers.
      generators = [np.random.default_rng([config.seed, _EXAMPLE_STREAM, identity]) for identity in identities]
      try:
        return np.stack([examples.random_crop(picture, config, rng) for rng in generators]), generators
      except InputError as error:  # A damaged tile; other crops may avoid it.
        self._bad_images.report(source.name(index), error)
    raise InputError(f"none of the {len(source)} images is usable")

  def _opened(self, index):
    try:
      return examples.open_picture(self._source, index, self._config.smallest_cut)
    except InputError as error:
      self._bad_images.report(self._source.name(index), error)
      self._unusable.add(index)
      return None


def _in_rounds(block, crops, config, images):
  """Orders the crops of a block: (images, crops per image, ...) -> (images * crops per image, ...)."""

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

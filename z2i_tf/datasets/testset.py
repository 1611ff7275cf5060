"""Fixed images and masks to measure on: the paper's protocol (section 4.1), written to a folder once.

Of each image the centre crop is taken, and one mask of each kind is drawn for it.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any

import numpy as np

from z2i_tf import image_ops
from z2i_tf.datasets import pipelines
from z2i_tf.datasets.bad_images import BadImages
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.masks.mixture import MaskMixture

IMAGES, MASKS = "images", "masks"
_ORDER_STREAM = 0


def write_testset(
  sources: Sequence[ImageSource],
  folder: str,
  kinds: Mapping[str, MaskMixture],
  count: int,
  crop_size: int,
  shrink: int,
  seed: int,
  bad_images: BadImages,
  advance: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
  """Writes images/NNNNN.png and masks/KIND/NNNNN.png.

  Args:
    sources: of the images.
    folder: existing, empty.
    kinds: name -> of its masks.
    count: of images of each source, drawn at random; 0 = all of them, in their order.
    crop_size: side of the images, pixels.
    shrink: the centre crop has `shrink` times that side and is shrunk by this factor (bicubic with antialiasing).
    seed: of choice and masks; a mask is a function of it and of the image's number, counted over all sources.
    bad_images: decides about images that are damaged or too small; the next one comes in their place.
    advance: called after every image.
  Returns: for every image its file name, its name in the source, and kind -> hole ratio.
  Raises: InputError if there are not so many usable images.
  """
  for source in sources:
    if count > len(source):
      raise _too_few(len(source), source, count)
  for name in (IMAGES, *(os.path.join(MASKS, kind) for kind in kinds)):
    os.makedirs(os.path.join(folder, name))
  written: list[dict[str, Any]] = []
  first = 0
  for source in sources:
    before = len(written)
    order = np.random.default_rng([seed, _ORDER_STREAM]).permutation(len(source)) if count else range(len(source))
    for index in map(int, order):
      try:
        image = pipelines.centre_crop(source, index, crop_size * shrink)
      except InputError as error:
        bad_images.report(source.name(index), error)
        continue
      if shrink > 1:
        image = image_ops.to_levels(pipelines.shrink(image.astype(np.float32) / 255.0, crop_size).numpy())
      masks = {
        kind: pipelines.validation_mask(mixture, crop_size, seed, first + index) for kind, mixture in kinds.items()
      }
      written.append(_write(folder, f"{len(written):05d}.png", image, masks, source.name(index)))
      advance()
      if len(written) - before == count:
        break
    if len(written) - before < max(count, 1):
      raise _too_few(len(written) - before, source, count)
    first += len(source)
  return written


def _write(folder, name, image, masks, origin) -> dict[str, Any]:
  """Writes an image and its masks; returns what the test set says of it."""
  image_files.write_rgb(os.path.join(folder, IMAGES, name), image)
  for kind, mask in masks.items():
    image_files.write_mask(os.path.join(folder, MASKS, kind, name), mask)
  return {
    "name": name,
    "from": os.path.basename(origin),
    "hole_ratios": {kind: float(mask.mean()) for kind, mask in masks.items()},
  }


def _too_few(usable, source, count) -> InputError:
  return InputError(
    f"{usable} of the {len(source)} images are usable, {count or 'some'} are needed; give a lower "
    "--count or --crop_size"
  )

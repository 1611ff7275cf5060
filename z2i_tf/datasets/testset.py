"""Fixed images and masks to measure on: the paper's protocol (section 4.1), written to a folder once.

Of each image the centre crop is taken, and one mask of each kind is drawn for it.
"""

import os
from typing import Any, Callable, Dict, List, Mapping

import numpy as np

from z2i_tf import image_io
from z2i_tf import image_ops
from z2i_tf.datasets import pipelines
from z2i_tf.datasets.bad_images import BadImages
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.errors import InputError
from z2i_tf.masks.mixture import MaskMixture

IMAGES, MASKS = "images", "masks"
_ORDER_STREAM = 0


def write_testset(source: ImageSource, folder: str, kinds: Mapping[str, MaskMixture], count: int, crop_size: int,
                  shrink: int, seed: int, bad_images: BadImages,
                  advance: Callable[[], None] = lambda: None) -> List[Dict[str, Any]]:
  """Writes images/NNNNN.png and masks/KIND/NNNNN.png.

  Args:
    source: of the images.
    folder: existing, empty.
    kinds: name -> of its masks.
    count: of images, drawn at random; 0 = all of the source, in its order.
    crop_size: side of the images, pixels.
    shrink: the centre crop has `shrink` times that side and is shrunk by this factor (bicubic with antialiasing).
    seed: of choice and masks; a mask is a function of it and of the image's number in the source.
    bad_images: decides about images that are damaged or too small; the next one comes in their place.
    advance: called after every image.
  Returns: for every image its file name, its name in the source, and kind -> hole ratio.
  Raises: InputError if there are not so many usable images.
  """
  order = np.random.default_rng([seed, _ORDER_STREAM]).permutation(len(source)) if count else range(len(source))
  for name in (IMAGES, *(os.path.join(MASKS, kind) for kind in kinds)):
    os.makedirs(os.path.join(folder, name))
  written: List[Dict[str, Any]] = []
  for index in map(int, order):
    try:
      image = pipelines.centre_crop(source, index, crop_size * shrink)
    except InputError as error:
      bad_images.report(source.name(index), error)
      continue
    name = f"{len(written):05d}.png"
    if shrink > 1:
      image = image_ops.to_levels(pipelines.shrink(image.astype(np.float32) / 255.0, crop_size).numpy())
    image_io.write_rgb(os.path.join(folder, IMAGES, name), image)
    ratios = {}
    for kind, masks in kinds.items():
      mask = pipelines.validation_mask(masks, crop_size, seed, index)
      ratios[kind] = float(mask.mean())
      image_io.write_mask(os.path.join(folder, MASKS, kind, name), mask)
    written.append({"name": name, "from": os.path.basename(source.name(index)), "hole_ratios": ratios})
    advance()
    if len(written) == count:
      break
  if len(written) < max(count, 1):
    raise InputError(f"{len(written)} of the {len(source)} images are usable, {count or 'some'} are needed; give a "
                     "lower --count or --crop_size")
  return written

"""Fills the holes of one image (--image, --mask, --output) or of a folder (--image_dir, --mask_dir,
--output_dir), where image and mask share their name up to the extension.

White mask pixels are the hole. The output has the image's size; in lossless formats (PNG, WebP, TIFF, BMP)
known pixels are those of the input, bit for bit.
"""

import os
import sys

from absl import flags

from z2i_tf.cli import flag_groups
from z2i_tf.errors import InputError

_ONE = ("image", "mask", "output")
_FOLDER = ("image_dir", "mask_dir", "output_dir")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image", None, "Image to inpaint.", flag_values=values)
  flags.DEFINE_string("mask", None, "Its mask, of the same size; white = hole.", flag_values=values)
  flags.DEFINE_string("output", None, "Image to write; the extension says the format.", flag_values=values)
  flags.DEFINE_string("image_dir", None, "Folder of images to inpaint.", flag_values=values)
  flags.DEFINE_string("mask_dir", None, "Folder of their masks.", flag_values=values)
  flags.DEFINE_string("output_dir", None, "Existing folder for the results, which are PNG files.",
                      flag_values=values)
  flag_groups.define_model_choice_flag(values)


def run(values: flags.FlagValues) -> bool:
  """Returns whether a file of a folder run failed."""
  given = [name for name in _ONE + _FOLDER if values[name].value]
  if set(given) == set(_ONE):
    return _inpaint_one(values)
  if set(given) == set(_FOLDER):
    return _inpaint_folder(values)
  raise InputError("give either --image, --mask and --output, or --image_dir, --mask_dir and --output_dir; "
                   f"given: {', '.join('--' + name for name in given) or 'none of them'}")


def _inpaint_one(values):
  from z2i_tf import image_io
  image_io.check_writable_file(values.output)
  pair = image_io.read_photo(values.image), image_io.read_mask(values.mask)
  _check_pair(values.image, values.mask, *pair)
  from z2i_tf.inference.inpainter import Inpainter
  _fill(Inpainter.load(values.model), *pair, values.output)
  print(values.output)
  return False


def _inpaint_folder(values):
  from z2i_tf import image_io
  images, masks = image_io.list_images(values.image_dir), image_io.list_images(values.mask_dir)
  image_io.check_writable_folder(values.output_dir)
  from z2i_tf.inference.inpainter import Inpainter
  inpainter = Inpainter.load(values.model)
  failures = []
  for path in images:
    output = os.path.join(values.output_dir, _stem(path) + ".png")
    try:
      mask_path = _only_match(path, images, masks, values.mask_dir)
      pair = image_io.read_photo(path), image_io.read_mask(mask_path)
      _check_pair(path, mask_path, *pair)
      _fill(inpainter, *pair, output)
      print(output)
    except InputError as error:
      failures.append(str(error))
  for failure in failures:
    print(f"failed: {failure}", file=sys.stderr)
  print(f"{len(images) - len(failures)} of {len(images)} images inpainted")
  return bool(failures)


def _fill(inpainter, photo, mask, output):
  import dataclasses
  from z2i_tf import image_io
  image_io.write_photo(output, dataclasses.replace(photo, rgb=inpainter(photo.rgb, mask)))


def _check_pair(image_path, mask_path, photo, mask):
  if photo.rgb.shape[:2] != mask.shape:
    raise InputError(f"{mask_path} is {mask.shape[0]}x{mask.shape[1]} (height x width), {image_path} is "
                     f"{photo.rgb.shape[0]}x{photo.rgb.shape[1]}; they must be equal")
  if not mask.any():
    raise InputError(f"{mask_path}: the mask is empty (no white pixel): there is nothing to fill")
  if mask.all():
    raise InputError(f"{mask_path}: the mask covers everything: no known pixel to fill from")


def _only_match(image_path, images, masks, mask_dir):
  """Returns the one mask with the image's stem."""
  stem = _stem(image_path)
  if sum(_stem(path) == stem for path in images) > 1:
    raise InputError(f"{image_path}: several images are called {stem}; their results would overwrite each "
                     "other")
  matches = [path for path in masks if _stem(path) == stem]
  if len(matches) != 1:
    raise InputError(f"{image_path}: {len(matches) or 'no'} masks called {stem} in {mask_dir}; one is needed")
  return matches[0]


def _stem(path):
  return os.path.splitext(os.path.basename(path))[0]

"""Fills the holes of one image (--image, --mask, --output) or of a folder (--image_dir, --mask_dir,
--output_dir), where image and mask share their name up to the extension.

White mask pixels are the hole. The output has the image's size; in lossless formats (PNG, WebP, TIFF, BMP)
known pixels are those of the input, bit for bit.
"""

import dataclasses
import os

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
  from z2i_tf.cli import pairs
  image_io.check_writable_file(values.output)
  if os.path.realpath(values.output) in map(os.path.realpath, (values.image, values.mask)):
    raise InputError(f"--output={values.output} would overwrite its input; give another name")
  photo, mask, _ = pairs.read_pair(values.image, values.mask)
  from z2i_tf.inference.inpainter import Inpainter
  _fill(Inpainter.load(values.model), photo, mask, values.output)
  print(values.output)
  return False


def _inpaint_folder(values):
  from z2i_tf import image_io
  from z2i_tf.cli import pairs
  folder = pairs.FolderPairs(values.image_dir, values.mask_dir, values.output_dir)
  image_io.check_writable_folder(values.output_dir)
  from z2i_tf.inference.inpainter import Inpainter
  inpainter = Inpainter.load(values.model)
  failures = []
  for path in folder.images:
    output = os.path.join(values.output_dir, pairs.stem(path) + ".png")
    try:
      _fill(inpainter, *folder.read(path)[:2], output)
      print(output)
    except InputError as error:
      failures.append(str(error))
  return pairs.report(failures, len(folder.images))


def _fill(inpainter, photo, mask, output):
  from z2i_tf import photo_io
  photo_io.write_photo(output, dataclasses.replace(photo, rgb=inpainter(photo.rgb, mask)))

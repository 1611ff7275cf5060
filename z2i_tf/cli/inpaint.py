"""Fills the holes of one image, or of a folder of images.

IMAGE and MASK are files, or folders in which image and mask share their name up to the extension; one mask may serve a
whole folder. The flags --image, --mask, --output, --image_dir, --mask_dir and --output_dir mean the same.

White mask pixels are the hole. The networks fill it at the scale that they were trained on. The fill then grows to the
image's resolution, gets texture from around the hole, and is blended into the image. The output has the image's size,
depth and metadata. In lossless formats (PNG, WebP, TIFF, BMP), pixels outside the hole (as grown by --dilate) stay bit
for bit.
"""

import os
import time

from absl import flags

from z2i_tf.cli import messages
from z2i_tf.cli.flags import filling_flags
from z2i_tf.cli.flags import mask_flags
from z2i_tf.cli.progress import progress
from z2i_tf.errors import InputError

OPTIONAL_ARGUMENTS = ("IMAGE", "MASK")
HEADINGS = {"Files": ("image", "mask", "output", "image_dir", "mask_dir", "mask_suffix", "output_dir", "dump_dir")}

_ONE = {"image", "mask", "output"}
_FOLDERS = ({"image_dir", "mask_dir", "output_dir"}, {"image_dir", "mask", "output_dir"})
_PATHS = ("image", "mask", "output", "image_dir", "mask_dir", "output_dir")
_FOLDER_ONLY = ("resume", "workers", "mask_suffix")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image", None, "Image to inpaint.", flag_values=values)
  flags.DEFINE_string(
    "mask",
    None,
    "Its mask, of the same size; white = hole. With --image_dir: one mask for all its images.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "output",
    None,
    "Image to write; its extension chooses the format. For a folder of images, same as --output_dir.",
    short_name="o",
    flag_values=values,
  )
  flags.DEFINE_string("image_dir", None, "Folder of images to inpaint.", flag_values=values)
  flags.DEFINE_string("mask_dir", None, "Folder of their masks.", flag_values=values)
  mask_flags.define_mask_suffix_flag(values)
  flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for the results, created if missing. Results keep the name and the format "
    "of their images (PNG for HEIC, AVIF, JPEG 2000 and GIF).",
    flag_values=values,
  )
  flags.DEFINE_bool("resume", False, "Skip images of a folder whose result exists.", flag_values=values)
  flags.DEFINE_integer(
    "workers", 2, "Number of threads that read images; as many others write results.", lower_bound=1, flag_values=values
  )
  flags.DEFINE_string(
    "dump_dir",
    None,
    "Folder for pictures of every output of the networks and of the sources of attention, created if missing; for one "
    "--image, with --native.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "verbose",
    False,
    "Print how each mask was read, how its hole is divided, and the path of each result.",
    flag_values=values,
  )
  mask_flags.define_mask_reading_flags(values)
  filling_flags.define_model_choice_flag(values)
  filling_flags.define_filling_flags(values)


def run(values: flags.FlagValues, image: str | None = None, mask: str | None = None) -> bool:
  """Returns whether a file of a folder failed; `image` and `mask` are files or folders."""
  paths = _paths(values, image, mask)
  given = {name for name, path in paths.items() if path}
  if given == _ONE:
    for name in _FOLDER_ONLY:
      if values[name].present:
        raise InputError(f"--{name} is for folders (--image_dir); leave it out")
    if values.dump_dir and not values.native:
      raise InputError("--dump_dir shows the networks at the image's own resolution: give --native too")
    _inpaint_one(paths, values.dump_dir, filling_flags.fill_config(values, values.verbose))
    return False
  if given in _FOLDERS:
    if values.dump_dir:
      raise InputError("--dump_dir is for one image (--image); leave it out")
    if values.mask_suffix and not paths["mask_dir"]:
      raise InputError(f"--mask_suffix={values.mask_suffix} is for --mask_dir; leave it out")
    return _inpaint_folder(
      paths, values.mask_suffix, values.resume, values.workers, filling_flags.fill_config(values, values.verbose)
    )
  raise InputError(
    "give IMAGE MASK --output=FILE, IMAGES/ MASKS/ --output=FOLDER, or their flags (--image, --mask, "
    "--output; --image_dir, --mask_dir or --mask, --output_dir); given: "
    f"{', '.join('--' + name for name in _PATHS if name in given) or 'none of them'}"
  )


def _paths(values, image, mask) -> dict[str, str | None]:
  """Returns the path flags, with IMAGE, MASK and a folder's --output in the flags they replace.

  Raises: InputError if a path is given twice, or one image with a folder of masks.
  """
  paths = {name: values[name].value for name in _PATHS}
  for name, path in (("image", image), ("mask", mask)):
    if path is None:
      continue
    for other in (name, f"{name}_dir"):
      if paths[other] is not None:
        raise InputError(f"{path} and --{other}={paths[other]}: the {name} is given twice; leave one of them out")
    paths[f"{name}_dir" if os.path.isdir(path) else name] = path
  if paths["image"] and paths["mask_dir"]:
    raise InputError(
      f"{paths['image']} is one image, {paths['mask_dir']} a folder of masks; give the image's own mask, or "
      "a folder of images"
    )
  if paths["image_dir"] and paths["output"] and not paths["output_dir"]:
    paths["output_dir"], paths["output"] = paths["output"], None
  return paths


def _inpaint_one(paths, dump_dir, config):
  from z2i_tf.inference import inpaint_files

  if dump_dir:
    _check_dump(dump_dir, paths, config.model)
  done = inpaint_files.inpaint_file(
    paths["image"], paths["mask"], paths["output"], config, progress, messages.print_now
  )
  print(inpaint_files.joined(paths["output"], done.remark))
  if dump_dir:
    from z2i_tf.analyses import intermediate
    from z2i_tf.images import image_files
    from z2i_tf.images import photo_files

    image_files.create_folder(dump_dir)
    intermediate.write_dump(dump_dir, done.inpainter, photo_files.to_8_bits(done.task.photo.rgb), done.task.hole)
    print(dump_dir)


def _check_dump(dump_dir, paths, model):
  """Raises InputError if the model shows no outputs, the folder cannot be made, or the dump would overwrite a file."""
  from z2i_tf.analyses import intermediate
  from z2i_tf.images import image_files
  from z2i_tf.inference.foreign import adapters

  if adapters.find(model):
    raise InputError(f"--dump_dir={dump_dir}: a model of another method shows only its result; leave out --dump_dir")
  files = {os.path.realpath(os.path.join(dump_dir, name)) for name in intermediate.DUMP_FILES}
  for name in _ONE:
    if os.path.realpath(paths[name]) in files:
      raise InputError(f"--dump_dir={dump_dir}: the dump would overwrite --{name}={paths[name]}; give another folder")
  image_files.check_creatable_folder(dump_dir)


def _inpaint_folder(paths, mask_suffix, resume, workers, config):
  from z2i_tf.inference import inpaint_files
  from z2i_tf.inference import pairs

  started = time.monotonic()
  folder = pairs.FolderPairs(
    paths["image_dir"],
    paths["mask_dir"],
    paths["output_dir"],
    paths["mask"],
    result_extension=None,
    mask_suffix=mask_suffix,
    are_own_masks=config.mask_options.reading.mask_from == "alpha",
  )
  output, images, already_there, outcome = inpaint_files.inpaint_folder(
    folder, paths["output_dir"], config, resume, workers, progress, messages.print_now
  )
  notes = []
  if outcome.filled:
    seconds = time.monotonic() - started
    notes.append(f"{seconds:.1f} s, {seconds / outcome.filled:.2f} s per image")
  if outcome.remarks and not config.verbose:
    notes.append(f"remarks on {len(outcome.remarks)} of them, such as {outcome.remarks[0]} (--verbose prints all)")
  return messages.print_outcome(
    outcome.failures, images, already_there, outcome.remarks if config.verbose else (), folder.left_out, output, notes
  )

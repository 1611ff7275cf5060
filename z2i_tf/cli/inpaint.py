"""Fills the holes of one image, or of a folder of images.

IMAGE and MASK are files, or folders in which image and mask share their name up to the extension; one mask may serve a
whole folder. The flags --image, --mask, --output, --image_dir, --mask_dir and --output_dir say the same.

White mask pixels are the hole. The networks fill it at the scale they learnt; on the way up to the image's resolution
texture is copied from around the hole, and the fill is blended into the image. The output has the image's size, depth
and metadata; in lossless formats (PNG, WebP, TIFF, BMP) what is outside the hole, as grown by --dilate, is the
input's, bit for bit.
"""

import os
import time

from absl import flags

from z2i_tf.cli.flags import flag_groups
from z2i_tf.errors import InputError

OPTIONAL_ARGUMENTS = ("IMAGE", "MASK")

_ONE = {"image", "mask", "output"}
_FOLDERS = ({"image_dir", "mask_dir", "output_dir"}, {"image_dir", "mask", "output_dir"})
_PATHS = ("image", "mask", "output", "image_dir", "mask_dir", "output_dir")
_FOLDER_ONLY = ("resume", "workers", "mask_suffix")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image", None, "Image to inpaint.", flag_values=values)
  flags.DEFINE_string(
    "mask",
    None,
    "Its mask, of the same size; white = hole. With --image_dir: the mask of all its images.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "output",
    None,
    "Image to write; the extension says the format. Of a folder of images: as --output_dir.",
    short_name="o",
    flag_values=values,
  )
  flags.DEFINE_string("image_dir", None, "Folder of images to inpaint.", flag_values=values)
  flags.DEFINE_string("mask_dir", None, "Folder of their masks.", flag_values=values)
  flags.DEFINE_string(
    "mask_suffix",
    None,
    "Of a folder, what a mask's name has after its image's: --mask_suffix=_hole "
    "pairs a.jpg with a_hole.png. Default: nothing, or _mask, or _mask with a number.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for the results, created if missing, which keep name and format "
    "of their images (PNG for HEIC, AVIF, JPEG 2000 and GIF).",
    flag_values=values,
  )
  flags.DEFINE_bool("resume", False, "Of a folder, leave out images whose result is there already.", flag_values=values)
  flags.DEFINE_integer(
    "workers",
    2,
    "Of a folder, threads that read images, and threads that write them.",
    lower_bound=1,
    flag_values=values,
  )
  flags.DEFINE_string(
    "dump_dir",
    None,
    "Folder, created if missing, for pictures of every output of the networks and "
    "of where attention copied from; for one --image, with --native.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "verbose",
    False,
    "Print how each mask was read, in which pieces its hole is filled, and every result's path.",
    flag_values=values,
  )
  flag_groups.define_mask_reading_flags(values)
  flag_groups.define_model_choice_flag(values)
  flag_groups.define_filling_flags(values)


def run(values: flags.FlagValues, image: str | None = None, mask: str | None = None) -> bool:
  """Returns whether a file of a folder run failed; `image` and `mask` are files or folders."""
  _take_arguments(values, image, mask)
  given = {name for name in _PATHS if values[name].value}
  if given == _ONE:
    for name in _FOLDER_ONLY:
      if values[name].present:
        raise InputError(f"--{name} is for folders (--image_dir); leave it out")
    if values.dump_dir and not values.native:
      raise InputError("--dump_dir shows the networks at the image's own resolution: give --native too")
    _inpaint_one(values)
    return False
  if given in _FOLDERS:
    if values.dump_dir:
      raise InputError("--dump_dir is for one image (--image); leave it out")
    return _inpaint_folder(values)
  raise InputError(
    "give IMAGE MASK --output=FILE, IMAGES/ MASKS/ --output=FOLDER, or their flags (--image, --mask, "
    "--output; --image_dir, --mask_dir or --mask, --output_dir); given: "
    f"{', '.join('--' + name for name in _PATHS if name in given) or 'none of them'}"
  )


def _take_arguments(values, image, mask):
  """Sets the flags that IMAGE, MASK and a folder's --output stand for; raises InputError if these are given too."""
  for name, path in (("image", image), ("mask", mask)):
    if path is None:
      continue
    for other in (name, f"{name}_dir"):
      if values[other].value is not None:
        raise InputError(
          f"{path} and --{other}={values[other].value}: the {name} is given twice; leave one of them out"
        )
    values[f"{name}_dir" if os.path.isdir(path) else name].value = path
  if values.image and values.mask_dir:
    raise InputError(
      f"{values.image} is one image, {values.mask_dir} a folder of masks; give the image's own mask, or "
      "a folder of images"
    )
  if values.image_dir and values.output and not values.output_dir:
    values["output_dir"].value, values["output"].value = values.output, None


def _inpaint_one(values):
  from z2i_tf.cli import filling
  from z2i_tf.cli.progress import progress
  from z2i_tf.images import image_files

  image_files.check_writable_file(values.output)
  if os.path.realpath(values.output) in map(os.path.realpath, (values.image, values.mask)):
    raise InputError(f"--output={values.output} would overwrite its input; give another name")
  arguments, reading = flag_groups.filling(values), flag_groups.mask_reading(values)
  task = filling.read(values.image, values.mask, reading)
  if values.dump_dir:
    _check_dump(values)
  from z2i_tf.inference.inpainter import Inpainter

  inpainter = Inpainter.load(values.model, values.precision)
  plan = None if values.native else inpainter.plan(task.photo.rgb, task.hole)
  if values.verbose:
    print(_description(task, plan), flush=True)
  with progress(inpainter.count_steps(plan), "step") as advance:
    filled = inpainter(task.photo.rgb, task.hole, **arguments, plan=plan, advance=advance)
  image_files.create_folder_of(values.output)
  remark = _joined(filling.write(values.output, task, filled), _texture_remark(inpainter, task, plan, values))
  print(_joined(values.output, remark))
  if values.dump_dir:
    from z2i_tf.analyses import intermediate
    from z2i_tf.images import photo_files

    intermediate.write_dump(values.dump_dir, inpainter, photo_files.to_8_bits(task.photo.rgb), task.hole)
    print(values.dump_dir)


def _texture_remark(inpainter, task, plan, values):
  return inpainter.remark(task.hole, plan) if plan and values.detail != "none" else ""


def _joined(*texts):
  return ": ".join(filter(None, texts))


def _description(task, plan):
  from z2i_tf.inference import pieces

  return f"{task.name}: {task.mask_text}; {pieces.describe(plan) if plan else 'the networks see the whole image'}"


def _check_dump(values):
  """Creates the dump's folder; raises InputError if that would fail later, or overwrite what is given."""
  from z2i_tf.analyses import intermediate
  from z2i_tf.images import image_files

  files = {os.path.realpath(os.path.join(values.dump_dir, name)) for name in intermediate.DUMP_FILES}
  for name in _ONE:
    if os.path.realpath(values[name].value) in files:
      raise InputError(
        f"--dump_dir={values.dump_dir} has a file for --{name}={values[name].value}, which the dump "
        "would overwrite; give a folder of its own"
      )
  image_files.create_folder(values.dump_dir)


def _inpaint_folder(values):
  from z2i_tf.cli import filling
  from z2i_tf.cli import folder_run
  from z2i_tf.cli import pairs
  from z2i_tf.cli.progress import progress
  from z2i_tf.images import image_files
  from z2i_tf.system import atomic_files

  started = time.monotonic()
  if values.mask_suffix and not values.mask_dir:
    raise InputError(f"--mask_suffix={values.mask_suffix} is for --mask_dir; leave it out")
  folder = pairs.FolderPairs(
    values.image_dir,
    values.mask_dir,
    values.output_dir,
    values.mask,
    result_extension=None,
    mask_suffix=values.mask_suffix,
    are_own_masks=values.mask_from == "alpha",
  )
  output = image_files.create_folder(values.output_dir)
  arguments, reading = flag_groups.filling(values), flag_groups.mask_reading(values)
  if values.mask:  # Said once, before every image fails.
    from z2i_tf.images import mask_files

    mask_files.read_mask(values.mask, reading.invert, reading.mask_from, reading.max_pixels, reading.threshold)
  items = [folder_run.Item(path, folder.result_path(path)) for path in folder.images]
  atomic_files.remove_leftovers(values.output_dir, [os.path.basename(item.output) for item in items])
  to_do = folder_run.left_to_do(items) if values.resume else items
  outcome = folder_run.Outcome()
  if to_do:
    from z2i_tf.inference.inpainter import Inpainter

    inpainter = Inpainter.load(values.model, values.precision)

    def fill(task):
      plan = None if values.native else inpainter.plan(task.photo.rgb, task.hole)
      if values.verbose:
        print(_description(task, plan), flush=True)
      filled = inpainter(task.photo.rgb, task.hole, **arguments, plan=plan)
      return filled, _texture_remark(inpainter, task, plan, values)

    def write(item, task, result):
      filled, texture_remark = result
      remark = _joined(filling.write(item.output, task, filled), texture_remark)
      return _joined(item.output, remark) if remark or values.verbose else ""

    parts = folder_run.Parts(lambda item: filling.read(item.image, folder.mask_path(item.image), reading), fill, write)
    with progress(len(to_do), "image") as advance:
      outcome = folder_run.fill_all(to_do, parts, values.workers, advance)
  notes = []
  if outcome.filled:
    seconds = time.monotonic() - started
    notes.append(f"{seconds:.1f} s, {seconds / outcome.filled:.2f} s per image")
  if outcome.remarks and not values.verbose:
    notes.append(f"remarks on {len(outcome.remarks)} of them, such as {outcome.remarks[0]} (--verbose prints all)")
  return pairs.report(
    outcome.failures,
    len(items),
    len(items) - len(to_do),
    outcome.remarks if values.verbose else (),
    folder.left_out,
    output,
    notes,
  )

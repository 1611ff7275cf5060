"""Fills the holes of one image (--image, --mask, --output) or of a folder (--image_dir, --output_dir, and --mask_dir,
where image and mask share their name up to the extension, or --mask for all).

White mask pixels are the hole. The output has the image's size, depth and metadata; in lossless formats (PNG, WebP,
TIFF, BMP) what is outside the hole, as grown by --dilate, is the input's, bit for bit. The plan is printed before it
runs: whole image or crops around the hole, and the peak of memory, which stays below --max_memory.
"""

import os
import sys

from absl import flags

from z2i_tf.cli import flag_groups
from z2i_tf.errors import InputError

_ONE = {"image", "mask", "output"}
_FOLDERS = ({"image_dir", "mask_dir", "output_dir"}, {"image_dir", "mask", "output_dir"})
_PATHS = ("image", "mask", "output", "image_dir", "mask_dir", "output_dir")
_FOLDER_ONLY = ("resume", "batch_size", "workers")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image", None, "Image to inpaint.", flag_values=values)
  flags.DEFINE_string("mask", None, "Its mask, of the same size; white = hole. With --image_dir: the mask of all its "
                      "images.", flag_values=values)
  flags.DEFINE_string("output", None, "Image to write; the extension says the format.", flag_values=values)
  flags.DEFINE_string("image_dir", None, "Folder of images to inpaint.", flag_values=values)
  flags.DEFINE_string("mask_dir", None, "Folder of their masks.", flag_values=values)
  flags.DEFINE_string("output_dir", None, "Existing folder for the results, which keep name and format of their "
                      "images.", flag_values=values)
  flags.DEFINE_bool("resume", False, "Of a folder, leave out images whose result is there already.",
                    flag_values=values)
  flags.DEFINE_integer("batch_size", 4, "Of a folder, images of equal size that are filled together, if memory "
                       "allows.", lower_bound=1, flag_values=values)
  flags.DEFINE_integer("workers", 2, "Of a folder, threads that read images, and threads that write them.",
                       lower_bound=1, flag_values=values)
  flags.DEFINE_string("dump_dir", None, "Folder, created if missing, for pictures of every stage of --image, "
                      "seen whole, and of where attention copied from.", flag_values=values)
  flag_groups.define_mask_reading_flags(values)
  flag_groups.define_model_choice_flag(values)
  flag_groups.define_inference_flags(values)


def run(values: flags.FlagValues) -> bool:
  """Returns whether a file of a folder run failed."""
  given = {name for name in _PATHS if values[name].value}
  if given == _ONE:
    for name in _FOLDER_ONLY:
      if values[name].present:
        raise InputError(f"--{name} is for folders (--image_dir); leave it out")
    return _inpaint_one(values)
  if given in _FOLDERS:
    if values.dump_dir:
      raise InputError("--dump_dir is for one image (--image); leave it out")
    return _inpaint_folder(values)
  raise InputError("give either --image, --mask and --output, or --image_dir, --output_dir and --mask_dir (or --mask "
                   f"for all); given: {', '.join('--' + name for name in _PATHS if name in given) or 'none of them'}")


def _inpaint_one(values):
  from z2i_tf import image_io
  from z2i_tf.cli import filling
  image_io.check_writable_file(values.output)
  if os.path.realpath(values.output) in map(os.path.realpath, (values.image, values.mask)):
    raise InputError(f"--output={values.output} would overwrite its input; give another name")
  reading = flag_groups.mask_reading(values)
  max_memory = flag_groups.max_memory(values)
  task = filling.read(values.image, values.mask, reading)
  print(f"{values.mask}: {task.mask_text}")
  if values.dump_dir:
    image_io.create_folder(values.dump_dir)
  from z2i_tf.inference.inpainter import Inpainter
  inpainter = Inpainter.load(values.model, values.precision, max_memory)
  plan = inpainter.plan(task.photo.rgb, task.hole)
  print(plan.describe(), flush=True)
  remark = filling.write(values.output, task, inpainter(task.photo.rgb, task.hole, plan))
  print(f"{values.output}{': ' + remark if remark else ''}")
  _report_peak(max_memory)
  if values.dump_dir:
    from z2i_tf.cli import dump
    dump.write_dump(values.dump_dir, inpainter, task)
    print(values.dump_dir)
  return False


def _inpaint_folder(values):
  from z2i_tf import image_io
  from z2i_tf.cli import filling
  from z2i_tf.cli import folder_run
  from z2i_tf.cli import pairs
  from z2i_tf.cli.progress import progress
  folder = pairs.FolderPairs(values.image_dir, values.mask_dir, values.output_dir, values.mask, result_extension=None)
  image_io.check_writable_folder(values.output_dir)
  reading = flag_groups.mask_reading(values)
  max_memory = flag_groups.max_memory(values)
  items = [folder_run.Item(path, folder.result_path(path)) for path in folder.images]
  to_do = folder_run.left_to_do(items) if values.resume else items
  outcome = folder_run.Outcome()
  if to_do:
    import numpy as np
    from z2i_tf.inference.inpainter import Inpainter
    inpainter = Inpainter.load(values.model, values.precision, max_memory)
    parts = folder_run.Parts(
        read=lambda item: filling.read(item.image, folder.mask_path(item.image), reading),
        shape_of=lambda task: (task.photo.rgb.shape, task.photo.rgb.dtype),
        fill=lambda tasks: inpainter.fill_batch(*(np.stack(arrays) for arrays in zip(
            *((task.photo.rgb, task.hole) for task in tasks)))),
        write=lambda item, task, result: "; ".join(filter(None, (
            f"{item.output}: {task.mask_text}", filling.write(item.output, task, result)))))
    with progress(len(to_do), "image") as advance:
      outcome = folder_run.fill_all(to_do, parts, values.batch_size, values.workers, advance)
    _report_peak(max_memory)
  return pairs.report(outcome.failures, len(items), len(items) - len(to_do), outcome.remarks)


def _report_peak(max_memory):
  """Prints the peak of memory; on stderr that it was more than allowed, which the plan should have prevented."""
  from z2i_tf import memory
  peak = memory.peak_resident_bytes()
  if peak is None:
    return
  print(f"peak memory {memory.format_size(peak)}")
  if peak > max_memory:
    print(f"z2i inpaint: the peak of memory was above --max_memory={memory.format_size(max_memory)}; give a lower one "
          "to stay below", file=sys.stderr)

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
# Of a folder run, images that are read, wait or are written may take this share of the memory, at so many bytes per
# pixel (8-bit colour, mask, and what decoding and encoding take).
_SHARE_OF_PAIRS, _BYTES_PER_PIXEL = 0.25, 10


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
  """Returns whether a file of a folder run failed, or memory exceeded its bound."""
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
  from z2i_tf.inference.inpainter import Inpainter
  inpainter = Inpainter.load(values.model, values.precision, max_memory)
  plan = inpainter.plan(task.photo.rgb, task.hole)
  if values.dump_dir:
    _check_dump(values, inpainter, task)
  print(plan.describe(), flush=True)
  remark = filling.write(values.output, task, inpainter(task.photo.rgb, task.hole, plan))
  print(f"{values.output}{': ' + remark if remark else ''}")
  if values.dump_dir:
    from z2i_tf.cli import dump
    dump.write_dump(values.dump_dir, inpainter, task)
    print(values.dump_dir)
  return _exceeds(max_memory)


def _check_dump(values, inpainter, task):
  """Creates the dump's folder; raises InputError if that would fail later, or overwrite what is given."""
  from z2i_tf import image_io
  from z2i_tf.cli import dump
  files = {os.path.realpath(os.path.join(values.dump_dir, name)) for name in dump.FILES}
  for name in _ONE:
    if os.path.realpath(values[name].value) in files:
      raise InputError(f"--dump_dir={values.dump_dir} has a file for --{name}={values[name].value}, which the dump "
                       "would overwrite; give a folder of its own")
  if not inpainter.fits_whole(task.photo.rgb):
    raise InputError(f"--dump_dir: {values.image} seen whole takes more than --max_memory={values.max_memory}; raise "
                     "it, or leave the dump out")
  image_io.create_folder(values.dump_dir)


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
  if values.mask:  # Said once, before every image fails.
    from z2i_tf import mask_io
    mask_io.read_mask(values.mask, reading.invert, reading.mask_from, reading.max_pixels)
  items = [folder_run.Item(path, folder.result_path(path)) for path in folder.images]
  to_do = folder_run.left_to_do(items) if values.resume else items
  outcome = folder_run.Outcome()
  is_above = False
  if to_do:
    batch_size, workers, bytes_of_pairs = _within_memory(values, [item.image for item in to_do], max_memory)
    from z2i_tf.inference.inpainter import Inpainter
    inpainter = Inpainter.load(values.model, values.precision, max_memory - bytes_of_pairs)
    parts = folder_run.Parts(
        read=lambda item: filling.read(item.image, folder.mask_path(item.image), reading),
        shape_of=lambda task: (task.photo.rgb.shape, task.photo.rgb.dtype),
        fill=lambda tasks: _fill_batch(inpainter, tasks),
        write=lambda item, task, result: ": ".join(filter(None, (
            item.output, filling.write(item.output, task, result)))))
    with progress(len(to_do), "image") as advance:
      outcome = folder_run.fill_all(to_do, parts, batch_size, workers, advance)
    is_above = _exceeds(max_memory)
  return pairs.report(outcome.failures, len(items), len(items) - len(to_do), outcome.remarks) or is_above


def _fill_batch(inpainter, tasks):
  """Fills tasks of equal shape; prints what their masks were read as, and the plans, before."""
  import numpy as np
  plans = [inpainter.plan(task.photo.rgb, task.hole) for task in tasks]
  for task, plan in zip(tasks, plans):
    print(f"{task.name}: {task.mask_text}; {plan.describe()}", flush=True)
  return inpainter.fill_batch(
      np.stack([task.photo.rgb for task in tasks]), np.stack([task.hole for task in tasks]), plans)


def _within_memory(values, paths, max_memory):
  """Returns --batch_size and --workers, or less where so many of the largest images would take too much memory; and the
  bytes that these take.
  """
  from z2i_tf import image_io
  from z2i_tf.cli import folder_run
  largest = 0
  for path in paths:
    try:
      header = image_io.read_header(path)
      largest = max(largest, header.height * header.width)
    except InputError:
      pass  # Reading it will fail, and is then reported.
  batch_size, workers = values.batch_size, values.workers
  bytes_of_pairs = lambda: folder_run.pairs_in_memory(batch_size, workers) * _BYTES_PER_PIXEL * largest
  while bytes_of_pairs() > _SHARE_OF_PAIRS * max_memory and (batch_size, workers) != (1, 1):
    batch_size, workers = max(1, batch_size // 2), max(1, workers // 2)
  if (batch_size, workers) != (values.batch_size, values.workers):
    print(f"images of {largest / 1e6:.0f} megapixels: --batch_size={batch_size} --workers={workers}, to stay within "
          f"--max_memory={values.max_memory}")
  return batch_size, workers, bytes_of_pairs()


def _exceeds(max_memory):
  """Prints the peak of memory; returns whether it was more than allowed, which the plan should have prevented."""
  from z2i_tf import memory
  peak = memory.peak_resident_bytes()
  if peak is None:
    return False
  print(f"peak memory {memory.format_size(peak)}")
  if peak > max_memory:
    print(f"z2i inpaint: the peak of memory was above --max_memory={memory.format_size(max_memory)}; give a lower one "
          "to stay below", file=sys.stderr)
  return peak > max_memory

"""Inpaints image files: one photograph, or a folder of photographs."""

from collections.abc import Callable
import contextlib
import dataclasses
import os
from typing import NamedTuple, TYPE_CHECKING

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.inference import bundled_models
from z2i_tf.inference import folder_run
from z2i_tf.inference import photo_task
from z2i_tf.inference.pairs import FolderPairs
from z2i_tf.inference.pairs import MaskOptions
from z2i_tf.inference.photo_task import PhotoTask
from z2i_tf.system import atomic_files

if TYPE_CHECKING:  # It imports TensorFlow, which a folder without work does not need.
  from z2i_tf.inference.inpainter import Inpainter

# (total, unit) -> context of a function called once per unit.
Progress = Callable[[int, str], contextlib.AbstractContextManager[Callable[[], None]]]


def no_progress(total: int, unit: str) -> contextlib.AbstractContextManager[Callable[[], None]]:
  """Shows no progress; see `Progress`."""
  del total, unit
  return contextlib.nullcontext(lambda: None)


@dataclasses.dataclass(frozen=True)
class FillConfig:
  """How to fill holes.

  Attributes:
    model: as in `Inpainter.load`.
    precision: of the networks; None for the model's default.
    native: whether to return the networks' own result at full resolution, without pyramid, texture and blending.
    detail: texture, as in `Inpainter`.
    mask_options: how to read and use masks.
    verbose: whether to describe how each mask was read and each hole is filled.
  """

  model: str = bundled_models.DEFAULT
  precision: str | None = None
  native: bool = False
  detail: str = "auto"
  mask_options: MaskOptions = MaskOptions()
  verbose: bool = False


class InpaintedFile(NamedTuple):
  """A written photograph: its task, the inpainter that filled it, and a remark on the result, or ""."""

  task: PhotoTask
  inpainter: "Inpainter"
  remark: str


class InpaintedFolder(NamedTuple):
  """A written folder.

  Attributes:
    folder: its path, followed by "(new folder)" if it was created.
    images: number of images.
    already_there: number of images whose result existed before.
    outcome: of the other images.
  """

  folder: str
  images: int
  already_there: int
  outcome: folder_run.Outcome


def inpaint_file(
  image: str,
  mask: str,
  output: str,
  config: FillConfig = FillConfig(),
  progress: Progress = no_progress,
  say: Callable[[str], None] = print,
) -> InpaintedFile:
  """Fills the hole of one photograph.

  Args:
    image: path of the photograph.
    mask: path of its mask.
    output: path to write; the extension chooses the format.
    config: settings.
    progress: shows progress.
    say: receives the descriptions of `config.verbose`.
  Raises: InputError for unusable files.
  """
  image_files.check_writable_file(output)
  if os.path.realpath(output) in map(os.path.realpath, (image, mask)):
    raise InputError(f"`output`={output} would overwrite its input; give another name")
  task = photo_task.read(image, mask, config.mask_options)
  from z2i_tf.inference.inpainter import Inpainter

  inpainter = Inpainter.load(config.model, config.precision)
  filled, texture_remark = fill_task(inpainter, task, config, say, progress)
  image_files.create_folder_of(output)
  remark = photo_task.write(output, task, filled)
  return InpaintedFile(task, inpainter, joined(remark, texture_remark))


def inpaint_folder(
  pairs: FolderPairs,
  output_dir: str,
  config: FillConfig = FillConfig(),
  resume: bool = False,
  workers: int = 2,
  progress: Progress = no_progress,
  say: Callable[[str], None] = print,
) -> InpaintedFolder:
  """Fills the holes of a folder of photographs.

  Args:
    pairs: photographs and masks; one mask for all is read once before any work.
    output_dir: folder for the results, created if missing.
    config: settings.
    resume: whether to skip photographs whose result exists.
    workers: number of threads that read, and of threads that write.
    progress: shows progress.
    say: receives the descriptions of `config.verbose`.
  Raises: InputError if the folder cannot be written, or the one mask cannot be read.
  """
  folder = image_files.create_folder(output_dir)
  options = config.mask_options
  if pairs.mask:
    mask_files.read_mask(pairs.mask, options.reading, options.max_pixels)
  items = [folder_run.Item(path, pairs.result_path(path)) for path in pairs.images]
  atomic_files.remove_leftovers(output_dir, [os.path.basename(item.output) for item in items])
  to_do = folder_run.left_to_do(items) if resume else items
  if not to_do:
    return InpaintedFolder(folder, len(items), len(items), folder_run.Outcome())
  from z2i_tf.inference.inpainter import Inpainter

  inpainter = Inpainter.load(config.model, config.precision)

  def fill(task):
    return fill_task(inpainter, task, config, say)

  def write(item, task, result):
    filled, texture_remark = result
    remark = joined(photo_task.write(item.output, task, filled), texture_remark)
    return joined(item.output, remark) if remark or config.verbose else ""

  parts = folder_run.Parts(lambda item: photo_task.read(item.image, pairs.mask_path(item.image), options), fill, write)
  with progress(len(to_do), "image") as advance:
    outcome = folder_run.fill_all(to_do, parts, workers, advance)
  return InpaintedFolder(folder, len(items), len(items) - len(to_do), outcome)


def fill_task(
  inpainter: "Inpainter",
  task: PhotoTask,
  config: FillConfig,
  say: Callable[[str], None] = print,
  progress: Progress = no_progress,
) -> tuple[np.ndarray, str]:
  """Fills the hole of a photograph that was read.

  Args:
    inpainter: of the model and the precision of `config`.
    task: the photograph.
    config: settings.
    say: receives the description of `config.verbose`.
    progress: shows the steps of the fill.
  Returns: (H, W, 3) of the photograph's type; a remark on its texture, or "".
  """
  plan = None if config.native else inpainter.plan(task.photo.rgb, task.hole)
  if config.verbose:
    say(_description(task, plan))
  with progress(inpainter.count_steps(plan), "step") as advance:
    filled = inpainter(
      task.photo.rgb, task.hole, native=config.native, detail=config.detail, plan=plan, advance=advance
    )
  assert isinstance(filled, np.ndarray)  # As `task.photo.rgb` is.
  return filled, (inpainter.remark(task.hole, plan, config.detail) if plan else "")


def joined(*texts: str) -> str:
  """Joins the texts that are not empty by colons."""
  return ": ".join(filter(None, texts))


def _description(task, plan):
  from z2i_tf.inference import pieces

  return f"{task.name}: {task.mask_text}; {pieces.describe(plan) if plan else 'the networks see the whole image'}"

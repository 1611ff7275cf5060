"""Inpaints photographs of any file system on any runner; writes the files that `z2i inpaint` writes.

1. Lists images and masks, and joins them by folder and name.
2. Reads each pair, and fills it in a worker process that holds the model.
3. Writes each result atomically. Failures do not stop the pipeline: a file lists them with their reasons.

An element that a runner repeats writes the same file again.
"""

from collections.abc import Callable
import dataclasses
import functools
import json
import os
from typing import Any, NamedTuple

import apache_beam
from apache_beam.io.fileio import MatchFiles
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from z2i_tf.beam import files
from z2i_tf.beam import pipelines
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.images.formats import codecs
from z2i_tf.inference import bundled_models
from z2i_tf.inference import folder_run
from z2i_tf.inference import inpaint_files
from z2i_tf.inference import pairs
from z2i_tf.inference import photo_task
from z2i_tf.inference.foreign import adapters
from z2i_tf.inference.inpaint_files import FillConfig
from z2i_tf.system import atomic_files

FAILURES, REMARKS = "failures", "remarks"
_FILLED, _ALREADY_THERE, _LEFT_OUT = "filled", "already_there", "left_out"
_DONE = "done"
# Counts the written lists: zero if the runner does not report counters.
_LISTS = "lists"


@dataclasses.dataclass(frozen=True)
class InpaintConfig:
  """Settings of a pipeline.

  Attributes:
    images: pattern of the photographs, their folder, or one photograph. "**" also matches folders, which the results
      keep.
    masks: pattern of their masks, their folder, or one mask for all.
    output: folder for the results.
    fill: how to fill; the model is found under the same name by every worker.
    mask_suffix: as in `pairs.Pairs`.
    resume: whether to skip photographs whose result exists.
  """

  images: str
  masks: str
  output: str
  fill: FillConfig = FillConfig()
  mask_suffix: str | None = None
  resume: bool = False


@dataclasses.dataclass(frozen=True)
class Reported:
  """Counters of the runner, too high if it counts repeated elements.

  Attributes:
    filled: number of filled photographs.
    already_there: number of photographs that were skipped because their result existed.
    left_out: number of files that are not images.
  """

  filled: int
  already_there: int
  left_out: int


@dataclasses.dataclass(frozen=True)
class Counts:
  """Outcome of a pipeline.

  Attributes:
    failed: number of photographs in the list of failures.
    reported: counters of the runner, or None if it reports none.
  """

  failed: int
  reported: Reported | None


class _Item(NamedTuple):
  """Paths of a photograph, its mask and its result."""

  image: str
  mask: str
  output: str


def inpaint(config: InpaintConfig, options: PipelineOptions, shown: Callable[[str], str] = str) -> Counts:
  """Fills the holes of photographs, and lists failures and remarks in `output` (JSON, one per line).

  Args:
    config: settings.
    options: of Beam.
    shown: converts a message of the library to one for the user.
  Raises: InputError for unusable settings, if no file matches, or if the pipeline fails.
  """
  _check(config)
  images, masks, output = map(files.absolute, (config.images, config.masks, config.output))
  config = dataclasses.replace(config, images=images, masks=masks, output=output)
  counted = pipelines.run(functools.partial(_build, config=config, shown=shown), options)
  with files.naming("output", config.output), files.local_copies(_list_path(config, FAILURES)) as (path,):
    with open(path, "rb") as file:
      failed = sum(1 for _ in file)
  reported = Reported(counted[_FILLED], counted[_ALREADY_THERE], counted[_LEFT_OUT]) if counted[_LISTS] else None
  return Counts(failed, reported)


def _build(pipeline, config, shown):
  """Adds the transforms to a pipeline; arguments as `inpaint`, with absolute paths."""
  one_mask = files.is_file(config.masks)
  images = _listed(pipeline, "images", config.images, lambda path: [image_files.stem(path)])
  named = {"images": images[_DONE], "masks": pipeline | "no masks" >> apache_beam.Create([])}
  unnamed = [images[FAILURES]]
  if not one_mask:
    masks = _listed(pipeline, "masks", config.masks, functools.partial(_names_of_mask, suffix=config.mask_suffix))
    named["masks"] = masks[_DONE]
    unnamed.append(masks[FAILURES])
  grouped = named | apache_beam.CoGroupByKey()
  fill = pipelines.PerProcess(
    functools.partial(_load, config.fill.model, config.fill.precision),
    functools.partial(_fill, config=config.fill),
    lambda read: read[1].photo.rgb.nbytes + read[1].hole.nbytes,
  )
  paired = grouped | "pair" >> apache_beam.ParDo(_Pair(config, one_mask)).with_outputs(FAILURES, main=_DONE)
  read = paired[_DONE] | "read" >> apache_beam.ParDo(_Read(config)).with_outputs(FAILURES, main=_DONE)
  filled = read[_DONE] | "fill" >> RunInference(fill)
  written = filled | "write" >> apache_beam.ParDo(_Write()).with_outputs(FAILURES, REMARKS, main=_DONE)
  failures = [*unnamed, *(part[FAILURES] for part in (paired, read, written))] | "all failures" >> apache_beam.Flatten()
  for name, lines in ((FAILURES, failures), (REMARKS, written[REMARKS])):
    (
      pipeline
      | f"list {name}" >> apache_beam.Create([_list_path(config, name)])
      | f"write {name}" >> apache_beam.Map(_write_list, apache_beam.pvalue.AsIter(lines), shown)
    )


def _list_path(config, name):
  return os.path.join(config.output, f"{name}-00000-of-00001.jsonl")


def _write_list(path, lines, shown):
  with files.local_output(path) as local, atomic_files.atomic_write(local) as file:
    for image, text in lines:
      file.write(json.dumps({"image": image, "text": shown(text)}).encode() + b"\n")
  pipelines.count(_LISTS)


def _check(config):
  """Checks inputs, model and output; removes former lists, and the temporary files of killed workers."""
  for name, pattern in (("images", config.images), ("masks", config.masks)):
    if not pattern:
      raise InputError(f"`{name}` is missing")
  files.check_matches(config.images, "images")
  with files.naming("masks", config.masks):
    is_one_mask = files.is_file(config.masks)
  if not is_one_mask:
    files.check_matches(config.masks, "masks")
  images, masks = map(files.listing, (config.images, config.masks))
  if is_one_mask and config.mask_suffix:
    raise InputError(f"`mask_suffix`={config.mask_suffix}: `masks`={config.masks} is the one mask of all; leave it out")
  if masks == images and not is_one_mask and config.fill.mask_options.reading.mask_from != "alpha":
    raise InputError(f"`masks`={config.masks}: the same as `images`; give patterns that tell them apart")
  overwrites = files.are_same(images.folder, config.output) or files.are_same(masks.folder, config.output)
  if is_one_mask:  # It may also be a link, or lie where results keep the folders of their images.
    mask = os.path.realpath(config.masks) if files.is_local(config.masks) else config.masks
    is_inside = files.is_below if "**" in images.pattern else files.are_same
    overwrites = overwrites or is_inside(os.path.dirname(mask), config.output)
  if overwrites:
    raise InputError(f"`output`={config.output}: the results would overwrite the input; give another folder")
  adapted = adapters.find(config.fill.model)
  if not adapted:
    bundled_models.existing_folder(config.fill.model)
  elif not os.path.exists(adapted[1]):
    raise InputError(f"`model`={config.fill.model}: {adapted[1]}: no such file")
  if not files.is_local(config.output) and files.has_wildcards(config.output):
    raise InputError(f"`output`={config.output}: a folder, not a pattern")
  files.create_folder(config.output)
  with files.naming("output", config.output):
    for name in (FAILURES, REMARKS):
      files.remove(_list_path(config, name))
  if files.is_local(config.output):
    for folder, _, names in os.walk(config.output):
      starts = {name.rsplit(".", 2)[0] for name in names if name.endswith(atomic_files.TEMPORARY_SUFFIX)}
      lists = {os.path.basename(_list_path(config, name)) for name in (FAILURES, REMARKS)}
      atomic_files.remove_leftovers(folder, [*lists, *(name for name in starts if photo_files.can_be_written(name))])


def _listed(pipeline, name, pattern, names_of):
  """Lists the images that match a pattern.

  Returns: ((folder relative to the pattern's fixed part, name), path) for every name of a path; and failures.
  """
  pattern, folder = files.listing(pattern)
  return (
    pipeline
    | f"match {name}" >> MatchFiles(pattern)
    | f"name {name}" >> apache_beam.ParDo(_Name(folder, names_of)).with_outputs(FAILURES, main=_DONE)
  )


class _Name(apache_beam.DoFn):
  """Names the image files among the listed ones, without hidden ones and those in hidden folders."""

  def __init__(self, folder, names_of):
    self._folder, self._names_of = folder, names_of

  def process(self, match):
    path = match.path
    below = path.removeprefix(self._folder)
    if any(part.startswith(".") for part in below.split("/")):
      return
    if codecs.extension_of(path) not in image_files.IMAGE_EXTENSIONS:
      pipelines.count(_LEFT_OUT)
    elif path != path.encode(errors="replace").decode():
      yield _tagged(FAILURES, path.encode(errors="backslashreplace").decode(), "its name is not UTF-8; rename it")
    else:
      for name in self._names_of(path):
        yield (os.path.dirname(below), name), path


def _names_of_mask(path, suffix):
  """Returns the names of images that a mask may belong to."""
  own = [image_files.stem(path)] if suffix is None else []
  return [*own, *filter(None, [pairs.image_of(path, suffix)])]


class _Pair(apache_beam.DoFn):
  """Makes items of the images and masks of one name."""

  def __init__(self, config, one_mask):
    self._config, self._one_mask = config, one_mask

  def process(self, element):
    (folder, _), group = element
    config = self._config
    paired = pairs.Pairs(
      sorted(group["images"]),
      sorted(group["masks"]),
      os.path.join(config.masks, folder) if folder else config.masks,
      os.path.join(config.output, folder),
      config.masks if self._one_mask else None,
      result_extension=None,
      mask_suffix=config.mask_suffix,
    )
    for image in paired.images:
      if self._one_mask and files.are_same(image, config.masks):
        continue
      mask, failure = folder_run.attempt(paired.mask_path, image)
      if failure:
        yield _tagged(FAILURES, image, failure)
      else:
        yield _Item(image, mask, paired.result_path(image))


class _Read(apache_beam.DoFn):
  """Reads the items that are left to do: (item, PhotoTask)."""

  def __init__(self, config):
    self._config = config

  def process(self, item):
    if self._config.resume and FileSystems.exists(item.output):
      pipelines.count(_ALREADY_THERE)
      return
    task, failure = folder_run.attempt(self._read, item)
    if failure:
      yield _failed(item, failure)
    else:
      yield item, task

  def _read(self, item):
    with files.local_copies(item.image, item.mask) as (image, mask):
      return photo_task.read(image, mask, self._config.fill.mask_options)


def _load(model, precision):
  from z2i_tf.inference.inpainter import Inpainter  # Imports TensorFlow, which only workers need.

  return Inpainter.load(model, precision)


def _fill(inpainter, read, config: FillConfig) -> tuple[_Item, Any, Any, str]:
  item, task = read
  return (item, task, *folder_run.attempt(inpaint_files.fill_task, inpainter, task, config))


class _Write(apache_beam.DoFn):
  """Writes results."""

  def process(self, element):
    item, task, result, failure = element
    if not failure:
      remark, failure = folder_run.attempt(self._write, item, task, *result)
    if failure:
      yield _failed(item, failure)
      return
    pipelines.count(_FILLED)
    if remark:
      yield _tagged(REMARKS, item.image, remark)

  def _write(self, item, task, filled, texture_remark):
    with files.local_output(item.output) as path:
      return inpaint_files.joined(photo_task.write(path, task, filled), texture_remark)


def _failed(item, failure):
  return _tagged(FAILURES, item.image, folder_run.naming(folder_run.Item(item.image, item.output), failure))


def _tagged(tag, image, text):
  """Returns and counts a line of the failures or of the remarks."""
  pipelines.count(tag)
  return apache_beam.pvalue.TaggedOutput(tag, (image, text))

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


@dataclasses.dataclass(frozen=True)
class InpaintConfig:
  """Settings of a pipeline.

  Attributes:
    images: pattern of the photographs, or their folder. "**" also matches folders, which the results keep.
    masks: pattern of their masks, or their folder, or the one mask of all.
    output: folder for the results.
    fill: how to fill; the model is found under the same name by every worker.
    mask_suffix: as of `pairs.Pairs`.
    resume: whether to skip photographs whose result exists.
  """

  images: str
  masks: str
  output: str
  fill: FillConfig = FillConfig()
  mask_suffix: str | None = None
  resume: bool = False


@dataclasses.dataclass(frozen=True)
class Counts:
  """Numbers of photographs: filled, skipped because their result existed, and failed; and of files left out."""

  filled: int
  already_there: int
  failed: int
  left_out: int


class _Item(NamedTuple):
  """Paths of a photograph, its mask and its result."""

  image: str
  mask: str
  output: str


def inpaint(config: InpaintConfig, options: PipelineOptions, shown: Callable[[str], str] = str) -> Counts:
  """Fills the holes of photographs, and writes `output`/failures-* and `output`/remarks-* (JSON, one per line).

  Args:
    config: settings.
    options: of Beam.
    shown: message of the library -> message for the user.
  Raises: InputError for unusable settings, if no file matches, or if the pipeline fails.
  """
  _check(config)
  counted = pipelines.run(functools.partial(build, config=config, shown=shown), options)
  return Counts(*(counted[name] for name in (_FILLED, _ALREADY_THERE, FAILURES, _LEFT_OUT)))


def build(pipeline: apache_beam.Pipeline, config: InpaintConfig, shown: Callable[[str], str] = str) -> None:
  """Adds the transforms to a pipeline; arguments as `inpaint`."""
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
      lines
      | f"show {name}" >> apache_beam.Map(_line, shown)
      | f"write {name}"
      >> apache_beam.io.WriteToText(os.path.join(config.output, name), file_name_suffix=".jsonl", num_shards=1)
    )


def _check(config):
  """Checks inputs, model and output; removes former lists, and the temporary files of killed workers."""
  for name, pattern in (("images", config.images), ("masks", config.masks)):
    if not pattern:
      raise InputError(f"`{name}` is missing")
  files.check_matches(files.pattern_of(config.images), "images")
  if not files.is_file(config.masks):
    files.check_matches(files.pattern_of(config.masks), "masks")
    if config.masks == config.images and config.fill.mask_options.reading.mask_from != "alpha":
      raise InputError(f"`masks`={config.masks}: the same as `images`; give patterns that tell them apart")
  for pattern in map(files.pattern_of, (config.images, config.masks)):
    if files.are_same(files.fixed_folder(pattern), config.output):
      raise InputError(f"`output`={config.output}: the results would overwrite the input; give another folder")
  if not adapters.find(config.fill.model):
    bundled_models.existing_folder(config.fill.model)
  files.create_folder(config.output)
  for name in (FAILURES, REMARKS):
    files.remove(os.path.join(config.output, f"{name}-*"))
  if files.is_local(config.output):
    for folder, _, names in os.walk(config.output):
      starts = {name.rsplit(".", 2)[0] for name in names if name.endswith(atomic_files.TEMPORARY_SUFFIX)}
      atomic_files.remove_leftovers(folder, [name for name in starts if photo_files.can_be_written(name)])


def _listed(pipeline, name, pattern, names_of):
  """Lists the images that match a pattern.

  Returns: ((folder below the pattern's, name), path) for every name of a path; and failures.
  """
  pattern = files.pattern_of(pattern)
  return (
    pipeline
    | f"match {name}" >> MatchFiles(pattern)
    | f"name {name}"
    >> apache_beam.ParDo(_Name(files.fixed_folder(pattern), names_of)).with_outputs(FAILURES, main=_DONE)
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
      if image == config.masks:
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


def _line(pair, shown):
  image, text = pair
  return json.dumps({"image": image, "text": shown(text)})

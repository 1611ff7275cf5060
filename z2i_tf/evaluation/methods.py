"""Methods under evaluation: models, folders of other methods' results, and simple baselines."""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import numpy as np

from z2i_tf.analyses import records
from z2i_tf.errors import InputError
from z2i_tf.evaluation import baselines
from z2i_tf.evaluation.test_sets import digest
from z2i_tf.evaluation.test_sets import PairedSet
from z2i_tf.evaluation.test_sets import some
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.inference import pairs
from z2i_tf.metrics.scoring import Method


@dataclasses.dataclass(frozen=True)
class EvaluatedMethod:
  """A method under evaluation.

  Attributes:
    fill: example -> result.
    entry: description for the record.
    changed: (test set, image) of each result so far that differs from the original where pixels are known.
    remarks: returns observations, one line each; called after the last example.
  """

  fill: Method
  entry: dict[str, Any]
  changed: set[tuple[str, str]] = dataclasses.field(default_factory=set)
  remarks: Callable[[], Sequence[str]] = tuple


def model_method(model: str, precision: str | None, is_photograph: bool, detail: str) -> EvaluatedMethod:
  """Loads a model as a method.

  Args:
    model: as in `model_store.load_predictor`.
    precision: of the networks; None for the model's default.
    is_photograph: whether to evaluate the result of `z2i inpaint` (pyramid, texture, blending) in place of the
      networks' own.
    detail: as in `Inpainter`.
  Raises: InputError if the model cannot be loaded.
  """
  from z2i_tf.inference import model_store
  from z2i_tf.inference.inpainter import Inpainter

  predictor = model_store.load_predictor(model, precision)
  inpainter = Inpainter(predictor)
  entry = {
    "kind": "model",
    "hash": model_store.content_hash(model),
    "precision": predictor.precision,
    "filling": "photograph" if is_photograph else "networks",
    **({"detail": detail} if is_photograph else {}),
    "parameters": sum(predictor.count_parameters().values()),
    **predictor.settings,
  }

  def fill(example):
    return np.asarray(inpainter(example.masked, example.mask, native=not is_photograph, detail=detail))

  return EvaluatedMethod(fill, entry)


def baseline_method(name: str) -> EvaluatedMethod:
  """Returns one of `baselines.METHODS`; raises InputError for another name."""
  if name not in baselines.METHODS:
    raise InputError(f"`baseline`={name}: expected {', '.join(baselines.METHODS)}")
  method = baselines.METHODS[name]
  settings = {"radius_px": baselines.RADIUS_PX} if name in baselines.WITH_RADIUS else {}
  return EvaluatedMethod(lambda example: method(example.masked, example.mask), {"kind": "baseline", **settings})


def result_method(
  name: str, folder: str, sets: Sequence[PairedSet], blend: bool, is_checked: bool = False
) -> EvaluatedMethod:
  """Opens a folder of another method's results.

  Args:
    name: of the method.
    folder: holds one result for each image, with the image's name; for several sets in subfolders with their names.
    sets: of images.
    blend: whether to replace known pixels by the original's.
    is_checked: whether another process has compared the sizes already.
  Raises: InputError if a result is missing, has no image, or differs in size from its image.
  """
  paths = {}
  for paired in sets:
    subfolder = os.path.join(folder, paired.name)
    paths[paired.name] = _results_of(paired, subfolder if len(sets) > 1 or os.path.isdir(subfolder) else folder)
    if not is_checked:
      _check_sizes(paired, paths[paired.name])
  changed: set[tuple[str, str]] = set()

  def fill(example):
    result = _read(paths[example.test_set][example.name])
    known = example.mask == 0
    if not np.array_equal(result[known], example.original[known]):
      changed.add((example.test_set, example.name))
      if blend:
        result = np.where(known[..., np.newaxis], example.original, result)
    return result

  def remarks():
    if not changed:
      return []
    return [
      f"{name}: known pixels of {len(changed)} results differ from the originals; "
      + ("replaced by those of the originals" if blend else "scored as they are")
    ]

  found = digest(
    f"{set_name} {stem} {records.sha256(path)}" for set_name, files in paths.items() for stem, path in files.items()
  )
  return EvaluatedMethod(fill, {"kind": "results", "hash": found}, changed, remarks)


def _results_of(paired, folder) -> dict[str, str]:
  """Returns name -> path of the results of a set; raises InputError unless all are there."""
  found = pairs.by_name(image_files.list_images(folder), image_files.stem)
  missing = [name for name in paired.images if name not in found]
  extra = [name for name in found if name not in paired.images]
  twice = [name for name, files in found.items() if len(files) > 1]
  problems = [
    text
    for names, text in (
      (missing, f"{len(missing)} of {len(paired.images)} images have no result ({some(missing)})"),
      (extra, f"{len(extra)} results belong to no image ({some(extra)})"),
      (twice, f"{len(twice)} images have several results ({some(twice)})"),
    )
    if names
  ]
  if problems:
    raise InputError(f"{folder}: {', '.join(problems)}; a result has the name of its image")
  return {name: found[name][0] for name in paired.images}


def _check_sizes(paired, results):
  """Raises InputError unless the results of a set can be read and have the sizes of the images."""
  for name, image in paired.images.items():
    expected = image_files.read_header(image)
    height, width = _read(results[name]).shape[:2]  # Decodes now, so that a damaged result fails at the beginning.
    if (height, width) != (expected.height, expected.width):
      raise InputError(
        f"{results[name]}: {height}x{width} pixels (height x width), but the image has "
        f"{expected.height}x{expected.width}; results are never resized"
      )


def _read(path) -> np.ndarray:
  """Reads a picture as (H, W, 3) uint8; rounds 16 bits."""
  return photo_files.to_8_bits(photo_files.read_photo(path).rgb)

"""What is evaluated on what: test sets (images with their masks) and methods, from folders and flags, all checked."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import hashlib
import os
from typing import Any

from absl import flags
import numpy as np

from z2i_tf.analyses import records
from z2i_tf.cli import pairs
from z2i_tf.cli.flags import flag_groups
from z2i_tf.datasets import testset
from z2i_tf.errors import InputError
from z2i_tf.evaluation import baselines
from z2i_tf.evaluation.evaluate import Example
from z2i_tf.evaluation.evaluate import Method
from z2i_tf.images import image_files
from z2i_tf.images import photo_files

# So many of a folder's wrong files are named.
_NAMED = 3


class PairedSet:
  """A folder of images with a folder of masks of the same names.

  Attributes:
    name: of the set.
    folders: of the images and of the masks.
    images: name -> path.
  """

  def __init__(self, name: str, image_dir: str, mask_dir: str):
    """Lists the folders; raises InputError if one has no images."""
    self.name, self.folders = name, (image_dir, mask_dir)
    self._pairs = pairs.FolderPairs(image_dir, mask_dir, output_dir=None)
    self.images = {pairs.stem(path): path for path in self._pairs.images}

  def describe(self) -> dict[str, Any]:
    """Reads everything once; returns the set's entry in the record of an evaluation.

    Raises: InputError saying what is wrong with how many of its images and masks.
    """
    entries, problems = [], []
    for path in self._pairs.images:
      try:
        example = self._read(path)
      except InputError as error:
        problems.append(str(error))
        continue
      height, width = example.mask.shape
      entries.append(
        {
          "name": example.name,
          "image": records.sha256(path),
          "mask": records.sha256(self._pairs.mask_path(path)),
          "height": height,
          "width": width,
          "hole_ratio": float(example.mask.mean()),
        }
      )
    if problems:
      raise InputError(problems[0] + (f"; and {len(problems) - 1} more such" if len(problems) > 1 else ""))
    return {
      "images": entries,
      "hash": _digest(f"{entry['name']} {entry['image']} {entry['mask']}" for entry in entries),
    }

  def examples(self) -> Iterator[Example]:
    """Yields the examples in the order of `images`."""
    return map(self._read, self._pairs.images)

  def _read(self, path):
    photo, mask, _ = self._pairs.read(path)  # As `_read` below, and the mask.
    return Example(self.name, pairs.stem(path), photo_files.to_8_bits(photo.rgb), mask)


@dataclasses.dataclass(frozen=True)
class EvaluatedMethod:
  """A method as it is evaluated.

  Attributes:
    fill: example -> result.
    entry: what the record says of it.
    remarks: called when all is done, for lines on what was noticed.
  """

  fill: Method
  entry: dict[str, Any]
  remarks: Callable[[], Sequence[str]] = tuple


def open_sets(values: flags.FlagValues) -> list[PairedSet]:
  """Opens the sets of --testset, or of --image_dir and --mask_dir; raises InputError if they cannot be used."""
  image_dir, mask_dirs = values.image_dir, flag_groups.named_paths(values, "mask_dir", names_needed=False)
  if values.testset:
    if image_dir or mask_dirs:
      raise InputError("--testset says where images and masks are; leave out --image_dir and --mask_dir")
    image_dir = os.path.join(values.testset, testset.IMAGES)
    mask_dirs = {kind: os.path.join(values.testset, testset.MASKS, kind) for kind in _kinds(values.testset)}
  elif not (image_dir and mask_dirs):
    raise InputError("--testset is missing, a folder of z2i make-testset; or --image_dir and --mask_dir")
  return [PairedSet(name, image_dir, mask_dir) for name, mask_dir in mask_dirs.items()]


def _kinds(folder) -> list[str]:
  """Returns the kinds of masks of a test set of z2i make-testset, in the order in which they were asked for."""
  try:
    return list(_testset_record(folder)["manifest"]["settings"]["kinds"])
  except (KeyError, TypeError) as error:
    raise _damaged(folder) from error


def _testset_record(folder):
  return records.read_record(os.path.join(folder, f"{records.TESTSET}.json"))


def _damaged(folder):
  return InputError(f"{folder}: its {records.TESTSET}.json is damaged; make the test set again")


def check_is_unchanged(folder: str, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """Returns the manifest of a test set of z2i make-testset.

  Args:
    folder: of the test set.
    entries: of its sets, as `PairedSet.describe` returns them.
  Raises: InputError if files are missing, new, or others than they were.
  """
  record = _testset_record(folder)
  for kind, entry in entries.items():
    try:
      expected = {
        pairs.stem(image["name"]): (image["sha256"], image["masks_sha256"][kind]) for image in record["images"]
      }
    except (KeyError, TypeError, AttributeError) as error:
      raise _damaged(folder) from error
    found = {image["name"]: (image["image"], image["mask"]) for image in entry["images"]}
    changed = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if changed:
      raise InputError(
        f"{folder}: {len(changed)} images or {kind} masks ({_some(changed)}) are not those of its "
        f"{records.TESTSET}.json; make the test set again"
      )
  return record["manifest"]


def model_method(model: str, values: flags.FlagValues) -> EvaluatedMethod:
  """Loads a model; raises InputError if it cannot be."""
  from z2i_tf.inference import model_store
  from z2i_tf.inference.inpainter import Inpainter
  from z2i_tf.models import complexity

  predictor = model_store.load_predictor(model, values.precision)
  inpainter = Inpainter(predictor)
  config = predictor.model_config
  entry = {
    "kind": "model",
    "hash": model_store.content_hash(model),
    "precision": predictor.precision,
    "filling": values.filling,
    **({"detail": values.detail} if values.filling == "photograph" else {}),
    "parameters": sum(complexity.count_parameters(config).values()),
    **dataclasses.asdict(config),
  }
  return EvaluatedMethod(
    lambda example: inpainter(example.masked, example.mask, native=values.filling == "networks", detail=values.detail),
    entry,
  )


def baseline_method(name: str) -> EvaluatedMethod:
  """Returns one of OpenCV's methods, or the mean fill; raises InputError for another name."""
  if name not in baselines.METHODS:
    raise InputError(f"--baseline={name}: expected {', '.join(baselines.METHODS)}")
  method = baselines.METHODS[name]
  settings = {"radius_px": baselines.RADIUS_PX} if name in baselines.WITH_RADIUS else {}
  return EvaluatedMethod(lambda example: method(example.masked, example.mask), {"kind": "baseline", **settings})


def result_method(name: str, folder: str, sets: Sequence[PairedSet], blend: bool) -> EvaluatedMethod:
  """Opens a folder of another method's results.

  Args:
    name: of the method.
    folder: has one image file per image of the set, of its name; for several sets in subfolders of the sets' names.
    sets: of images.
    blend: whether known pixels are taken from the original.
  Raises: InputError if results are missing, belong to no image, or have another size.
  """
  paths = {}
  for each in sets:
    subfolder = os.path.join(folder, each.name)
    paths[each.name] = _results_of(each, subfolder if len(sets) > 1 or os.path.isdir(subfolder) else folder)
  changed = set()

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
      + ("the originals' were taken" if blend else "scored as they are")
    ]

  return EvaluatedMethod(
    fill,
    {
      "kind": "results",
      "hash": _digest(
        f"{set_name} {stem} {records.sha256(path)}" for set_name, files in paths.items() for stem, path in files.items()
      ),
    },
    remarks,
  )


def _results_of(each, folder) -> dict[str, str]:
  """Returns name -> path of the results of a set; raises InputError unless they are complete and of the right size."""
  found = pairs.by_name(image_files.list_images(folder), pairs.stem)
  missing = [name for name in each.images if name not in found]
  extra = [name for name in found if name not in each.images]
  twice = [name for name, files in found.items() if len(files) > 1]
  problems = [
    text
    for names, text in (
      (missing, f"{len(missing)} of {len(each.images)} images have no result ({_some(missing)})"),
      (extra, f"{len(extra)} results belong to no image ({_some(extra)})"),
      (twice, f"{len(twice)} images have several results ({_some(twice)})"),
    )
    if names
  ]
  if problems:
    raise InputError(f"{folder}: {', '.join(problems)}; a result has the name of its image")
  results = {name: found[name][0] for name in each.images}
  for name, image in each.images.items():
    expected = image_files.read_header(image)
    height, width = _read(results[name]).shape[:2]  # Decoded now: a damaged one is said before hours of work.
    if (height, width) != (expected.height, expected.width):
      raise InputError(
        f"{results[name]}: {height}x{width} pixels (height x width), but the image has "
        f"{expected.height}x{expected.width}; results are never resized"
      )
  return results


def _read(path) -> np.ndarray:
  """Reads a picture as (H, W, 3) uint8, of 16 bits rounded."""
  return photo_files.to_8_bits(photo_files.read_photo(path).rgb)


def _some(names) -> str:
  return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _digest(lines) -> str:
  return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

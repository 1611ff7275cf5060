"""Shows results of several methods side by side (the paper's Figures 4, 12, 14 and 15).

Reads the folder of a z2i evaluate. `side_by_side` shows images by name or at random, `failures` those with the largest
holes; neither chooses by score.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any

import numpy as np

from z2i_tf.analyses import picture_sheets
from z2i_tf.analyses import records
from z2i_tf.analyses import score_tables
from z2i_tf.analyses.records import AnalysisResult
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.metrics import statistics
from z2i_tf.metrics.image_scores import HOLE_PSNR
from z2i_tf.metrics.image_scores import PSNR

SIDE_BY_SIDE, FAILURES = "side_by_side", "failures"
# Folder with the results of each method, and the folders of originals and masks beside them.
RESULTS, ORIGINAL, MASK = "results", "original", "mask"
_METRICS = (PSNR, HOLE_PSNR)


class RunFolder:
  """An evaluation with its pictures, read from the folder of z2i evaluate.

  Attributes:
    hash: SHA-256 of the record's file, hexadecimal.
    methods: names of the methods.
    test_sets: names of the test sets.
  """

  def __init__(self, path: str):
    """Reads the record.

    Args:
      path: the folder, or the record's file for a folder with several evaluations.
    Raises: InputError unless there is one undamaged record with the results' pictures beside it.
    """
    file = records.scores_file(path)
    self._record = records.read_scores(file)
    self._folder = folder = os.path.dirname(file) or os.curdir
    self.hash = records.sha256(file)
    self.methods: list[str] = list(self._record["methods"])
    self.test_sets: list[str] = list(self._record["test_sets"])
    if not os.path.isdir(os.path.join(folder, RESULTS)):
      raise InputError(f"{folder}: has no pictures of results; run z2i evaluate with `save_results`")

  def chosen_methods(self, names: Sequence[str]) -> list[str]:
    """Returns the named methods, or all for no names; raises InputError for an unknown or repeated name."""
    return _chosen("methods", names, self.methods, self._folder)

  def chosen_test_sets(self, names: Sequence[str]) -> list[str]:
    """Returns the named test sets, or all for no names; raises InputError for an unknown or repeated name."""
    return _chosen("test_sets", names, self.test_sets, self._folder)

  def images(self, test_set: str) -> list[dict[str, Any]]:
    """Returns the record's entries of a test set's images, with "name" and "hole_ratio"."""
    return self._record["test_sets"][test_set]["images"]

  def scores(self, test_set: str, method: str, metric: str) -> np.ndarray:
    """Returns the (N,) float64 scores of `images` in PSNR or PSNR of the hole."""
    return score_tables.scores_of(self._record, test_set, method, metric)

  def original(self, test_set: str, name: str) -> np.ndarray:
    """Reads an original, (H, W, 3) uint8; raises InputError if the file is missing or damaged."""
    return image_files.read_rgb(self._path(ORIGINAL, test_set, name))

  def mask(self, test_set: str, name: str) -> np.ndarray:
    """Reads a mask, (H, W) uint8, 1 = hole; raises as `original`."""
    return mask_files.read_binary_mask(self._path(MASK, test_set, name))

  def result(self, test_set: str, name: str, method: str) -> np.ndarray:
    """Reads the result of a method, (H, W, 3) uint8; raises as `original`."""
    return image_files.read_rgb(self._path(method, test_set, name))

  def _path(self, kind: str, test_set: str, name: str) -> str:
    return os.path.join(self._folder, RESULTS, kind, test_set, f"{name}.png")


def _chosen(argument: str, names: Sequence[str], known: list[str], folder: str) -> list[str]:
  for name in names:
    if name not in known:
      raise InputError(f"`{argument}`: {name} is not in {folder}; there are {', '.join(known)}")
  _check_are_different(argument, names)
  return list(names) or known


def _check_are_different(argument: str, names: Sequence[str]) -> None:
  """Raises InputError for a repeated name, which would be shown and averaged twice."""
  for name in names:
    if names.count(name) > 1:
      raise InputError(f"`{argument}`={','.join(names)}: {name} is given twice; name it once")


def random_images(run: RunFolder, test_set: str, count: int, seed: int) -> list[int]:
  """Returns the indices of up to `count` random images of a test set, in ascending order."""
  total = len(run.images(test_set))
  return sorted(np.random.default_rng(seed).permutation(total)[:count].tolist())


def named_images(run: RunFolder, test_set: str, names: Sequence[str]) -> list[int]:
  """Returns the indices of the named images of a test set; raises InputError for an unknown or repeated name."""
  indices = {image["name"]: index for index, image in enumerate(run.images(test_set))}
  for name in names:
    if name not in indices:
      raise InputError(
        f"`names`: {name} is not in the test set {test_set}; its first images are {', '.join(list(indices)[:3])}"
      )
  _check_are_different("names", names)
  return [indices[name] for name in names]


def images_with_largest_holes(run: RunFolder, test_set: str, count: int) -> list[int]:
  """Returns the indices of the `count` images of a test set with the largest share of hole, largest first."""
  ratios = [image["hole_ratio"] for image in run.images(test_set)]
  return sorted(range(len(ratios)), key=lambda index: -ratios[index])[:count]


def make_table(run: RunFolder, test_set: str, chosen: Sequence[int], methods: Sequence[str], description: str) -> Table:
  """Tabulates hole ratio, PSNR and PSNR of the hole for chosen images, their means and those of the test set.

  Means leave out infinite and undefined values; notes count these.

  Args:
    run: evaluation.
    test_set: name.
    chosen: indices of the images.
    methods: in order of the columns.
    description: of the chosen images, for the title.
  """
  images = run.images(test_set)
  # Headings may repeat: a method may be called "NAME hole".
  scores = [(f"{method} {metric}", run.scores(test_set, method, metric)) for method in methods for metric in _METRICS]
  chosen = list(chosen)
  ratios = np.array([image["hole_ratio"] for image in images])

  def mean_row(name, indices):
    means = (statistics.mean(values[indices]).value for _, values in scores)
    return (
      name,
      f"{100 * ratios[indices].mean():.2f}%",
      *(f"{mean:.2f}" if np.isfinite(mean) else NONE for mean in means),
    )

  rows = [
    (
      images[index]["name"],
      f"{100 * ratios[index]:.2f}%",
      *(NONE if np.isnan(values[index]) else f"{values[index]:.2f}" for _, values in scores),
    )
    for index in chosen
  ]
  rows += [mean_row("mean of these", chosen), mean_row(f"mean of all {len(images)}", list(range(len(images))))]
  return Table(
    f"{test_set}: {description}",
    ("image", "hole", *(heading for heading, _ in scores)),
    rows,
    ("PSNR in dB, over the whole image and over the hole.", *_missing_values(scores, chosen)),
  )


def draw(run: RunFolder, test_set: str, chosen: Sequence[int], methods: Sequence[str], zoom_crop: str) -> np.ndarray:
  """Draws a sheet with an image per row: input, every method's result with its PSNR, and original.

  Args:
    run: with the pictures.
    test_set: name.
    chosen: indices of the images.
    methods: in order of the columns.
    zoom_crop: "auto" adds a row of crops around the largest hole of every image, "none" does not.
  Returns: (H, W, 3) uint8.
  Raises: InputError if a picture is missing or damaged.
  """
  images = run.images(test_set)
  psnr = {method: run.scores(test_set, method, PSNR) for method in methods}
  rows, captions, labels = [], [], []
  for index in chosen:
    name = images[index]["name"]
    original, mask = run.original(test_set, name), run.mask(test_set, name)
    pictures = [
      picture_sheets.paint_hole(original, mask),
      *(run.result(test_set, name, method) for method in methods),
      original,
    ]
    of_image = picture_sheets.photo_rows(pictures, mask, zoom_crop)
    rows += of_image
    captions += [()] * (len(of_image) - 1) + [("", *(f"{psnr[method][index]:.2f} dB" for method in methods), "")]
    labels += [f"{name}, hole {100 * images[index]['hole_ratio']:.1f}%"] + [""] * (len(of_image) - 1)
  return picture_sheets.draw_sheet(["input", *methods, "original"], rows, captions, labels)


def write(
  folder: str,
  analysis: str,
  run: RunFolder,
  chosen: Mapping[str, Sequence[int]],
  methods: Sequence[str],
  zoom_crop: str,
  settings: Mapping[str, Any],
  description: str,
) -> Sequence[Table]:
  """Writes record, tables and a sheet per test set to an existing folder; returns the tables.

  Args:
    folder: existing.
    analysis: `SIDE_BY_SIDE` or `FAILURES`.
    run: evaluation to show.
    chosen: test set -> indices of its images.
    methods: in order of the columns.
    zoom_crop: see `draw`.
    settings: everything else that decides the result.
    description: of the chosen images, for the titles.
  Raises: InputError as `draw`, before anything is written.
  """
  sheets = {
    f"{analysis}_{test_set}.png": draw(run, test_set, indices, methods, zoom_crop)
    for test_set, indices in chosen.items()
  }
  tables = [make_table(run, test_set, indices, methods, description) for test_set, indices in chosen.items()]
  for name, sheet in sheets.items():
    image_files.write_rgb(os.path.join(folder, name), sheet)
  settings = {"run": run.hash, "methods": list(methods), "zoom_crop": zoom_crop, **settings}
  content = {"images": {test_set: _entries(run, test_set, indices, methods) for test_set, indices in chosen.items()}}
  AnalysisResult(analysis, settings, content, tables, list(sheets)).write(folder)
  return tables


def _missing_values(scores: Sequence[tuple[str, np.ndarray]], chosen: list[int]) -> list[str]:
  """Returns a line for each column with infinite or undefined values."""
  notes = []
  for column, values in scores:
    these, everything = statistics.mean(values[chosen]), statistics.mean(values)
    if everything.infinite:
      notes.append(
        f"{column}: the means leave out {these.infinite} of these and {everything.infinite} of all images, which equal "
        "the original (infinite)."
      )
    if everything.undefined:
      notes.append(
        f"{column}: the means leave out {these.undefined} of these and {everything.undefined} of all images, for which "
        "it is undefined."
      )
  return notes


def _entries(run: RunFolder, test_set: str, chosen: Sequence[int], methods: Sequence[str]) -> list[dict[str, Any]]:
  images = run.images(test_set)
  return [
    {
      "name": images[index]["name"],
      "hole_ratio": images[index]["hole_ratio"],
      "scores": {
        method: {metric: run.scores(test_set, method, metric)[index] for metric in _METRICS} for method in methods
      },
    }
    for index in chosen
  ]

"""Results of several methods side by side, from a folder of `z2i evaluate` (the paper's Figures 4, 12, 14 and 15).

`side_by_side` shows images that were named, or drawn at random; `failures` those with the largest holes. Neither looks
at the scores.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any

import numpy as np

from z2i_tf.analyses import comparison_sheet
from z2i_tf.analyses import picture_rows
from z2i_tf.analyses.analysis_folder import write_analysis
from z2i_tf.analyses.run_folder import check_are_different
from z2i_tf.analyses.run_folder import RunFolder
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.metrics import statistics
from z2i_tf.metrics.image_scores import HOLE_PSNR
from z2i_tf.metrics.image_scores import PSNR

SIDE_BY_SIDE, FAILURES = "side_by_side", "failures"
_METRICS = (PSNR, HOLE_PSNR)


def random_images(run: RunFolder, test_set: str, count: int, seed: int) -> list[int]:
  """Returns the numbers of `count` images of a test set (all, if there are fewer), drawn at random, in their order."""
  total = len(run.images(test_set))
  return sorted(np.random.default_rng(seed).permutation(total)[:count].tolist())


def named_images(run: RunFolder, test_set: str, names: Sequence[str]) -> list[int]:
  """Returns the numbers of a test set's images of these names; raises InputError if one is not in it, or twice."""
  numbers = {image["name"]: number for number, image in enumerate(run.images(test_set))}
  for name in names:
    if name not in numbers:
      raise InputError(
        f"--names: {name} is not in the test set {test_set}; its first images are {', '.join(list(numbers)[:3])}"
      )
  check_are_different("names", names)
  return [numbers[name] for name in names]


def images_with_largest_holes(run: RunFolder, test_set: str, count: int) -> list[int]:
  """Returns the numbers of the `count` images of a test set with the largest share of hole, largest first."""
  ratios = [image["hole_ratio"] for image in run.images(test_set)]
  return sorted(range(len(ratios)), key=lambda number: -ratios[number])[:count]


def make_table(run: RunFolder, test_set: str, chosen: Sequence[int], methods: Sequence[str], what: str) -> Table:
  """Returns hole ratio, PSNR and PSNR over the hole of every method for images of a test set, and their means.

  Means are over the values that are finite; notes say how many others there are. `what` says which images they are.
  """
  images = run.images(test_set)
  # Pairs: a method may be called "NAME hole", so headings need not differ.
  scores = [(f"{method} {metric}", run.scores(test_set, method, metric)) for method in methods for metric in _METRICS]
  chosen = list(chosen)
  ratios = np.array([image["hole_ratio"] for image in images])

  def mean_row(name, numbers):
    means = (statistics.mean(values[numbers]).value for _, values in scores)
    return (
      name,
      f"{100 * ratios[numbers].mean():.2f}%",
      *(f"{mean:.2f}" if np.isfinite(mean) else NONE for mean in means),
    )

  rows = [
    (
      images[number]["name"],
      f"{100 * ratios[number]:.2f}%",
      *(NONE if np.isnan(values[number]) else f"{values[number]:.2f}" for _, values in scores),
    )
    for number in chosen
  ]
  rows += [mean_row("mean of these", chosen), mean_row(f"mean of all {len(images)}", list(range(len(images))))]
  return Table(
    f"{test_set}: {what}",
    ("image", "hole", *(heading for heading, _ in scores)),
    rows,
    ("PSNR in dB, over the whole image and over the hole.", *_left_out_of_means(scores, chosen)),
  )


def draw(run: RunFolder, test_set: str, chosen: Sequence[int], methods: Sequence[str], zoom_crop: str) -> np.ndarray:
  """Returns a sheet: input, every method's result with its PSNR, and original, an image a row.

  Args:
    run: with the pictures.
    test_set: the images' one.
    chosen: numbers of the images.
    methods: in the order of the columns.
    zoom_crop: "auto" adds a row of crops around the largest hole to every image, "none" does not.
  Raises: InputError if a picture is missing or damaged.
  """
  images = run.images(test_set)
  psnr = {method: run.scores(test_set, method, PSNR) for method in methods}
  rows, captions, labels = [], [], []
  for number in chosen:
    name = images[number]["name"]
    original, mask = run.original(test_set, name), run.mask(test_set, name)
    pictures = [
      comparison_sheet.paint_hole(original, mask),
      *(run.result(test_set, name, method) for method in methods),
      original,
    ]
    of_image = picture_rows.rows_of(pictures, mask, zoom_crop)
    rows += of_image
    captions += [()] * (len(of_image) - 1) + [("", *(f"{psnr[method][number]:.2f} dB" for method in methods), "")]
    labels += [f"{name}, hole {100 * images[number]['hole_ratio']:.1f}%"] + [""] * (len(of_image) - 1)
  return comparison_sheet.draw_sheet(["input", *methods, "original"], rows, captions, labels)


def write(
  folder: str,
  analysis: str,
  run: RunFolder,
  chosen: Mapping[str, Sequence[int]],
  methods: Sequence[str],
  zoom_crop: str,
  settings: Mapping[str, Any],
  what: str,
) -> list[Table]:
  """Writes record, tables and a sheet per test set; returns the tables.

  Args:
    folder: exists.
    analysis: `SIDE_BY_SIDE` or `FAILURES`.
    run: what is shown.
    chosen: test set -> numbers of its images.
    methods: in the order of the columns.
    zoom_crop: see `draw`.
    settings: what else decides about the result.
    what: which images they are, in words.
  Raises: InputError as `draw`; nothing is written then.
  """
  sheets = {
    f"{analysis}_{test_set}.png": draw(run, test_set, numbers, methods, zoom_crop)
    for test_set, numbers in chosen.items()
  }
  of_tables = [make_table(run, test_set, numbers, methods, what) for test_set, numbers in chosen.items()]
  for name, sheet in sheets.items():
    image_files.write_rgb(os.path.join(folder, name), sheet)
  write_analysis(
    folder,
    analysis,
    {"run": run.hash, "methods": list(methods), "zoom_crop": zoom_crop, **settings},
    {"images": {test_set: _entries(run, test_set, numbers, methods) for test_set, numbers in chosen.items()}},
    of_tables,
    list(sheets),
  )
  return of_tables


def _left_out_of_means(scores: Sequence[tuple[str, np.ndarray]], chosen: list[int]) -> list[str]:
  """Returns a line for each column with values that are not in its means."""
  notes = []
  for column, values in scores:
    these, everything = statistics.mean(values[chosen]), statistics.mean(values)
    if everything.infinite:
      notes.append(
        f"{column}: {these.infinite} of these and {everything.infinite} of all images equal the original "
        "(infinite) and are not in the means."
      )
    if everything.undefined:
      notes.append(
        f"{column}: not defined for {these.undefined} of these and {everything.undefined} of all images, "
        "which are not in the means."
      )
  return notes


def _entries(run, test_set, chosen, methods) -> list[dict[str, Any]]:
  images = run.images(test_set)
  return [
    {
      "name": images[number]["name"],
      "hole_ratio": images[number]["hole_ratio"],
      "scores": {
        method: {metric: run.scores(test_set, method, metric)[number] for metric in _METRICS} for method in methods
      },
    }
    for number in chosen
  ]

"""Measures the hole sizes of random masks (paper appendix B, Table 4 and Figure 3)."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import numpy as np

from z2i_tf.analyses import charts
from z2i_tf.analyses import paper
from z2i_tf.analyses import picture_sheets
from z2i_tf.analyses.records import AnalysisResult
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.masks.specs import BlobSpec
from z2i_tf.masks.specs import RectangleSpec
from z2i_tf.masks.specs import SPECS
from z2i_tf.masks.specs import StrokeSpec

ANALYSIS = "mask_statistics"
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_SHARES, _BINS = 10, 100
_EXAMPLES, _EXAMPLES_PER_ROW = 16, 8
_EXAMPLES_PICTURE, _HISTOGRAM_PICTURE = "mask_examples.png", "hole_ratio.png"


@dataclasses.dataclass(frozen=True)
class Drawn:
  """The masks drawn of one kind.

  Attributes:
    ratios: (N,) float64, share of hole pixels of each mask.
    examples: the first masks, (H, W) uint8, 1 = hole.
  """

  ratios: np.ndarray
  examples: Sequence[np.ndarray]


def draw(kind: str, count: int, height: int, width: int, seed: int) -> Drawn:
  """Draws the masks that `z2i masks` draws with the same seed; mask i does not depend on `count`.

  Args:
    kind: of the masks, a key of `masks.specs.SPECS`.
    count: number of masks.
    height: pixels.
    width: pixels.
    seed: of the random numbers.
  Raises: InputError if the kind cannot be drawn at that size.
  """
  mixture = MaskMixture.parse(kind)
  ratios, examples = np.empty(count), []
  for index in range(count):
    try:
      mask = mixture.draw(height, width, np.random.default_rng([seed, index]))
    except ValueError as error:
      raise InputError(f"`size`={height}x{width}: {error}") from error
    ratios[index] = mask.mean()
    if index < _EXAMPLES:
      examples.append(mask)
  return Drawn(ratios, examples)


def make_tables(drawn: Mapping[str, Drawn], height: int, width: int) -> list[Table]:
  """Returns the paper's Table 4 with the measured holes, percentiles, and shares of masks by hole ratio."""
  count = len(next(iter(drawn.values())).ratios)
  measured = f"{count:,} masks of {height}x{width}"
  parameters = Table(
    f"Random masks and their holes ({measured})",
    (
      "masks",
      "strokes",
      "vertices per stroke",
      "length of a segment",
      "thickness, px",
      "angle of a vertex",
      "every other angle",
      "hole, mean / max",
      "paper, mean / max",
    ),
    [
      (
        kind,
        *_parameters(kind),
        f"{100 * of.ratios.mean():.2f}% / {100 * of.ratios.max():.2f}%",
        "{}% / {}%".format(*paper.TABLE_4[kind]) if kind in paper.TABLE_4 else NONE,
      )
      for kind, of in drawn.items()
    ],
    (
      "U: uniform, N: normal (mean, deviation), d: diagonal of the image; ranges include both ends. The paper measured "
      "10,000 masks of 256x256.",
    ),
  )
  percentiles = Table(
    f"Hole ratio in percent ({measured})",
    ("masks", "min", *(f"p{percentile}" for percentile in PERCENTILES), "max"),
    [
      (
        kind,
        *(f"{100 * value:.2f}" for value in (of.ratios.min(), *np.percentile(of.ratios, PERCENTILES), of.ratios.max())),
      )
      for kind, of in drawn.items()
    ],
  )
  last = max(np.flatnonzero(_histogram(of.ratios, _SHARES)).max() for of in drawn.values())
  shares = Table(
    f"Share of masks by hole ratio ({measured})",
    ("masks", *(f"{10 * number}-{10 * number + 10}%" for number in range(last + 1))),
    [
      (kind, *(f"{100 * share:.2f}%" for share in _histogram(of.ratios, _SHARES)[: last + 1] / count))
      for kind, of in drawn.items()
    ],
    ("A range includes its lower bound.",),
  )
  return [parameters, percentiles, shares]


def write(folder: str, drawn: Mapping[str, Drawn], height: int, width: int, seed: int) -> list[Table]:
  """Writes record, tables and pictures; returns the tables.

  Args:
    folder: existing.
    drawn: kind -> masks, equally many of each.
    height: of the masks, pixels.
    width: of the masks, pixels.
    seed: with which the masks were drawn.
  Raises: as `charts.histogram`.
  """
  count = len(next(iter(drawn.values())).ratios)
  image_files.write_rgb(os.path.join(folder, _EXAMPLES_PICTURE), _example_sheet(drawn))
  last = 1 + max(np.flatnonzero(_histogram(of.ratios, _BINS)).max() for of in drawn.values())
  charts.histogram(
    os.path.join(folder, _HISTOGRAM_PICTURE),
    f"Hole ratio of {count:,} masks of {height}x{width}",
    np.arange(last + 1),
    {
      f"{kind} (mean {100 * of.ratios.mean():.2f}%, max {100 * of.ratios.max():.2f}%)": 100
      * _histogram(of.ratios, _BINS)[:last]
      / count
      for kind, of in drawn.items()
    },
    "hole ratio, %",
    "share of masks, %",
  )
  tables = make_tables(drawn, height, width)
  settings = {"kinds": list(drawn), "count": count, "size": [height, width], "seed": seed}
  content = {"masks": {kind: _summary(of) for kind, of in drawn.items()}}
  AnalysisResult(ANALYSIS, settings, content, tables, [_EXAMPLES_PICTURE, _HISTOGRAM_PICTURE]).write(folder)
  return tables


def _parameters(kind: str) -> tuple[str, ...]:
  """Returns the cells of the columns from strokes to every other angle."""
  spec = SPECS[kind]
  if isinstance(spec, StrokeSpec):
    low_high = ("U[{}, {}]".format(*bounds) for bounds in (spec.strokes, spec.vertices, spec.thickness_px))
    strokes, vertices, thickness = low_high
    return strokes, vertices, spec.length_text, thickness, spec.angle_text, spec.other_angle_text or NONE
  if isinstance(spec, RectangleSpec):
    low, high = spec.side_fractions
    return "one rectangle", NONE, f"sides U({low}, {high}) of the image's", NONE, NONE, NONE
  assert isinstance(spec, BlobSpec), kind
  low, high = spec.diameter_fractions
  return (
    "U[{}, {}] blobs".format(*spec.blobs),
    NONE,
    f"diameters {low} to {high} of the shorter side",
    NONE,
    NONE,
    NONE,
  )


def _histogram(ratios: np.ndarray, bins: int) -> np.ndarray:
  """Counts ratios in [0, 1] in equal bins; a bin includes its lower bound."""
  return np.histogram(ratios, bins=bins, range=(0.0, 1.0))[0]


def _summary(of: Drawn) -> dict[str, Any]:
  return {
    "hole_ratio": {
      "mean": of.ratios.mean(),
      "min": of.ratios.min(),
      "max": of.ratios.max(),
      "percentiles": dict(zip(map(str, PERCENTILES), np.percentile(of.ratios, PERCENTILES))),
      "masks_per_percent": _histogram(of.ratios, _BINS),
    }
  }


def _example_sheet(drawn: Mapping[str, Drawn]) -> np.ndarray:
  rows, labels = [], []
  for kind, of in drawn.items():
    shown = [picture_sheets.mask_picture(mask) for mask in of.examples]
    shown = [_framed(picture_sheets.resize(mask, _example_shape(mask))) for mask in shown]
    of_kind = [shown[start : start + _EXAMPLES_PER_ROW] for start in range(0, len(shown), _EXAMPLES_PER_ROW)]
    rows += of_kind
    labels += [f"{kind} masks (white = hole)"] + [""] * (len(of_kind) - 1)
  return picture_sheets.draw_sheet([""] * len(rows[0]), rows, labels=labels)


def _framed(mask: np.ndarray) -> np.ndarray:
  """Adds a gray border, so that a hole at the edge does not run into the white sheet."""
  return np.pad(mask, ((1, 1), (1, 1), (0, 0)), constant_values=128)


def _example_shape(mask: np.ndarray) -> tuple[int, int]:
  """Returns half the size of other pictures, because the sheet has many."""
  height, width = picture_sheets.display_shape(*mask.shape[:2])
  return max(1, height // 2), max(1, width // 2)

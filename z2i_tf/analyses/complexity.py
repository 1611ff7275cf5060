"""Measures the size of models and their time per image, next to OpenCV's methods (paper appendix C, Table 5)."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import time
from typing import Any

import numpy as np

from z2i_tf.analyses import charts
from z2i_tf.analyses import records
from z2i_tf.analyses.records import AnalysisResult
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.metrics.scoring import without_hole

# Original (H, W, 3) uint8 and mask (H, W) uint8, 1 = hole.
Example = tuple[np.ndarray, np.ndarray]
# Fills an image, given with its hole set to 0 and its mask, both as in `Example`.
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]

ANALYSIS = "complexity"
_PICTURE = "latency.png"
# Untimed examples per method, which build graphs and allocate memory.
_WARM_UP = 2
_FLOPS_NOTE = (
  "GFLOP: two operations per multiply-add of every convolution and of attention's two products, at every pixel of the "
  "networks as the paper defines them. Inference computes decoders and attention for the hole alone and needs fewer."
)


def draw_examples(
  masks: MaskMixture, count: int, size: tuple[int, int], seed: int, image_dir: str | None
) -> tuple[list[Example], dict[str, str] | str]:
  """Pairs images with random masks.

  Args:
    masks: to draw from.
    count: number of examples.
    size: height and width, pixels.
    seed: of masks and random images.
    image_dir: folder of photographs, whose central crops repeat if there are fewer than `count`; None or "" for images
      of random pixels.
  Returns: the examples, and the photographs' SHA-256 by file name, or "random".
  Raises: InputError if a mask cannot be drawn at that size, or a photograph cannot be read or is smaller.
  """
  generators = [np.random.default_rng([seed, index]) for index in range(count)]
  try:
    drawn = [masks.draw(*size, rng) for rng in generators]
  except ValueError as error:
    raise InputError(f"`size`={size[0]}x{size[1]}: {error}") from error
  if not image_dir:
    random = (rng.integers(0, 256, (*size, 3), np.uint8) for rng in generators)
    return list(zip(random, drawn)), "random"
  paths = image_files.list_images(image_dir)[:count]
  crops = centre_crops(paths, *size)
  examples = [(crops[index % len(crops)], mask) for index, mask in enumerate(drawn)]
  return examples, {os.path.basename(path): records.sha256(path) for path in paths}


def centre_crops(paths: Sequence[str], height: int, width: int) -> list[np.ndarray]:
  """Reads the central (height, width, 3) uint8 crop of every image; raises InputError for a smaller image."""
  crops = []
  for path in paths:
    image = image_files.read_rgb(path)
    top, left = image.shape[0] - height, image.shape[1] - width
    if min(top, left) < 0:
      raise InputError(f"{path}: {image.shape[0]}x{image.shape[1]} is smaller than `size`={height}x{width}")
    crops.append(image[top // 2 : top // 2 + height, left // 2 : left // 2 + width])
  return crops


def warm_up(methods: Mapping[str, Method], examples: Sequence[Example]) -> None:
  """Lets every method fill the first examples, untimed."""
  for method in methods.values():
    for image, mask in examples[:_WARM_UP]:
      method(without_hole(image, mask), mask)


def measure(
  methods: Mapping[str, Method],
  examples: Sequence[Example],
  advance: Callable[[], None],
  clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
  """Times every method on every example.

  All methods fill one example before the next, so that other work on the machine slows all of them.

  Args:
    methods: by name.
    examples: originals and masks; methods see the hole as 0.
    advance: called after each example.
    clock: returns seconds.
  Returns: method -> seconds for each example.
  """
  seconds: dict[str, list[float]] = {name: [] for name in methods}
  for image, mask in examples:
    masked = without_hole(image, mask)
    for name, method in methods.items():
      start = clock()
      method(masked, mask)
      seconds[name].append(clock() - start)
    advance()
  return seconds


def write(
  folder: str,
  models: Mapping[str, Mapping[str, Any]],
  seconds: Mapping[str, Sequence[float]],
  size: tuple[int, int],
  settings: Mapping[str, Any],
  measured_on: Mapping[str, Any],
) -> Sequence[Table]:
  """Writes record, tables and a chart of the times to an existing folder.

  Args:
    folder: existing.
    models: name -> description, with "parameters" and, if they are known, "flops": network (and "total") -> number.
    seconds: method -> seconds for each image.
    size: height and width, pixels.
    settings: everything that decides the result.
    measured_on: conditions of the times, by name.
  Returns: the table of sizes and the table of times.
  Raises: as `charts.dot_chart`.
  """
  milliseconds = {name: 1000 * np.asarray(values, float) for name, values in seconds.items()}
  spread = {name: np.percentile(values, [50, 10, 90]).tolist() for name, values in milliseconds.items()}
  count = len(next(iter(milliseconds.values())))
  charts.dot_chart(
    os.path.join(folder, _PICTURE),
    "Time per image",
    {f"{size[0]}x{size[1]}, {count} images": {name: charts.Estimate(*values) for name, values in spread.items()}},
    "milliseconds, logarithmic (dot: median, line: 10th to 90th percentile)",
    "{:.1f} ms",
    is_logarithmic=True,
  )
  conditions = "Measured on " + ", ".join(f"{name}: {value}" for name, value in measured_on.items()) + "."
  tables = [_size_table(models, size), _time_table(milliseconds, size, conditions)]
  latency = {
    name: {**{f"{key}_ms": value for key, value in _statistics(values).items()}, "milliseconds": values}
    for name, values in milliseconds.items()
  }
  content = {"models": models, "latency": latency, "measured_on": measured_on}
  AnalysisResult(ANALYSIS, settings, content, tables, [_PICTURE]).write(folder)
  return tables


def _size_table(models: Mapping[str, Mapping[str, Any]], size: tuple[int, int]) -> Table:
  # In order of first appearance: ablations lack the SR network.
  networks = list(dict.fromkeys(name for model in models.values() for name in model["parameters"] if name != "total"))
  return Table(
    f"Parameters and operations ({size[0]}x{size[1]})",
    ("model", "parameters", *networks, "GFLOP", *(f"GFLOP {name}" for name in networks)),
    [
      (
        name,
        *(_format_millions(model["parameters"].get(part)) for part in ("total", *networks)),
        *(_format_billions(model.get("flops", {}).get(part)) for part in ("total", *networks)),
      )
      for name, model in models.items()
    ],
    ("Parameters: trainable ones.", _FLOPS_NOTE),
  )


def _time_table(milliseconds: Mapping[str, np.ndarray], size: tuple[int, int], conditions: str) -> Table:
  return Table(
    f"Time per image in milliseconds ({size[0]}x{size[1]}, {len(next(iter(milliseconds.values())))} images)",
    ("method", "mean", "median", "p90"),
    [(name, *(f"{value:.1f}" for value in _statistics(values).values())) for name, values in milliseconds.items()],
    (conditions, "After a warm-up, one image at a time, from and to 8-bit arrays, without files."),
  )


def _statistics(values: np.ndarray) -> dict[str, float]:
  return {"mean": float(np.mean(values)), "median": float(np.median(values)), "p90": float(np.percentile(values, 90))}


def _format_millions(count: float | None) -> str:
  return NONE if count is None else f"{count / 1e6:.2f}M" if count >= 1e6 else f"{count / 1e6:.3f}M"


def _format_billions(count: float | None) -> str:
  return NONE if count is None else f"{count / 1e9:.1f}"

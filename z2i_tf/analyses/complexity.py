"""How large models are and how long they take for an image, beside OpenCV's methods (paper appendix C, Table 5)."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import time
from typing import Any

import numpy as np

from z2i_tf.analyses import charts
from z2i_tf.analyses.analysis_folder import write_analysis
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.metrics.scoring import without_hole

# An original (H, W, 3) uint8 and its mask (H, W) uint8, 1 = hole.
Example = tuple[np.ndarray, np.ndarray]
# Image with its hole set to 0, and mask, as of `Example` -> the filled image.
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]

ANALYSIS = "complexity"
_PICTURE = "latency.png"
# Examples that every method fills before time counts: graphs are made, memory is taken.
_WARM_UP = 2
_FLOPS_NOTE = (
  "GFLOP: two operations per multiply-add of every convolution and of attention's two products, as the "
  "paper defines the networks and at every pixel, whatever computes them; inference computes decoders and "
  "attention for the hole alone and takes fewer."
)


def centre_crops(paths: Sequence[str], height: int, width: int) -> list[np.ndarray]:
  """Returns the middle (height, width, 3) uint8 of every image; raises InputError for one that is smaller."""
  crops = []
  for path in paths:
    image = image_files.read_rgb(path)
    top, left = image.shape[0] - height, image.shape[1] - width
    if min(top, left) < 0:
      raise InputError(f"{path}: {image.shape[0]}x{image.shape[1]} is smaller than --size={height}x{width}")
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

  The methods fill an example one after the other, so that whatever else the machine does hits all of them.

  Args:
    methods: by name.
    examples: originals and masks; methods see the hole as 0.
    advance: called after each example.
    clock: tells seconds.
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


def make_tables(
  models: Mapping[str, Mapping[str, Any]],
  seconds: Mapping[str, Sequence[float]],
  size: tuple[int, int],
  conditions: str,
) -> list[Table]:
  """Returns the table of sizes and that of times; arguments as `write`."""
  height, width = size
  networks = [name for name in next(iter(models.values()))["parameters"] if name != "total"] if models else []
  for model in models.values():  # Ablations lack the SR network: its column is there if any model has it.
    networks += [name for name in model["parameters"] if name not in (*networks, "total")]
  sizes = Table(
    f"Parameters and operations ({height}x{width})",
    ("model", "parameters", *networks, "GFLOP", *(f"GFLOP {name}" for name in networks)),
    [
      (
        name,
        *(_millions(model["parameters"].get(part)) for part in ("total", *networks)),
        *(_billions(model["flops"].get(part)) for part in ("total", *networks)),
      )
      for name, model in models.items()
    ],
    ("Parameters: trainable ones.", _FLOPS_NOTE),
  )
  times = Table(
    f"Time per image in milliseconds ({height}x{width}, {len(next(iter(seconds.values())))} images)",
    ("method", "mean", "median", "p90"),
    [(name, *(f"{value:.1f}" for value in _statistics(values).values())) for name, values in seconds.items()],
    (conditions, "Without reading and writing files, after a warm-up; one image at a time, from and to 8-bit arrays."),
  )
  return [sizes, times]


def write(
  folder: str,
  models: Mapping[str, Mapping[str, Any]],
  seconds: Mapping[str, Sequence[float]],
  size: tuple[int, int],
  settings: Mapping[str, Any],
  measured_on: Mapping[str, Any],
) -> list[Table]:
  """Writes record, tables and the chart of times; returns the tables.

  Args:
    folder: exists.
    models: name -> what it is, with "parameters" and "flops": network (and "total") -> number.
    seconds: method -> seconds for each image.
    size: height and width, pixels.
    settings: what decides about the result.
    measured_on: name -> what the times depend on.
  """
  conditions = "Measured on " + ", ".join(f"{name}: {value}" for name, value in measured_on.items()) + "."
  found = {name: _statistics(values) for name, values in seconds.items()}
  charts.bar_chart(
    os.path.join(folder, _PICTURE),
    f"Time per image, {size[0]}x{size[1]}",
    list(seconds),
    {name: [of[name] for of in found.values()] for name in ("mean", "median", "p90")},
    "milliseconds",
    "{:.0f}",
    horizontal=True,
  )
  of_tables = make_tables(models, seconds, size, conditions)
  latency = {
    name: {
      **{f"{key}_ms": value for key, value in found[name].items()},
      "milliseconds": [1000 * value for value in values],
    }
    for name, values in seconds.items()
  }
  write_analysis(
    folder,
    ANALYSIS,
    settings,
    {"models": models, "latency": latency, "measured_on": measured_on},
    of_tables,
    [_PICTURE],
  )
  return of_tables


def _statistics(seconds) -> dict[str, float]:
  """Milliseconds."""
  return {
    "mean": 1000 * float(np.mean(seconds)),
    "median": 1000 * float(np.median(seconds)),
    "p90": 1000 * float(np.percentile(seconds, 90)),
  }


def _millions(count):
  return NONE if count is None else f"{count / 1e6:.2f}M" if count >= 1e6 else f"{count / 1e6:.3f}M"


def _billions(count):
  return NONE if count is None else f"{count / 1e9:.1f}"

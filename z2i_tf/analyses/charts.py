"""Draws charts as PNG files with matplotlib (the extra "evaluation" installs it).

Figures avoid pyplot and use matplotlib's own defaults, so that neither other code nor the user's settings change them:
the same numbers write the same bytes. Axes of dots do not begin at 0, so that differences are visible.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import importlib.util
import itertools
import math
import os
from typing import Any, NamedTuple

import numpy as np

from z2i_tf.analyses import score_tables
from z2i_tf.errors import InputError
from z2i_tf.metrics import statistics
from z2i_tf.system.atomic_files import atomic_write

_WIDTH_INCHES, _DPI = 8.0, 110
_HISTOGRAM_HEIGHT_INCHES, _LINES_HEIGHT_INCHES = 4.5, 3.6
# Heights of a row of dots, and of a panel's title, axis and labels together.
_ROW_INCHES, _FRAME_INCHES = 0.34, 1.15
_MAX_COLUMNS = 3
# Okabe and Ito's palette, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
# In letters: the width of a legend, and of a key in it.
_LEGEND_WIDTH, _KEY_WIDTH = 95, 8
_MARGIN_SHARE = 0.12
_MAX_TICKS = 3
_CONFIDENCE = 0.95
_INTERVAL_NOTE = "line: 95% bootstrap interval"
_PSNR = {"PSNR": "psnr", "hole PSNR": "hole_psnr"}
_STRUCTURE = ("SSIM", "MS-SSIM")


class Estimate(NamedTuple):
  """A measured value with an interval.

  Attributes:
    value: NaN or infinite if there is nothing to draw.
    low: lower end of the interval; equal to `value` for none.
    high: upper end.
  """

  value: float
  low: float
  high: float


def require_matplotlib() -> None:
  """Raises InputError if matplotlib is missing; call it before any long work."""
  if importlib.util.find_spec("matplotlib") is None:
    raise InputError("matplotlib is not installed, and the charts need it: pip install 'z2i_tf[evaluation]'")


def dot_chart(
  path: str,
  title: str,
  panels: Mapping[str, Mapping[str, Estimate]],
  label: str,
  value_format: str,
  same_axis: bool = False,
  is_logarithmic: bool = False,
) -> None:
  """Draws panels of dots with intervals, one named row per estimate and its value at the right.

  Args:
    path: PNG file to write.
    title: of the chart.
    panels: title of a panel -> name of a row -> estimate. All panels have the same rows.
    label: of the axis, with the unit.
    value_format: of the written values, such as "{:.2f}".
    same_axis: whether all panels cover the same range, so that they can be compared.
    is_logarithmic: whether the axis is logarithmic, for positive values of different magnitude.
  Raises: InputError if matplotlib is missing; OSError if the file cannot be written.
  """
  names = list(next(iter(panels.values())))
  columns = min(len(panels), _MAX_COLUMNS)
  lines = math.ceil(len(panels) / columns)

  def draw(figure):
    grid = figure.subplots(lines, columns, sharex=same_axis, sharey=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
      axes.remove()
    for axes, (heading, estimates) in zip(grid.flat, panels.items()):
      axes.set_title(heading, fontsize="medium")
      if is_logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # The default writes formulas.
      else:
        axes.locator_params(axis="x", nbins=_MAX_TICKS)
      for place, (colour, estimate) in enumerate(zip(_colours(), estimates.values())):
        if not np.isfinite(estimate.value):
          continue
        axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2.5, alpha=0.55)
        axes.plot(estimate.value, place, "o", color=colour, markersize=8)
        right = (1.02, place)
        axes.annotate(value_format.format(estimate.value), right, xycoords=("axes fraction", "data"), va="center")
      axes.margins(x=_MARGIN_SHARE)
      low, high = axes.get_xlim()
      if low < 0 < high:
        axes.axvline(0, color="#555555", linewidth=1, zorder=0)
      axes.set_yticks(range(len(names)), names)
      axes.set_ylim(len(names) - 0.5, -0.5)  # The first row on top.
      axes.grid(axis="x", alpha=0.3)
      axes.spines[["top", "right", "left"]].set_visible(False)
      axes.tick_params(axis="y", length=0)
    figure.supxlabel(label, fontsize="medium")

  _write(path, title, lines * (_FRAME_INCHES + _ROW_INCHES * len(names)), draw)


def line_chart(
  path: str, title: str, positions: Sequence[float], panels: Mapping[str, Sequence[Estimate]], label: str
) -> None:
  """Draws a panel per series: dots with intervals, joined by a line, over common positions.

  Args:
    path: PNG file to write.
    title: of the chart.
    positions: of the estimates on the horizontal axis; only these are marked.
    panels: title of a panel -> an estimate for each position.
    label: of the horizontal axis.
  Raises: as `dot_chart`.
  """

  def draw(figure):
    grid = figure.subplots(1, len(panels), squeeze=False)
    for axes, colour, (heading, estimates) in zip(grid.flat, _colours(), panels.items()):
      axes.set_title(heading, fontsize="medium")
      values, lows, highs = (np.array(column, float) for column in zip(*estimates))
      axes.errorbar(positions, values, [values - lows, highs - values], marker="o", capsize=4, color=colour)
      axes.margins(x=_MARGIN_SHARE, y=_MARGIN_SHARE)
      axes.set_xticks(positions, [f"{position:g}" for position in positions])
      axes.grid(alpha=0.3)
    figure.supxlabel(label, fontsize="medium")

  _write(path, title, _LINES_HEIGHT_INCHES, draw)


def histogram(
  path: str, title: str, edges: np.ndarray, series: Mapping[str, np.ndarray], xlabel: str, ylabel: str
) -> None:
  """Draws a filled, transparent histogram per series over common intervals.

  Args:
    path: PNG file to write.
    title: of the chart.
    edges: of the intervals, one more than the numbers of a series.
    series: name -> a number for each interval.
    xlabel: of the values, with their unit.
    ylabel: of the numbers, with their unit.
  Raises: as `dot_chart`.
  """

  def draw(figure):
    axes = figure.add_subplot()
    for colour, (name, values) in zip(_colours(), series.items()):
      axes.stairs(values, edges, fill=True, alpha=0.35, color=colour)
      # Matplotlib hides names that begin with an underscore.
      axes.stairs(values, edges, color=colour, label=f" {name}" if name.startswith("_") else name)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    names = axes.get_legend_handles_labels()[1]
    if len(names) > 1:
      columns = int(_LEGEND_WIDTH // (max(map(len, names)) + _KEY_WIDTH))
      figure.legend(loc="outside lower center", ncols=max(1, min(columns, len(names))), frameon=False)

  _write(path, title, _HISTOGRAM_HEIGHT_INCHES, draw)


def score_charts(analysis: str, record: Mapping[str, Any], folder: str) -> list[str]:
  """Draws the charts of an evaluation: PSNR of comparisons and ablations, the paper's Figures 6 and 13.

  Args:
    analysis: comparison, ablation, frequency or scale_study.
    record: of z2i evaluate.
    folder: for the PNG files.
  Returns: names of the files. There are none if nothing can be drawn: a single method has no improvement over the
    first, and methods without a scale have no place on an axis of scales.
  Raises: InputError if matplotlib is missing.
  """
  draw = {"comparison": _psnr, "ablation": _psnr, "frequency": _improvement, "scale_study": _over_scale}[analysis]
  return draw(analysis, record, folder)


def _psnr(analysis: str, record: Mapping[str, Any], folder: str) -> list[str]:
  """Draws the mean PSNR, a panel per test set."""
  made = []
  for metric, stem in _PSNR.items():
    panels = {
      _panel_title(record, test_set): {
        method: _estimate(_scores(record, test_set, method, metric)) for method in record["methods"]
      }
      for test_set in record["test_sets"]
    }
    if _has_values(estimate for panel in panels.values() for estimate in panel.values()):
      made.append(f"{analysis}_{stem}.png")
      label = f"{metric} in dB, higher is better ({_INTERVAL_NOTE})"
      dot_chart(os.path.join(folder, made[-1]), f"Mean {metric}", panels, label, "{:.2f}")
  return made


def _improvement(analysis: str, record: Mapping[str, Any], folder: str) -> list[str]:
  """Draws Figure 6: SSIM of each frequency band minus the first method's."""
  first, *others = record["methods"]
  made = []
  for test_set in record["test_sets"] if others else ():
    panels = {
      heading: {
        method: _estimate(_scores(record, test_set, method, metric) - _scores(record, test_set, first, metric))
        for method in others
      }
      for metric, heading in score_tables.BANDS
    }
    # Images may be too small for SSIM.
    if _has_values(estimate for panel in panels.values() for estimate in panel.values()):
      made.append(f"{analysis}_{test_set}.png")
      dot_chart(
        os.path.join(folder, made[-1]),
        f"Improvement over {first}, {_panel_title(record, test_set)}",
        panels,
        f"SSIM minus that of {first} ({_INTERVAL_NOTE})",
        "{:+.4f}",
        same_axis=True,
      )
  return made


def _over_scale(analysis: str, record: Mapping[str, Any], folder: str) -> list[str]:
  """Draws Figure 13: SSIM and MS-SSIM over the scale."""
  scaled = sorted(
    (method for method, entry in record["methods"].items() if "scale" in entry),
    key=lambda method: record["methods"][method]["scale"],
  )
  made = []
  for test_set in record["test_sets"] if scaled else ():
    panels = {
      metric: [_estimate(_scores(record, test_set, method, metric)) for method in scaled] for metric in _STRUCTURE
    }
    panels = {metric: estimates for metric, estimates in panels.items() if _has_values(estimates)}
    if panels:
      made.append(f"{analysis}_{test_set}.png")
      line_chart(
        os.path.join(folder, made[-1]),
        f"Scales, {_panel_title(record, test_set)}",
        [record["methods"][method]["scale"] for method in scaled],
        panels,
        f"scale ({_INTERVAL_NOTE})",
      )
  return made


def _scores(record: Mapping[str, Any], test_set: str, method: str, metric: str) -> np.ndarray:
  return score_tables.scores_of(record, test_set, method, metric)


def _estimate(values: np.ndarray) -> Estimate:
  """Returns the mean of the finite values with its bootstrap interval."""
  finite = values[np.isfinite(values)]
  if len(finite) < 2:
    mean = float(finite.mean()) if len(finite) else float("nan")
    return Estimate(mean, mean, mean)
  interval = statistics.bootstrap_interval(finite, np.random.default_rng(0), confidence=_CONFIDENCE)
  return Estimate(float(finite.mean()), *interval)


def _has_values(estimates: Iterable[Estimate]) -> bool:
  return any(np.isfinite(estimate.value) for estimate in estimates)


def _panel_title(record: Mapping[str, Any], test_set: str) -> str:
  count = len(record["test_sets"][test_set]["images"])
  return f"{test_set} masks ({count} image{'' if count == 1 else 's'})"


def _colours() -> Iterable[str]:
  return itertools.cycle(_COLOURS)


def _write(path: str, title: str, height_inches: float, draw: Callable[[Any], None]) -> None:
  require_matplotlib()
  import matplotlib
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  # A "$" in a name must not begin a formula.
  with matplotlib.rc_context({**matplotlib.rcParamsDefault, "text.parse_math": False, "axes.axisbelow": True}):
    figure = Figure(figsize=(_WIDTH_INCHES, height_inches), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure)
    figure.suptitle(title)
    with atomic_write(path) as file:
      canvas.print_png(file, metadata={"Software": None})  # It would name matplotlib's version.

"""Charts as PNG files, by matplotlib (the extra "evaluation" installs it).

Figures are made without pyplot and with matplotlib's own defaults, so that neither what else runs in the process nor
the user's settings change them: the same numbers give the same bytes.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import importlib.util

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.system.atomic_files import atomic_write

_SIZE_INCHES, _DPI = (8.0, 4.5), 110
# Okabe and Ito's colours, told apart by people who do not see all of them.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
_MARKERS = "osD^vPX*"
_GROUP_SHARE = 0.8  # Of the distance between two groups of bars.
# Of a legend, in letters: what fits side by side, and a series' key.
_NAMES_WIDTH, _KEY_WIDTH = 95, 8


def require_matplotlib() -> None:
  """Raises InputError unless charts can be drawn; to be called before anything long starts."""
  if importlib.util.find_spec("matplotlib") is None:
    raise InputError("matplotlib is not installed, and the charts need it: pip install 'z2i_tf[evaluation]'")


def bar_chart(
  path: str,
  title: str,
  groups: Sequence[str],
  series: Mapping[str, Sequence[float]],
  ylabel: str,
  value_format: str | None = None,
  horizontal: bool = False,
  lowest: float = 0.0,
) -> None:
  """Draws bars: groups side by side, in each a bar per series.

  Args:
    path: PNG file to write.
    title: of the chart.
    groups: names below the groups.
    series: name -> a number for each group; not finite: no bar. With one series there is no legend.
    ylabel: what the numbers are, with their unit.
    value_format: of the numbers written at the bars, as "{:.2f}"; None: none are.
    horizontal: whether bars go to the right, the first group on top; for long names.
    lowest: where the axis of the numbers begins, if none is below 0; more than 0 shows small differences, and
      exaggerates them.
  Raises: InputError if matplotlib is missing; OSError if the file cannot be written.
  """

  def draw(axes):
    places, width = np.arange(len(groups)), _GROUP_SHARE / len(series)
    for number, (name, values) in enumerate(series.items()):
      values = np.where(np.isfinite(values), values, np.nan)
      offset = (number - (len(series) - 1) / 2) * width
      bars = (axes.barh if horizontal else axes.bar)(
        places + offset, values, width, label=_label(name), color=_COLOURS[number % len(_COLOURS)]
      )
      if value_format:
        axes.bar_label(
          bars,
          [value_format.format(value) if np.isfinite(value) else "" for value in values],
          fontsize="small",
          padding=2,
        )
    drawn = [value for values in series.values() for value in values if np.isfinite(value)] or [lowest + 1.0]
    smallest = min(*drawn, 0.0) or lowest
    largest = max(*drawn, 0.0)
    room = 0.1 * (largest - smallest) or 1.0  # For the numbers.
    (axes.set_xlim if horizontal else axes.set_ylim)(smallest - room * (smallest < 0), largest + room)
    if horizontal:
      axes.set_yticks(places, groups)
      axes.invert_yaxis()
      axes.set_xlabel(ylabel)
    else:
      axes.set_xticks(places, groups)
      axes.set_ylabel(ylabel)
    axes.grid(axis="x" if horizontal else "y", alpha=0.3)

  _write(path, title, draw)


def line_chart(
  path: str, title: str, positions: Sequence[float], series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str
) -> None:
  """Draws a line with marked points per series, over common positions, which alone are marked on the axis.

  Args and errors as `bar_chart`.
  """

  def draw(axes):
    for number, (name, values) in enumerate(series.items()):
      axes.plot(
        positions,
        values,
        marker=_MARKERS[number % len(_MARKERS)],
        label=_label(name),
        color=_COLOURS[number % len(_COLOURS)],
      )
    axes.set_xticks(positions, [f"{position:g}" for position in positions])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)

  _write(path, title, draw)


def histogram(
  path: str, title: str, edges: Sequence[float], series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str
) -> None:
  """Draws how often values lie between edges, one see-through area per series.

  Args:
    edges: of the intervals, one more than there are numbers in a series.
    series: name -> a number for each interval.
    Others, and errors, as `bar_chart`.
  """

  def draw(axes):
    for number, (name, values) in enumerate(series.items()):
      colour = _COLOURS[number % len(_COLOURS)]
      axes.stairs(values, edges, fill=True, alpha=0.35, color=colour)
      axes.stairs(values, edges, color=colour, label=_label(name))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)

  _write(path, title, draw)


def _label(name: str) -> str:
  """Matplotlib leaves names that begin with an underscore out of legends."""
  return f" {name}" if name.startswith("_") else name


def _legend(figure, axes):
  """Puts the series' names below the axes, where they cover nothing, as many side by side as fit."""
  names = axes.get_legend_handles_labels()[1]
  if len(names) > 1:
    columns = int(_NAMES_WIDTH // (max(map(len, names)) + _KEY_WIDTH))
    figure.legend(loc="outside lower center", ncols=max(1, min(columns, len(names))), frameon=False)


def _write(path: str, title: str, draw: Callable):
  require_matplotlib()
  import matplotlib
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  # Names are shown as they are: "$" begins no formula.
  with matplotlib.rc_context({**matplotlib.rcParamsDefault, "text.parse_math": False}):
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_axisbelow(True)
    draw(axes)
    _legend(figure, axes)
    with atomic_write(path) as file:
      canvas.print_png(file, metadata={"Software": None})  # It would hold matplotlib's version.

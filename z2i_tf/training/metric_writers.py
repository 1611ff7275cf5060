"""Writes metrics to TensorBoard, CSV and the console."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import csv
import io
import json
import os
import re
from typing import Any, Protocol

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.system.atomic_files import atomic_write
from z2i_tf.training.callbacks import Scalars
from z2i_tf.training.work_dir import EVENTS_FOLDER
from z2i_tf.training.work_dir import LOG_FILE
from z2i_tf.training.work_dir import writing_errors

# TensorBoard's tag of the grid of examples.
EXAMPLES_TAG = "examples"
_STEP = "step"
# The grid: smallest width of a column, height of its title, size of its letters, gap between images; pixels.
_COLUMN_PX, _TITLE_PX, _FONT_PX, _GAP_PX = 128, 20, 13, 4


class Reporter(Protocol):
  """Shows progress to the user."""

  def begin(self, step: int) -> None:
    """Training begins after `step` finished steps."""

  def advance(self) -> None:
    """One step is finished."""

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    """Shows the means of a logging window."""

  def say(self, text: str) -> None:
    """Prints a line."""


class LineReporter:
  """Prints one line per logging window to stdout."""

  def __init__(self, say: Callable[[str], None] = lambda text: print(text, flush=True)):
    """Stores the function that prints a message."""
    self._say = say

  def begin(self, step: int) -> None:
    pass

  def advance(self) -> None:
    pass

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    minutes, seconds = divmod(int(seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    print(f"step {step}/{iterations}  {summary(scalars)}  ETA {hours}:{minutes:02d}:{seconds:02d}", flush=True)

  def say(self, text: str) -> None:
    self._say(text)


class MetricWriter:
  """Writes the metrics of one run to its work folder and to a reporter.

  Every method raises InputError if the folder cannot be written.
  """

  def __init__(self, work_dir: str, settings: Mapping[str, Any], start_step: int, reporter: Reporter):
    """Opens the files and records the settings in TensorBoard.

    Args:
      work_dir: folder of the run.
      settings: of the run, JSON-compatible.
      start_step: finished steps; later rows of the CSV file, which a killed run left, are deleted.
      reporter: shows progress.
    """
    self._reporter = reporter
    self._table = CsvLog(os.path.join(work_dir, LOG_FILE), start_step)
    self._events = _EventWriter(os.path.join(work_dir, EVENTS_FOLDER))
    self._events.write_text(start_step, "config", f"```\n{json.dumps(settings, indent=2)}\n```")
    reporter.begin(start_step)

  def advance(self) -> None:
    """Reports one more finished step."""
    self._reporter.advance()

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    """Reports the means of a logging window; writes no file."""
    self._reporter.show(step, iterations, scalars, seconds_left)

  def write_scalars(self, step: int, scalars: Scalars) -> None:
    """Writes all scalars of a step; call it once per step."""
    self._events.write_scalars(step, scalars)
    self._table.write(step, scalars)

  def write_examples(self, step: int, columns: Mapping[str, np.ndarray]) -> None:
    """Writes one picture of some examples to TensorBoard, with the arguments of `example_grid`."""
    description = f"Columns: {', '.join(columns)}. Rows: examples."
    self._events.write_picture(step, EXAMPLES_TAG, example_grid(columns), description)

  def say(self, text: str) -> None:
    """Prints a line."""
    self._reporter.say(text)

  def warn(self, step: int, text: str) -> None:
    """Prints a warning and writes it to TensorBoard."""
    self._reporter.say(f"warning, step {step}: {text}")
    self._events.write_text(step, "warnings", text)

  def flush(self) -> None:
    """Writes buffered events to their file."""
    self._events.flush()


class NoMetricWriter:
  """Takes the place of `MetricWriter` in workers that do not report."""

  def advance(self) -> None:
    pass

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    pass

  def write_scalars(self, step: int, scalars: Scalars) -> None:
    pass

  def write_examples(self, step: int, columns: Mapping[str, np.ndarray]) -> None:
    pass

  def say(self, text: str) -> None:
    pass

  def warn(self, step: int, text: str) -> None:
    pass

  def flush(self) -> None:
    pass


class CsvLog:
  """Writes scalars to a CSV file: one row per logged step, one column per scalar.

  A cell is empty if the step has no such scalar: measurements are rarer than losses.
  """

  def __init__(self, path: str, start_step: int):
    """Continues the file if it exists, and deletes its rows after `start_step`, which a killed run left.

    Raises: InputError if the file cannot be read or written.
    """
    self._path = path
    self._columns: list[str] = [_STEP]
    rows = [row for row in self._read() if int(row[_STEP]) <= start_step] if os.path.exists(path) else []
    self._rewrite(rows)

  def write(self, step: int, scalars: Scalars) -> None:
    """Adds a row, and a column for each new scalar; raises InputError if the file cannot be written."""
    row = {_STEP: str(step), **{name: f"{value:.7g}" for name, value in scalars.items()}}
    new = [name for name in row if name not in self._columns]
    if new:
      rows = self._read()
      self._columns += new
      self._rewrite([*rows, row])
      return
    try:
      with open(self._path, "a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, self._columns).writerow(row)
    except OSError as error:
      raise self._error(error) from error

  def _read(self):
    try:
      with open(self._path, newline="", encoding="utf-8") as file:
        # A kill or a full disk may have cut the last line: it then has no line end.
        reader = csv.DictReader(line for line in file if line.endswith("\n"))
        rows = [row for row in reader if re.fullmatch("[0-9]+", row.get(_STEP) or "") and None not in row.values()]
        self._columns = list(reader.fieldnames or [_STEP])
    except OSError as error:
      raise self._error(error) from error
    except (UnicodeDecodeError, csv.Error) as error:
      raise InputError(f"{self._path}: not a table of a run: {error}; move it away") from error
    if self._columns[0] != _STEP:
      raise InputError(
        f"{self._path}: not a table of a run: its first column is {self._columns[0]!r}, not {_STEP!r}; move it away"
      )
    return rows

  def _rewrite(self, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, self._columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    try:
      with atomic_write(self._path) as file:
        file.write(text.getvalue().encode())
    except OSError as error:
      raise self._error(error) from error

  def _error(self, error):
    return InputError(f"{self._path}: cannot be read or written: {error.strerror}")


class _EventWriter:
  """Writes TensorBoard's event files under a folder; raises InputError if it cannot."""

  def __init__(self, folder: str):
    self._folder = folder
    with writing_errors(folder):
      self._writer = tf.summary.create_file_writer(folder)

  def write_scalars(self, step, scalars):
    with self._at(step):
      for name, value in scalars.items():
        tf.summary.scalar(name, value)

  def write_picture(self, step, name, picture, description):
    with self._at(step):
      tf.summary.image(name, picture[np.newaxis], description=description)

  def write_text(self, step, name, text):
    with self._at(step):
      tf.summary.text(name, text)

  def flush(self):
    with writing_errors(self._folder):
      self._writer.flush()

  @contextlib.contextmanager
  def _at(self, step) -> Iterator[None]:
    with writing_errors(self._folder), self._writer.as_default(step=step):
      yield


def example_grid(columns: Mapping[str, np.ndarray]) -> np.ndarray:
  """Draws a grid of images: one titled column per entry, one row per example.

  Images narrower than 128 pixels are enlarged by a whole factor (nearest), so that they and the titles can be seen.

  Args:
    columns: title -> images (B, H, W, 3), clipped to [0, 1]; all of the same shape.
  Returns: (H', W', 3), uint8, on black.
  """
  images = np.stack([image_ops.to_levels(np.clip(column, 0.0, 1.0)) for column in columns.values()], axis=1)
  factor = -(-_COLUMN_PX // images.shape[3])
  images = images.repeat(factor, axis=2).repeat(factor, axis=3)
  rows, count, height, width, _ = images.shape
  grid = np.zeros((_TITLE_PX + rows * (height + _GAP_PX), count * (width + _GAP_PX) - _GAP_PX, 3), np.uint8)
  for row in range(rows):
    for column in range(count):
      top, left = _TITLE_PX + row * (height + _GAP_PX), column * (width + _GAP_PX)
      grid[top : top + height, left : left + width] = images[row, column]
  sheet = Image.fromarray(grid)
  draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
  for column, title in enumerate(columns):
    draw.text((column * (width + _GAP_PX) + _GAP_PX, _TITLE_PX // 2), title, "white", font, anchor="lm")
  return np.asarray(sheet)


def summary(scalars: Scalars) -> str:
  """Returns the generator's loss, the PSNR and the speed as one line of text."""
  shown = [
    f"{name} {value:.4g}" for name, value in scalars.items() if name == "loss/generator" or name.startswith("psnr/")
  ]
  return "  ".join([*shown, f"{scalars['speed/examples_per_second']:.1f} examples/s"])


def measured_table(step: int, measured: Scalars) -> str:
  """Formats measurements named ".../METRIC/OUTPUT" as a table.

  Args:
    step: of the measurement.
    measured: values by name; those named ".../METRIC" go into the title.
  Returns: lines of text: a title, then one row per output and one column per metric.
  """
  split = {tuple(name.split("/")[1:]): value for name, value in measured.items()}
  title = [f"step {step}, validation", *(f"{parts[0]} {value:.4g}" for parts, value in split.items() if len(parts) < 2)]
  cells = {parts: value for parts, value in split.items() if len(parts) == 2}
  metrics = sorted(
    {metric for metric, _ in cells}, key=lambda metric: (metric.startswith("hole_"), metric.endswith("l1"), metric)
  )
  outputs = list(dict.fromkeys(output for _, output in cells))
  lines = [", ".join(title)]
  if cells:
    width = max(map(len, outputs))
    lines.append(" " * (width + 2) + "".join(f"{metric:>11}" for metric in metrics))
  for output in outputs:
    values = (f"{cells[metric, output]:.4g}" if (metric, output) in cells else "-" for metric in metrics)
    lines.append(f"  {output:<{width}}" + "".join(f"{value:>11}" for value in values))
  return "\n".join(lines)

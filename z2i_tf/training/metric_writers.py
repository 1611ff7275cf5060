"""Writes metrics to TensorBoard, CSV and the console, and pictures of examples to TensorBoard."""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import json
import os
from typing import Any

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.training.callbacks import Scalars
from z2i_tf.training.csv_log import CsvLog
from z2i_tf.training.reporters import Reporter
from z2i_tf.training.work_dir import EVENTS_FOLDER
from z2i_tf.training.work_dir import LOG_FILE
from z2i_tf.training.work_dir import writing_errors

# TensorBoard's tag of the grid of examples.
EXAMPLES_TAG = "examples"
# The grid: smallest width of a column, height of its title, size of its letters, gap between images; pixels.
_COLUMN_PX, _TITLE_PX, _FONT_PX, _GAP_PX = 128, 20, 13, 4


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
    """Writes the `example_grid` of the columns to TensorBoard."""
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
  """Replaces `MetricWriter` in workers that do not report; its methods do nothing."""

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

  Enlarges images narrower than 128 pixels by a whole factor (nearest), so that they and the titles are legible.

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

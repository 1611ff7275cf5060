"""What a run tells: TensorBoard events, a CSV table, and whoever is looking."""

from collections.abc import Mapping
import json
import os
from typing import Any, Protocol

import tensorflow as tf

from z2i_tf.training.csv_log import CsvLog
from z2i_tf.training.summaries import SummaryWriter
from z2i_tf.training.work_dir import EVENTS_FOLDER
from z2i_tf.training.work_dir import LOG_FILE

Scalars = Mapping[str, float]


class Reporter(Protocol):
  """Shows progress to whoever is looking."""

  def begin(self, step: int) -> None:
    """So many steps were done before."""

  def advance(self) -> None:
    """A step is done."""

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    """The means of a logging window."""

  def say(self, text: str) -> None:
    """One line, worth reading."""


class LineReporter:
  """A line per logging window on stdout."""

  def begin(self, step: int) -> None:
    pass

  def advance(self) -> None:
    pass

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    minutes, seconds = divmod(int(seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    print(f"step {step}/{iterations}  {summary(scalars)}  ETA {hours}:{minutes:02d}:{seconds:02d}", flush=True)

  def say(self, text: str) -> None:
    print(text, flush=True)


def summary(scalars: Scalars) -> str:
  """Returns the few scalars that fit a line."""
  shown = [
    f"{name} {value:.4g}" for name, value in scalars.items() if name == "loss/generator" or name.startswith("psnr/")
  ]
  return "  ".join([*shown, f"{scalars['speed/examples_per_second']:.1f} examples/s"])


def measured_table(step: int, measured: Scalars) -> str:
  """Returns measurements ".../METRIC/STAGE" as a table with a row per stage; those without a stage in its title."""
  split = {tuple(name.split("/")[1:]): value for name, value in measured.items()}
  title = [f"step {step}, validation", *(f"{parts[0]} {value:.4g}" for parts, value in split.items() if len(parts) < 2)]
  cells = {parts: value for parts, value in split.items() if len(parts) == 2}
  metrics = sorted(
    {metric for metric, _ in cells}, key=lambda metric: (metric.startswith("hole_"), metric.endswith("l1"), metric)
  )
  stages = list(dict.fromkeys(stage for _, stage in cells))
  lines = [", ".join(title)]
  if cells:
    width = max(map(len, stages))
    lines.append(" " * (width + 2) + "".join(f"{metric:>11}" for metric in metrics))
  for stage in stages:
    values = (f"{cells[metric, stage]:.4g}" if (metric, stage) in cells else "-" for metric in metrics)
    lines.append(f"  {stage:<{width}}" + "".join(f"{value:>11}" for value in values))
  return "\n".join(lines)


class Journal:
  """Of one run, in its work folder, and to a reporter."""

  def __init__(self, work_dir: str, settings: Mapping[str, Any], start_step: int, reporter: Reporter):
    """Raises: InputError, as all methods, where the folder cannot be written."""
    self._reporter = reporter
    self._table = CsvLog(os.path.join(work_dir, LOG_FILE), start_step)
    self._events = SummaryWriter(os.path.join(work_dir, EVENTS_FOLDER))
    self._events.write_text(start_step, "config", f"```\n{json.dumps(settings, indent=2)}\n```")
    reporter.begin(start_step)

  def advance(self) -> None:
    self._reporter.advance()

  def show(self, step: int, iterations: int, scalars: Scalars, seconds_left: float) -> None:
    """Shows a window's means; they are not written."""
    self._reporter.show(step, iterations, scalars, seconds_left)

  def write_scalars(self, step: int, scalars: Scalars) -> None:
    """Writes all scalars of a step, once."""
    self._events.write_scalars(step, scalars)
    self._table.write(step, scalars)

  def write_pictures(self, step: int, pictures: Mapping[str, tf.Tensor]) -> None:
    """As `SummaryWriter.write_pictures`."""
    self._events.write_pictures(step, pictures)

  def say(self, text: str) -> None:
    self._reporter.say(text)

  def warn(self, step: int, text: str) -> None:
    """Says it, and leaves it in the events."""
    self._reporter.say(f"warning, step {step}: {text}")
    self._events.write_text(step, "warnings", text)

  def flush(self) -> None:
    """Puts everything written so far into the files."""
    self._events.flush()


class NoJournal:
  """Of the workers that do not report."""

  def advance(self) -> None:
    pass

  def show(self, step, iterations, scalars, seconds_left) -> None:
    pass

  def write_scalars(self, step, scalars) -> None:
    pass

  def write_pictures(self, step, pictures) -> None:
    pass

  def say(self, text) -> None:
    pass

  def warn(self, step, text) -> None:
    pass

  def flush(self) -> None:
    pass

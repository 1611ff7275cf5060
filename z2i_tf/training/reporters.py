"""Shows the progress of training to the user."""

from collections.abc import Callable
from typing import Protocol

from z2i_tf.training.callbacks import Scalars


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

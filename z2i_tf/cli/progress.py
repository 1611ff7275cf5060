"""Progress of work that takes longer than a moment: a bar on a terminal, of training lines elsewhere."""

import contextlib
import sys
from typing import Callable, Iterator, TYPE_CHECKING

if TYPE_CHECKING:
  from z2i_tf.training.journal import Reporter

_SECONDS_BEFORE_BAR = 2.0


@contextlib.contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[], None]]:
  """Yields a function to call once per `unit`; on a terminal a bar with the time left appears after two seconds."""
  if not sys.stderr.isatty():
    yield lambda: None
    return
  import tqdm
  with tqdm.tqdm(total=total, unit=unit, file=sys.stderr, delay=_SECONDS_BEFORE_BAR, dynamic_ncols=True) as bar:
    with _printing_above_bars():
      yield bar.update


@contextlib.contextmanager
def _printing_above_bars() -> Iterator[None]:
  """Within the block, what is printed gets lines of its own above the bar."""
  from tqdm.contrib import DummyTqdmFile
  with contextlib.redirect_stdout(DummyTqdmFile(sys.stdout)), contextlib.redirect_stderr(DummyTqdmFile(sys.stderr)):
    yield


@contextlib.contextmanager
def training_reporter(iterations: int) -> Iterator["Reporter"]:
  """Yields the training.journal.Reporter for stdout: a bar on a terminal, a line per logging window elsewhere."""
  from z2i_tf.training import journal
  if not sys.stdout.isatty():
    yield journal.LineReporter()
    return
  import tqdm
  with tqdm.tqdm(total=iterations, unit="step", file=sys.stdout, dynamic_ncols=True) as bar:
    with _printing_above_bars():
      yield _BarReporter(bar)


class _BarReporter:
  """A training.journal.Reporter that draws a bar with the time left and the last window's means."""

  def __init__(self, bar):
    self._bar = bar

  def begin(self, step):
    self._bar.initial = self._bar.n = step
    self._bar.refresh()

  def advance(self):
    self._bar.update()

  def show(self, step, iterations, scalars, seconds_left):
    from z2i_tf.training import journal
    self._bar.set_postfix_str(journal.summary(scalars))

  def say(self, text):
    self._bar.write(text)

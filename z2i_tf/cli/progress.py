"""Progress of work that takes longer than a moment: a bar on a terminal, a line now and then elsewhere."""

import contextlib
import sys
import time
from typing import Callable, Iterator, TYPE_CHECKING

if TYPE_CHECKING:
  from z2i_tf.training.journal import Reporter

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BEFORE_BAR = 2.0


@contextlib.contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[], None]]:
  """Yields a function to call once per `unit`; what is done and the time left go to stderr, after two seconds."""
  import tqdm
  if sys.stderr.isatty():
    with tqdm.tqdm(total=total, unit=unit, file=sys.stderr, delay=_SECONDS_BEFORE_BAR) as bar:
      yield bar.update
    return
  done, started = 0, time.monotonic()
  due = started + _SECONDS_BETWEEN_LINES

  def advance():
    nonlocal done, due
    done += 1
    now = time.monotonic()
    if now >= due:
      due = now + _SECONDS_BETWEEN_LINES
      print(tqdm.tqdm.format_meter(done, total, now - started, ncols=0, unit=unit), file=sys.stderr)

  yield advance


@contextlib.contextmanager
def training_reporter(iterations: int) -> Iterator["Reporter"]:
  """Yields the training.journal.Reporter for stdout: a bar on a terminal, a line per logging window elsewhere."""
  from z2i_tf.training import journal
  if not sys.stdout.isatty():
    yield journal.LineReporter()
    return
  import tqdm
  with tqdm.tqdm(total=iterations, unit="step", file=sys.stdout, dynamic_ncols=True) as bar:
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

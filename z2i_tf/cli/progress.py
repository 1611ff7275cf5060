"""Shows the progress of long work: a bar on a terminal; elsewhere lines, for training only."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import sys
from typing import TYPE_CHECKING

from z2i_tf.cli import messages

if TYPE_CHECKING:
  from z2i_tf.training.reporters import Reporter

_SECONDS_BEFORE_BAR = 2.0


@contextlib.contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[], None]]:
  """Yields a function to call once per `unit`; on a terminal a bar with the time left appears after two seconds."""
  if not sys.stderr.isatty():
    yield lambda: None
    return
  import tqdm

  with tqdm.tqdm(total=total, unit=unit, file=sys.stderr, delay=_SECONDS_BEFORE_BAR, dynamic_ncols=True) as bar:
    with _printing_above(bar):
      yield bar.update


@contextlib.contextmanager
def _printing_above(bar) -> Iterator[None]:
  """Prints lines of the block to stdout and stderr above the bar."""
  streams = [_LinesAbove(stream, bar) for stream in (sys.stdout, sys.stderr)]
  with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
    try:
      yield
    finally:
      for stream in streams:
        stream.end()


class _LinesAbove:
  """A stream that clears the bar before it prints a line, and draws it again; other attributes are the stream's."""

  def __init__(self, stream, bar):
    self._stream, self._bar, self._begun = stream, bar, ""

  def write(self, text):
    *lines, self._begun = (self._begun + text).split("\n")
    if lines:
      with self._bar.external_write_mode(file=self._bar.fp):
        self._stream.write("".join(line + "\n" for line in lines))
        self._stream.flush()
    return len(text)

  def end(self):
    """Prints an unfinished line."""
    if self._begun:
      self.write("\n")

  def __getattr__(self, name):
    return getattr(self._stream, name)


@contextlib.contextmanager
def training_reporter(iterations: int) -> Iterator["Reporter"]:
  """Yields the reporter of a training run for stdout: a bar on a terminal, one line per logging window elsewhere."""
  from z2i_tf.training import reporters

  if not sys.stdout.isatty():
    yield reporters.LineReporter(_say)
    return
  with contextlib.ExitStack() as shown:
    yield _BarReporter(iterations, shown)


class _BarReporter:
  """Draws a bar with the time left and the last window's means, from the moment that training begins."""

  def __init__(self, iterations, shown):
    self._iterations, self._shown, self._bar = iterations, shown, None

  def begin(self, step):
    import tqdm

    bar = tqdm.tqdm(total=self._iterations, initial=step, unit="step", file=sys.stdout, dynamic_ncols=True)
    self._bar = self._shown.enter_context(bar)
    self._shown.enter_context(_printing_above(bar))

  def advance(self):
    self._bar.update()

  def show(self, step, iterations, scalars, seconds_left):
    from z2i_tf.training import reporters

    self._bar.set_postfix_str(reporters.summary(scalars))

  def say(self, text):
    _say(text)


def _say(text):
  """Prints a message of the library at once."""
  messages.print_now(messages.with_flags(text))

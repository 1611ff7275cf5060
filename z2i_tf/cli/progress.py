"""Progress of work on many files: a bar on a terminal, a line now and then elsewhere."""

import contextlib
import sys
import time
from typing import Callable, Iterator

_SECONDS_BETWEEN_LINES = 10.0


@contextlib.contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[], None]]:
  """Yields a function to call once per `unit`; files per second and the time left go to stderr."""
  import tqdm
  if sys.stderr.isatty():
    with tqdm.tqdm(total=total, unit=unit, file=sys.stderr) as bar:
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

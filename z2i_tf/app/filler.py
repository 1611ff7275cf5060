"""Queues fills. One thread runs the model, and every waiting job knows its place in the queue."""

import collections
from collections.abc import Callable
from collections.abc import Iterator
import functools
import sys
import threading
import traceback
from typing import Any

from z2i_tf.errors import InputError
from z2i_tf.web.application import Refusal

_HEARTBEAT_S = 5.0  # Longest time between updates; sending one shows whether the connection is still there.
_STOPPING_S = 20.0  # Time for which `close` waits for the running job.


class Cancelled(Exception):
  """The fill was cancelled."""


class Job:
  """One fill, from waiting to its end. Its owner reads `updates`; the filler's thread runs it."""

  def __init__(self, work: Callable[["Job"], Any], at_end: Callable[["Job"], None] = lambda job: None):
    """Stores the work without starting it.

    Args:
      work: function that takes the job, calls its `begin` and `advance`, and returns the result.
      at_end: function that is called with the job when it has ended, however it ended.
    """
    self._work, self._at_end = work, at_end
    self._changed = threading.Condition()
    self._place, self._step, self._steps = 0, 0, 0
    self._is_cancelled = False
    self._is_done = False
    self._result: Any = None
    self._error: Exception | None = None

  def begin(self, steps: int) -> None:
    """Sets the number of steps; raises Cancelled if the job was cancelled."""
    self.check()
    self._change(steps=steps)

  def advance(self) -> None:
    """Counts a finished step; raises Cancelled if the job was cancelled."""
    self.check()
    self._change(step=self._step + 1)

  def check(self) -> None:
    """Raises Cancelled if the job was cancelled."""
    if self._is_cancelled:
      raise Cancelled()

  def cancel(self) -> None:
    """Cancels the job. Waiting callers return at once; the work stops at its next step."""
    self._change(is_cancelled=True)

  def updates(self) -> Iterator[dict[str, int]]:
    """Yields {"place": n} while the job waits (1 = next), then {"step": i, "steps": n}, until it ends."""
    last = None
    while True:
      with self._changed:
        self._changed.wait_for(functools.partial(self._differs_from, last), _HEARTBEAT_S)
        if self._is_over:
          return
        last = self._state()
      yield last

  def result(self) -> Any:
    """Waits for the end and returns the result of `work`; raises its error, or Cancelled."""
    with self._changed:
      self._changed.wait_for(lambda: self._is_over)
    self.check()
    if self._error is not None:
      raise self._error
    return self._result

  @property
  def is_cancelled(self) -> bool:
    """Whether `cancel` was called."""
    return self._is_cancelled

  @property
  def _is_over(self) -> bool:
    return self._is_done or self._is_cancelled

  def _differs_from(self, state):
    return self._is_over or self._state() != state

  def _state(self):
    return {"place": self._place} if self._place else {"step": self._step, "steps": self._steps}

  def _change(self, **values) -> None:
    with self._changed:
      for name, value in values.items():
        setattr(self, f"_{name}", value)
      self._changed.notify_all()

  def move(self, place: int) -> None:
    """Sets the place in the queue; 0 = the job has begun."""
    self._change(place=place)

  def run(self) -> None:
    """Does the work. Keeps its error for `result`."""
    try:
      self.check()
      self._result = self._work(self)
    except Cancelled:
      pass
    except (InputError, Refusal) as error:
      self._error = error
    except Exception as error:
      traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
      self._error = Refusal(500, "The fill failed; the server's terminal says why. The picture is as it was.")
    self._at_end(self)
    self._change(is_done=True)


class Filler:
  """The queue of all jobs, first come, first served."""

  def __init__(self, max_jobs: int):
    """Starts the thread. At most `max_jobs` jobs may wait."""
    self._max_jobs = max_jobs
    self._jobs: collections.deque[Job] = collections.deque()
    self._running: Job | None = None
    self._changed = threading.Condition()
    self._is_closed = False
    self._thread = threading.Thread(target=self._work, name="filler", daemon=True)
    self._thread.start()

  @property
  def waiting(self) -> int:
    """Number of jobs that wait or run."""
    with self._changed:
      return len(self._jobs) + (self._running is not None)

  def submit(self, job: Job) -> None:
    """Queues a job; raises Refusal if too many wait."""
    with self._changed:
      if self._is_closed:
        raise Refusal(503, "The server is ending.")
      for cancelled in [each for each in self._jobs if each.is_cancelled]:
        self._jobs.remove(cancelled)
        cancelled.run()  # Ends at once.
      if len(self._jobs) >= self._max_jobs:
        raise Refusal(
          503, f"{len(self._jobs)} fills are already waiting. Try again in a moment.", **{"Retry-After": "5"}
        )
      self._jobs.append(job)
      self._number()
      self._changed.notify()

  def close(self) -> None:
    """Cancels all jobs and waits for the running one to notice."""
    with self._changed:
      self._is_closed = True
      for job in (*self._jobs, self._running):
        if job is not None:
          job.cancel()
      self._changed.notify()
    self._thread.join(_STOPPING_S)

  def _work(self) -> None:
    while True:
      with self._changed:
        self._running = None
        self._changed.wait_for(lambda: self._jobs or self._is_closed)
        if self._is_closed:
          return
        self._running = self._jobs.popleft()
        self._number()
      self._running.run()

  def _number(self) -> None:
    """Tells every job its place."""
    if self._running is not None:
      self._running.move(0)
    for number, job in enumerate(self._jobs):
      job.move(number + 1)

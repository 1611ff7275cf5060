"""Python functions inside tf.data pipelines: their errors, and the end of the process.

TensorFlow wraps an exception of such a function in its own, with the traceback as text, and keeps threads alive that a
process then waits for. And a process that ends while a function runs waits for ever: the pipeline for the function,
the function for the interpreter.
"""

import atexit
from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import functools
import re
import threading
import time

import tensorflow as tf

from z2i_tf.errors import InputError

# How TensorFlow quotes an exception of a Python function in a pipeline.
_QUOTED_ERROR = re.compile(r"InputError: (.+)")
_QUOTED_TRACEBACK = "Traceback (most recent call last)"
# A pipeline is at rest when it has not called Python for so long; a process ends after so long at the latest.
_QUIET_SECONDS, _SECONDS_TO_END = 0.1, 10.0


@contextlib.contextmanager
def reading_errors() -> Iterator[None]:
  """Raises the InputError of an unreadable image as itself; goes around whatever iterates over a pipeline.

  Other exceptions of Python functions become a RuntimeError that quotes them.
  """
  try:
    yield
    return
  except tf.errors.OpError as error:
    message = str(error)
    quoted = _QUOTED_ERROR.search(message)
    if quoted is None and _QUOTED_TRACEBACK not in message:
      raise
  # Outside of `except`, so that nothing refers to TensorFlow's error: its traceback would keep the pipeline alive.
  raise InputError(quoted[1]) if quoted else RuntimeError(message)


def wrap(function: Callable) -> Callable:
  """Returns the function as a pipeline (tf.numpy_function) may call it."""
  calls = _calls()

  @functools.wraps(function)
  def wrapped(*arguments):
    with calls.running():
      try:
        return function(*arguments)
      except InputError as error:
        # TensorFlow dies of messages that are not UTF-8, as file names may not be.
        raise InputError(str(error).encode(errors="backslashreplace").decode()) from None

  return wrapped


class _Calls:
  """Which functions are running; before the process ends, further ones are refused and these waited for."""

  def __init__(self):
    self._lock = threading.Lock()
    self._running, self._is_ending, self._last_end = 0, False, 0.0
    atexit.register(self._end)

  @contextlib.contextmanager
  def running(self) -> Iterator[None]:
    with self._lock:
      self._running += 1
    try:
      if self._is_ending:
        raise RuntimeError("the process is ending")
      yield
    finally:
      with self._lock:
        self._running -= 1
        self._last_end = time.monotonic()

  def _end(self):
    self._is_ending = True
    deadline = time.monotonic() + _SECONDS_TO_END
    while time.monotonic() < deadline:
      with self._lock:
        if not self._running and time.monotonic() > self._last_end + _QUIET_SECONDS:
          return
      time.sleep(_QUIET_SECONDS / 10)


@functools.lru_cache(maxsize=None)
def _calls():
  """One for the process, from the first pipeline on."""
  return _Calls()

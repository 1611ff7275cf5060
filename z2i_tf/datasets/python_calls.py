"""Python functions inside tf.data pipelines: unwraps their errors and lets the process end.

TensorFlow turns an exception of such a function into its own, which quotes the traceback and keeps threads alive. A
process that ends while a function runs deadlocks: the pipeline waits for the function, the function for Python.
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

# TensorFlow's quotation of an exception of a Python function.
_QUOTED_ERROR = re.compile(r"InputError: (.+)")
_QUOTED_TRACEBACK = "Traceback (most recent call last)"
# Time without a call after which a pipeline counts as idle; longest time that the end of the process is delayed.
_QUIET_SECONDS, _SECONDS_TO_END = 0.1, 10.0


@contextlib.contextmanager
def reading_errors() -> Iterator[None]:
  """Unwraps errors of a pipeline that the block iterates over.

  An InputError or a MemoryError of a Python function is raised as itself. Other exceptions become a RuntimeError that
  quotes them.
  """
  try:
    yield
    return
  except tf.errors.OpError as error:
    message = str(error)
    quoted, lacks_memory = _QUOTED_ERROR.search(message), isinstance(error, tf.errors.ResourceExhaustedError)
    if quoted is None and _QUOTED_TRACEBACK not in message:
      raise
  # Outside of `except`: a reference to TensorFlow's error, and so to its traceback, would keep the pipeline alive.
  if quoted:
    raise InputError(quoted[1])
  raise MemoryError if lacks_memory else RuntimeError(message)


def wrap(function: Callable) -> Callable:
  """Wraps a function for tf.numpy_function: messages become valid UTF-8, and the end of the process waits for it."""
  calls = _calls()

  @functools.wraps(function)
  def wrapped(*arguments):
    with calls.running():
      try:
        return function(*arguments)
      except InputError as error:
        # TensorFlow crashes on messages that are not UTF-8; file names need not be UTF-8.
        raise InputError(str(error).encode(errors="backslashreplace").decode()) from None

  return wrapped


class _Calls:
  """Counts running functions; when the process ends, refuses new ones and waits for the running ones."""

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
  """Returns the one counter of the process."""
  return _Calls()

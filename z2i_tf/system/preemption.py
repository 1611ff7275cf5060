"""Catches requests to stop: SIGTERM of cluster managers, Ctrl-C, and SIGHUP of a terminal that closes."""

from collections.abc import Iterator
import contextlib
import os
import signal
import threading

# Windows has no SIGHUP.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class StopRequest:
  """Remembers the signal that requested a stop, so that the running step can finish.

  Attributes:
    signal: number of the signal; None before it comes.
  """

  def __init__(self, announcement: str = ""):
    """Stores a text to print to stderr when the signal comes; "" prints nothing."""
    self.signal: int | None = None
    self._announcement = announcement

  def remember(self, number, frame) -> None:
    """Handles a signal. A second Ctrl-C interrupts at once; cluster managers may repeat SIGTERM."""
    del frame
    if number == self.signal == signal.SIGINT:
      raise KeyboardInterrupt
    if self.signal is None:
      self.signal = number
      if self._announcement:
        # The signal may interrupt a `print`, so this does not use it. A terminal shows "^C", or a bar, in this line.
        os.write(2, ("\n" * os.isatty(2) + self._announcement + "\n").encode())


@contextlib.contextmanager
def asked_to_stop(announcement: str = "") -> Iterator[StopRequest]:
  """Catches SIGTERM, SIGINT and SIGHUP within the block; yields the `StopRequest` that remembers them.

  Only the main thread can catch signals: in other threads they keep their effect. So do signals that the process
  ignores.

  Args:
    announcement: see `StopRequest`.
  """
  request = StopRequest(announcement)
  if threading.current_thread() is not threading.main_thread():
    yield request
    return
  former = {number: signal.getsignal(number) for number in _SIGNALS}
  former = {number: handler for number, handler in former.items() if handler not in (signal.SIG_IGN, None)}
  for number in former:
    signal.signal(number, request.remember)
  try:
    yield request
  finally:
    for number, handler in former.items():
      signal.signal(number, handler)

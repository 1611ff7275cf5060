"""Catches requests to stop: SIGTERM of cluster managers, Ctrl-C, and SIGHUP of a terminal that closes."""

from collections.abc import Iterator
import contextlib
import os
import signal
import threading

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interruption:
  """Remembers the signal that asked for the end, so that a step can be finished first."""

  def __init__(self, announcement: str = ""):
    """`announcement`: what is said on stderr as soon as the signal comes."""
    self.signal: int | None = None
    self._announcement = announcement

  def remember(self, number, frame) -> None:
    """A signal handler; Ctrl-C a second time interrupts at once. (Cluster managers may repeat themselves.)"""
    del frame
    if number == self.signal == signal.SIGINT:
      raise KeyboardInterrupt
    if self.signal is None:
      self.signal = number
      if self._announcement:
        # Not by `print`, in the middle of which the signal may have come. On a terminal there is "^C", or a bar.
        os.write(2, ("\n" * os.isatty(2) + self._announcement + "\n").encode())


@contextlib.contextmanager
def asked_to_stop(announcement: str = "") -> Iterator[Interruption]:
  """Yields what remembers SIGTERM, SIGINT and SIGHUP while the block runs, and says the announcement when one comes.

  Signals can be caught in the main thread only; elsewhere they do what they did before, as do those that the process
  was told to ignore.
  """
  interruption = Interruption(announcement)
  if threading.current_thread() is not threading.main_thread():
    yield interruption
    return
  former = {number: signal.getsignal(number) for number in _SIGNALS}
  former = {number: handler for number, handler in former.items() if handler not in (signal.SIG_IGN, None)}
  for number in former:
    signal.signal(number, interruption.remember)
  try:
    yield interruption
  finally:
    for number, handler in former.items():
      signal.signal(number, handler)

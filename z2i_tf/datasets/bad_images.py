"""What becomes of an image that cannot be used."""

import sys
import threading
from typing import Set

from z2i_tf.errors import InputError

# So many are named; after them they are only counted.
_MAX_NAMED = 20


class BadImages:
  """Skips and counts unusable images, or refuses the first one. Threads may share it."""

  def __init__(self, fail: bool = False):
    """`fail`: whether the first one is an error."""
    self._fail = fail
    self._messages: Set[str] = set()
    self._lock = threading.Lock()

  def report(self, error: InputError) -> None:
    """Raises the error, or counts it; says on stderr what is skipped, each image once, so many at most."""
    if self._fail:
      raise error
    with self._lock:
      if str(error) in self._messages:
        return
      self._messages.add(str(error))
      if len(self._messages) <= _MAX_NAMED:
        print(f"skipped: {error}", file=sys.stderr)
      if len(self._messages) == _MAX_NAMED:
        print("further ones are skipped silently and counted; z2i check-data names them all", file=sys.stderr)

  @property
  def count(self) -> int:
    """How many different images were skipped so far."""
    return len(self._messages)

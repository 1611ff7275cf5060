"""What becomes of an image that cannot be used."""

import sys
import threading

from z2i_tf.errors import InputError

# So many are named; after them they are only counted.
_MAX_NAMED = 20


class BadImages:
  """Skips and counts unusable images, or refuses the first one. Threads may share it."""

  def __init__(self, fail: bool = False):
    """`fail`: whether the first one is an error."""
    self._fail = fail
    self._names: set[str] = set()
    self._lock = threading.Lock()

  def report(self, name: str, error: InputError) -> None:
    """Raises the error, or counts the image called so; says on stderr what is skipped, each once, so many at most."""
    if self._fail:
      raise error
    with self._lock:
      if name in self._names:
        return
      self._names.add(name)
      if len(self._names) <= _MAX_NAMED:
        print(f"skipped: {error}", file=sys.stderr)
      if len(self._names) == _MAX_NAMED:
        print("further ones are skipped silently and counted; z2i check-data --verbose names them all", file=sys.stderr)

  @property
  def count(self) -> int:
    """How many different images were skipped so far."""
    return len(self._names)

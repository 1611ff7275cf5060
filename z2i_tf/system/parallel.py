"""Maps a function over items on all cores, with bounded memory."""

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import concurrent.futures
from typing import TypeVar

from z2i_tf.system.processor import usable_cores

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Per core, number of results computed ahead of the consumer.
_AHEAD_PER_CORE = 4


def map_in_order(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
  """Yields function(item) for every item, in order, computed by threads on all usable cores.

  Suits functions that release the interpreter, as decoders of images do. Computes only a few results ahead of the
  consumer.
  """
  cores = usable_cores()
  pending: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(cores) as pool:
    try:
      for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > _AHEAD_PER_CORE * cores:
          yield pending.popleft().result()
      while pending:
        yield pending.popleft().result()
    finally:
      for future in pending:
        future.cancel()

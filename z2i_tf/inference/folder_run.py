"""Processes folders of images: reading, filling and writing overlap, and memory is bounded."""

import collections
from collections.abc import Callable
from collections.abc import Sequence
import concurrent.futures
import dataclasses
import os
from typing import Any

from z2i_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Item:
  """One image of a folder: paths of its file and of its result."""

  image: str
  output: str


@dataclasses.dataclass(frozen=True)
class Parts:
  """Functions that process an item.

  An `Exception` counts as a failure of the item. Stopped, KeyboardInterrupt and the like end the run.

  Attributes:
    read: item -> input of `fill` and `write`. Called in threads.
    fill: input -> result. Called in the thread of `fill_all`, one call at a time.
    write: (item, input, result) -> a remark of one line, or ""; writes the output atomically. Called in threads.
  """

  read: Callable[[Item], Any]
  fill: Callable[[Any], Any]
  write: Callable[[Item, Any, Any], str]


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Results of a run.

  Attributes:
    filled: number of items whose result was written.
    remarks: one line for each item with a remark, sorted by image.
    failures: one line for each failed item, which names the image, sorted by image.
  """

  filled: int = 0
  remarks: Sequence[str] = ()
  failures: Sequence[str] = ()


def left_to_do(items: Sequence[Item]) -> list[Item]:
  """Returns the items without an output file. Output is written atomically, so an existing file is complete."""
  return [item for item in items if not os.path.isfile(item.output)]


def fill_all(items: Sequence[Item], parts: Parts, workers: int, advance: Callable[[], None] = lambda: None) -> Outcome:
  """Reads, fills and writes many images in order; holds at most 2 * (workers + 1) inputs.

  Args:
    items: with different outputs.
    parts: functions that process an item.
    workers: number of threads that read, and of threads that write.
    advance: called in this thread whenever an item is written or has failed.
  Raises: ValueError if `workers` is below 1; any exception that ends the run (see `Parts`), after reads and writes in
    progress have finished.
  """
  if workers < 1:
    raise ValueError(f"workers must be at least 1. Received: {workers}")
  pools = [concurrent.futures.ThreadPoolExecutor(workers) for _ in range(2)]
  try:
    return _Run(parts, workers, advance, *pools).run(items)
  finally:
    for pool in pools:
      pool.shutdown(wait=False, cancel_futures=True)
    for pool in pools:
      pool.shutdown()


class _Run:
  """The state of one call of `fill_all`. Only the thread of that call changes it."""

  def __init__(self, parts, workers, advance, readers, writers):
    self._parts, self._advance = parts, advance
    self._readers, self._writers = readers, writers
    self._most = workers + 1  # Items being read, or written: one for each thread, and one that waits.
    self._reading: collections.deque[tuple[Item, concurrent.futures.Future]] = collections.deque()
    self._writing: dict[concurrent.futures.Future, Item] = {}
    self._finished: list[tuple[str, str, str]] = []  # Image, remark, failure.

  def run(self, items):
    left = collections.deque(items)
    while left or self._reading or self._writing:
      while left and len(self._reading) < self._most:
        item = left.popleft()
        self._reading.append((item, self._readers.submit(attempt, self._parts.read, item)))
      for future in [future for future in self._writing if future.done()]:
        self._finish(self._writing.pop(future), *future.result())
      awaited = list(self._writing)
      if self._reading and len(self._writing) < self._most:
        if self._reading[0][1].done():
          self._fill_next()
          continue
        awaited.append(self._reading[0][1])
      concurrent.futures.wait(awaited, return_when=concurrent.futures.FIRST_COMPLETED)
    remarks = [remark for _, remark, _ in sorted(self._finished) if remark]
    failures = [failure for _, _, failure in sorted(self._finished) if failure]
    return Outcome(len(self._finished) - len(failures), remarks, failures)

  def _fill_next(self):
    """Fills the first item, which has been read, and hands its result to the writers."""
    item, future = self._reading.popleft()
    pair, failure = future.result()
    if not failure:
      result, failure = attempt(self._parts.fill, pair)
    if failure:
      self._finish(item, "", failure)
    else:
      self._writing[self._writers.submit(attempt, self._parts.write, item, pair, result)] = item

  def _finish(self, item, remark, failure):
    self._finished.append((item.image, remark, naming(item, failure) if failure else ""))
    self._advance()


def naming(item: Item, failure: str) -> str:
  """Returns a failure's line, preceded by the image's path unless it names one of the item's files already."""
  return failure if item.image in failure or item.output in failure else f"{item.image}: {failure}"


def attempt(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
  """Returns (result, ""), or ("", one line with the reason of the failure); lets exceptions that end the run pass."""
  try:
    return function(*arguments), ""
  except Exception as error:  # A failure of one image does not stop the others.
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
      return "", text or "out of memory; give a lower `workers`"
    if isinstance(error, InputError) and text:
      return "", text
    return "", f"{type(error).__name__}: {text}" if text else type(error).__name__

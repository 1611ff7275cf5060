"""Work on thousands of images: reading, filling and writing overlap, equal shapes are filled together, and memory does
not grow with the number of images.

How an image is read, filled and written is not known here: `fill_all` is given it as a `Parts`.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import os
from typing import Any, Callable, Deque, Dict, Hashable, Iterator, List, Sequence, Tuple

from z2i_tf.errors import InputError


# What makes one item fail, not the run.
_FAILURES = (InputError, MemoryError)


@dataclasses.dataclass(frozen=True)
class Item:
  """One image of a folder: the paths of its file and of the file with its result."""
  image: str
  output: str


@dataclasses.dataclass(frozen=True)
class Parts:
  """What is done with an item.

  An InputError of any of them is a failure of the item, or of the batch, whose items are then filled one by one.

  Attributes:
    read: item -> its pair: image, mask, and whatever else the others need. Called in threads.
    shape_of: pair -> what the pairs of a batch have in common.
    fill: pairs of one shape -> their results, in order. Called in the thread of `fill_all`, one call at a time.
    write: (item, pair, result) -> a remark of one line, "" for none; leaves the item's output whole or not at all.
      Called in threads.
  """
  read: Callable[[Item], Any]
  shape_of: Callable[[Any], Hashable]
  fill: Callable[[List[Any]], Sequence[Any]]
  write: Callable[[Item, Any, Any], str]


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What became of the items.

  Attributes:
    filled: number of items whose result was written.
    remarks: what was to be said of them, one line each, sorted by image; not all have one.
    failures: why the others failed, one line each that names the image, sorted by image.
  """
  filled: int = 0
  remarks: Sequence[str] = ()
  failures: Sequence[str] = ()


def left_to_do(items: Sequence[Item]) -> List[Item]:
  """Returns the items without output file. (A file takes its place when it is whole, so those with one are done.)"""
  return [item for item in items if not os.path.isfile(item.output)]


def fill_all(items: Sequence[Item], parts: Parts, batch_size: int, workers: int,
             advance: Callable[[], None] = lambda: None) -> Outcome:
  """Reads, fills and writes many images.

  Pairs wait, by shape, until there is a batch. When so many wait that two shapes (upright and lying photographs) would
  have filled one, the shape that has waited longest is filled with what there is.

  Args:
    items: with outputs that differ from each other.
    parts: what is done with each.
    batch_size: most pairs that are filled together.
    workers: number of threads that read, and of those that write.
    advance: called in this thread whenever an item is finished or has failed.
  Raises: ValueError if batch_size or workers are below 1, or `fill` does not return a result per pair; and what a part
    raises other than InputError, or Ctrl-C: reads and writes that have begun are finished, no other begins, and then
    the exception goes on to the caller.
  """
  if batch_size < 1 or workers < 1:
    raise ValueError(f"batch_size and workers must be at least 1. Received: {batch_size}, {workers}")
  with _thread_pools(2, workers) as (readers, writers):
    return _Run(parts, batch_size, workers, advance, readers, writers).run(items)


def pairs_in_memory(batch_size: int, workers: int) -> int:
  """Returns how many pairs `fill_all` holds at most, some of them with results: read, waiting, filled, written."""
  return _reads_ahead(batch_size, workers) + _look_ahead(batch_size) + _writes_behind(batch_size, workers)


def _reads_ahead(batch_size, workers):
  """Pairs being read, or read while the caller's thread was busy: the next batch, and one more for every thread."""
  return batch_size + workers


def _look_ahead(batch_size):
  """Pairs that wait for others of their shape; so many of two shapes hold a batch."""
  return 2 * batch_size - 1


def _writes_behind(batch_size, workers):
  """Pairs being written, or waiting for it: a batch, while the threads may still be busy with the one before."""
  return batch_size + workers


class _Run:
  """The state of one call of `fill_all`, changed by its thread alone."""

  def __init__(self, parts, batch_size, workers, advance, readers, writers):
    self._parts, self._batch_size, self._advance = parts, batch_size, advance
    self._readers, self._writers = readers, writers
    self._most_waiting = _look_ahead(batch_size)
    self._most_ahead = _look_ahead(batch_size) + _reads_ahead(batch_size, workers)
    self._most_writing = _writes_behind(batch_size, workers)
    self._left: Deque[Item] = collections.deque()
    self._reading: Dict[concurrent.futures.Future, Item] = {}
    self._waiting: Dict[Hashable, List[Tuple[Item, Any]]] = {}  # By shape; the one that waits longest comes first.
    self._writing: Dict[concurrent.futures.Future, Item] = {}
    self._filled = 0
    self._remarks: List[Tuple[str, str]] = []  # Image, line.
    self._failures: List[Tuple[str, str]] = []

  def run(self, items):
    self._left.extend(items)
    while self._left or self._reading or self._waiting:
      self._start_reading()
      if not self._fill_next():
        self._collect_read()
    while self._writing:
      self._collect_written()
    remarks, failures = ([line for _, line in sorted(lines)] for lines in (self._remarks, self._failures))
    return Outcome(self._filled, remarks, failures)

  def _start_reading(self):
    while self._left and len(self._reading) + self._count_waiting() < self._most_ahead:
      item = self._left.popleft()
      self._reading[self._readers.submit(self._parts.read, item)] = item

  def _collect_read(self):
    """Waits for a read to end; puts what has been read where it waits for others of its shape."""
    for future in _ended(self._reading):
      item = self._reading.pop(future)
      try:
        pair = future.result()
        self._waiting.setdefault(self._parts.shape_of(pair), []).append((item, pair))
      except _FAILURES as error:
        self._fail(item, error)

  def _fill_next(self) -> bool:
    """Fills a batch, if there is one to be filled now; returns whether."""
    shape = next((shape for shape, pairs in self._waiting.items() if len(pairs) >= self._batch_size), None)
    if shape is None:
      if not self._waiting or (self._reading and self._count_waiting() < self._most_waiting):
        return False
      shape = next(iter(self._waiting))
    pairs = self._waiting.pop(shape)
    if len(pairs) > self._batch_size:
      self._waiting[shape] = pairs[self._batch_size:]
    self._fill(pairs[:self._batch_size])
    return True

  def _fill(self, batch):
    while len(self._writing) + len(batch) > self._most_writing:
      self._collect_written()
    try:
      results = self._parts.fill([pair for _, pair in batch])
    except InputError as error:
      if len(batch) == 1:
        self._fail(batch[0][0], error)
        return
      results = None
    if results is None:
      for item_and_pair in batch:
        self._fill([item_and_pair])
      return
    if len(results) != len(batch):
      raise ValueError(f"{len(batch)} pairs were to be filled; there are {len(results)} results")
    for (item, pair), result in zip(batch, results):
      self._writing[self._writers.submit(self._parts.write, item, pair, result)] = item

  def _collect_written(self):
    """Waits for a write to end; takes note of what has been written."""
    for future in _ended(self._writing):
      item = self._writing.pop(future)
      try:
        remark = future.result()
      except _FAILURES as error:
        self._fail(item, error)
        continue
      self._filled += 1
      if remark:
        self._remarks.append((item.image, remark))
      self._advance()

  def _fail(self, item, error):
    line = " ".join(str(error).split()) or "out of memory; give a lower --batch_size or --workers"
    named = item.image in line or item.output in line
    self._failures.append((item.image, line if named else f"{item.image}: {line}"))
    self._advance()

  def _count_waiting(self):
    return sum(map(len, self._waiting.values()))


def _ended(futures):
  """Returns those that have ended, at least one, in the order they were started; none of none."""
  ended = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED).done
  return [future for future in futures if future in ended]


@contextlib.contextmanager
def _thread_pools(count: int, threads: int) -> Iterator[List[concurrent.futures.ThreadPoolExecutor]]:
  """Yields pools of so many threads each; in the end, drops what none of them has begun and waits for the rest."""
  pools = [concurrent.futures.ThreadPoolExecutor(threads) for _ in range(count)]
  try:
    yield pools
  finally:
    for pool in pools:
      pool.shutdown(wait=False, cancel_futures=True)
    for pool in pools:
      pool.shutdown(wait=True)

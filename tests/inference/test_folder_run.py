"""Work on many files, with toys in place of images: what overlaps, what is held, what happens to failures."""

import concurrent.futures
import dataclasses
import signal
import threading
import time

import pytest

from z2i_tf.errors import InputError
from z2i_tf.errors import Stopped
from z2i_tf.inference import folder_run
from z2i_tf.inference.folder_run import fill_all
from z2i_tf.inference.folder_run import Item
from z2i_tf.inference.folder_run import Parts
from z2i_tf.system.atomic_files import atomic_write

# Seconds after which a handshake has failed; none is waited for when all is well.
_PATIENCE = 5
# Seconds in which everything that may run ahead does.
_PAUSE = 0.03


class _Pair:
  """Counts how many of its kind there are, and were at most."""

  alive = most = 0
  _lock = threading.Lock()

  def __init__(self, name):
    self.name = name
    with self._lock:
      _Pair.alive += 1
      _Pair.most = max(_Pair.most, _Pair.alive)

  def __del__(self):
    with self._lock:
      _Pair.alive -= 1


def _items(count):
  return [Item(f"in/{number}", f"out/{number}") for number in range(count)]


def _parts(**changes):
  """Parts that do next to nothing; the pair of an item is its number."""
  return dataclasses.replace(
    Parts(read=_number, fill=lambda pair: -pair, write=lambda item, pair, result: ""), **changes
  )


def _number(item):
  return int(item.image[3:])


def test_every_item_gets_its_own_result():
  written, filled, advanced = {}, [], []

  def fill(pair):
    filled.append(pair)
    return -pair

  def write(item, pair, result):
    written[item.output] = (pair, result)
    return f"{item.image}: a remark" if pair == 1 else ""

  outcome = fill_all(_items(20), _parts(fill=fill, write=write), 2, lambda: advanced.append(threading.current_thread()))
  assert outcome == folder_run.Outcome(20, ["in/1: a remark"], [])
  assert filled == list(range(20))
  assert written == {f"out/{number}": (number, -number) for number in range(20)}
  assert advanced == [threading.main_thread()] * 20
  assert fill_all([], _parts(), 2) == folder_run.Outcome(0, [], [])


def test_reading_filling_and_writing_overlap():
  together = threading.Barrier(3)  # Each of the three waits for the two others.

  def read(item):
    if item.image == "in/2":
      together.wait(_PATIENCE)
    return _number(item)

  def fill(pair):
    assert threading.current_thread() is threading.main_thread()
    if pair == 1:
      together.wait(_PATIENCE)
    return pair

  def write(item, pair, result):
    if pair == 0:
      together.wait(_PATIENCE)
    return ""

  assert fill_all(_items(3), _parts(read=read, fill=fill, write=write), 1).filled == 3


def test_workers_read_and_write_side_by_side():
  reading, writing = threading.Barrier(3), threading.Barrier(3)

  def read(item):
    reading.wait(_PATIENCE)
    return _number(item)

  def write(item, pair, result):
    writing.wait(_PATIENCE)
    return ""

  assert fill_all(_items(3), _parts(read=read, write=write), 3).filled == 3


def test_a_written_item_advances_while_the_next_is_read(monkeypatch):
  filled, waiting, advanced = [], threading.Event(), threading.Event()
  wait = concurrent.futures.wait

  def tell(futures, **options):
    if filled:
      waiting.set()
    return wait(futures, **options)

  def read(item):
    if item.image == "in/1":
      assert advanced.wait(_PATIENCE)
    return _number(item)

  def write(item, pair, result):
    assert waiting.wait(_PATIENCE)
    return ""

  monkeypatch.setattr(concurrent.futures, "wait", tell)
  assert fill_all(_items(2), _parts(read=read, fill=filled.append, write=write), 1, advanced.set).filled == 2


def test_no_more_pairs_are_held_than_said():
  before, held, all_read = _Pair.alive, [], threading.Event()

  def read(item):
    if item.image == "in/5":
      all_read.set()
    return _Pair(_number(item))

  def write(item, pair, result):
    if pair.name < 2:
      assert all_read.wait(_PATIENCE)
      time.sleep(_PAUSE)
      held.append(_Pair.alive - before)
    return ""

  assert fill_all(_items(30), _parts(read=read, fill=lambda pair: pair, write=write), 2).filled == 30
  assert held[0] == 6  # 2 * (workers + 1)


@pytest.mark.parametrize("failing", [None, "fill", "write"])
def test_memory_does_not_grow_with_the_number_of_images(failing):
  before = _Pair.most = _Pair.alive

  def fail(stage, pair):
    if stage == failing:
      raise InputError(f"{pair.name} cannot be filled")
    return ""

  parts = _parts(
    read=lambda item: _Pair(item.image),
    fill=lambda pair: fail("fill", pair),
    write=lambda item, pair, result: fail("write", pair),
  )
  outcome = fill_all(_items(300), parts, 2)
  assert (outcome.filled, len(outcome.failures)) == ((0, 300) if failing else (300, 0))
  assert _Pair.most - before <= 10  # 6, and what the threads are about to let go of.
  assert _Pair.alive == before


def test_only_items_without_output_are_left(tmp_path):
  items = [Item(f"in/{name}", str(tmp_path / name)) for name in "abc"]
  (tmp_path / "b").write_bytes(b"")
  (tmp_path / "c").mkdir()  # It will be a failure, not a result.
  assert folder_run.left_to_do(items) == [items[0], items[2]]


def test_failures_are_those_of_their_items_alone():
  advanced = []

  def read(item):
    if item.image == "in/2":
      raise InputError(f"{item.image}: cannot be\nread")
    return _number(item)

  def fill(pair):
    if pair == 5:
      raise InputError("too large")
    return pair

  def write(item, pair, result):
    if pair == 1:
      raise InputError(f"{item.output}: the disk is full")
    return f"{pair} is done"

  outcome = fill_all(_items(9)[::-1], _parts(read=read, fill=fill, write=write), 2, lambda: advanced.append(0))
  assert outcome.failures == ["out/1: the disk is full", "in/2: cannot be read", "in/5: too large"]
  assert outcome.remarks == [f"{number} is done" for number in (0, 3, 4, 6, 7, 8)]
  assert outcome.filled == 6 and len(advanced) == 9


@pytest.mark.parametrize("stage", ["read", "fill", "write"])
@pytest.mark.parametrize(
  "error, line",
  [
    (ZeroDivisionError("division\nby zero"), "in/2: ZeroDivisionError: division by zero"),
    (AssertionError(), "in/2: AssertionError"),
    (MemoryError(), "in/2: out of memory; give a lower `workers`"),
    (MemoryError("no room for 9 GB"), "in/2: no room for 9 GB"),
  ],
)
def test_an_unexpected_exception_is_a_failure_of_its_item_alone(stage, error, line):
  advanced = []

  def fail(name, pair):
    if stage == name and pair == 2:
      raise error

  def read(item):
    fail("read", _number(item))
    return _number(item)

  def write(item, pair, result):
    fail("write", pair)
    return str(pair)

  parts = _parts(read=read, fill=lambda pair: fail("fill", pair), write=write)
  outcome = fill_all(_items(5), parts, 2, lambda: advanced.append(0))
  assert outcome == folder_run.Outcome(4, ["0", "1", "3", "4"], [line])
  assert len(advanced) == 5


@pytest.mark.parametrize("stage", ["read", "fill", "write"])
@pytest.mark.parametrize(
  "error", [Stopped("asked to stop", signal.SIGTERM), KeyboardInterrupt("asked to stop"), SystemExit("asked to stop")]
)
def test_what_ends_the_run_leaves_whole_files(tmp_path, stage, error):
  threads = threading.active_count()
  begun = []

  def fail(name, pair):
    if stage == name and pair == 20:
      raise error

  def read(item):
    begun.append(item)
    fail("read", _number(item))
    return _number(item)

  def write(item, pair, result):
    with atomic_write(item.output) as file:
      file.write(b"half")
      fail("write", pair)
      time.sleep(_PAUSE / 10)
      file.write(b", whole")
    return ""

  items = [Item(f"in/{number}", str(tmp_path / str(number))) for number in range(400)]
  with pytest.raises(type(error), match="asked to stop"):
    fill_all(items, _parts(read=read, fill=lambda pair: fail("fill", pair), write=write), 2)
  assert threading.active_count() == threads
  assert len(begun) < 100
  written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
  assert set(written.values()) == {b"half, whole"}
  assert not [name for name in written if name.endswith(".tmp")]
  assert "20" not in written
  assert len(folder_run.left_to_do(items)) == 400 - len(written)


def test_after_an_exception_nothing_begins(monkeypatch):
  begun, finished, filled = [], [], []
  reading, writing, dropped = threading.Event(), threading.Event(), threading.Event()
  wait, shutdown = concurrent.futures.wait, concurrent.futures.ThreadPoolExecutor.shutdown
  told = set()

  def interrupted(futures, **options):
    if filled == [0, 1]:  # One reads, one writes, and one waits for each of them.
      assert reading.wait(_PATIENCE) and writing.wait(_PATIENCE)
      raise KeyboardInterrupt
    return wait(futures, **options)

  def tell(pool, **options):
    shutdown(pool, **options)
    told.add(pool)
    if len(told) == 2:
      dropped.set()

  def read(item):
    begun.append(("read", _number(item)))
    if item.image == "in/2":
      reading.set()
      assert dropped.wait(_PATIENCE)
    finished.append(("read", _number(item)))
    return _number(item)

  def write(item, pair, result):
    begun.append(("write", pair))
    writing.set()
    assert dropped.wait(_PATIENCE)
    finished.append(("write", pair))
    return ""

  monkeypatch.setattr(concurrent.futures, "wait", interrupted)
  monkeypatch.setattr(concurrent.futures.ThreadPoolExecutor, "shutdown", tell)
  with pytest.raises(KeyboardInterrupt):
    fill_all(_items(9), _parts(read=read, fill=filled.append, write=write), 1)
  assert sorted(begun) == sorted(finished) == [("read", 0), ("read", 1), ("read", 2), ("write", 0)]


def test_ctrl_c_ends_the_run():
  threads = threading.active_count()

  def read(item):
    if item.image == "in/9":
      signal.raise_signal(signal.SIGINT)  # Python hands it to the main thread, which waits for this one.
      time.sleep(_PAUSE)
    return _number(item)

  with pytest.raises(KeyboardInterrupt):
    fill_all(_items(10), _parts(read=read), 1)
  assert threading.active_count() == threads


def test_what_cannot_work_is_refused():
  with pytest.raises(ValueError, match="must be at least 1"):
    fill_all(_items(1), _parts(), 0)

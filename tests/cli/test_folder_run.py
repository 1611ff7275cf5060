"""Work on many files, with toys in place of images: what overlaps, what is held, what happens to failures."""

import collections
import concurrent.futures
import dataclasses
import signal
import threading
import time

import pytest

from z2i_tf.atomic_files import atomic_write
from z2i_tf.cli import folder_run
from z2i_tf.cli.folder_run import Item
from z2i_tf.cli.folder_run import Parts
from z2i_tf.cli.folder_run import fill_all
from z2i_tf.errors import InputError

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


def _items(names):
  return [Item(f"in/{name}", f"out/{name}") for name in names]


def _parts(**changes):
  """Parts that do next to nothing; an item is named after its shape, a letter, and a number."""
  return dataclasses.replace(Parts(
      read=lambda item: item.image.rpartition("/")[2], shape_of=lambda pair: pair[0],
      fill=lambda pairs: [pair.upper() for pair in pairs], write=lambda item, pair, result: ""), **changes)


def test_every_item_gets_its_own_result():
  written = {}

  def write(item, pair, result):
    written[item.output] = (pair, result)
    return f"{item.image}: a remark" if pair == "b1" else ""

  names = [f"{'abc'[number % 3]}{number}" for number in range(20)]
  advanced = []
  outcome = fill_all(_items(names), _parts(write=write), 4, 2, lambda: advanced.append(threading.current_thread()))
  assert outcome == folder_run.Outcome(20, ["in/b1: a remark"], [])
  assert written == {f"out/{name}": (name, name.upper()) for name in names}
  assert advanced == [threading.main_thread()] * 20
  assert fill_all([], _parts(), 4, 2) == folder_run.Outcome(0, [], [])


def test_reading_filling_and_writing_overlap():
  together = threading.Barrier(3)  # Each of the three waits for the two others.

  def read(item):
    if item.image == "in/a2":
      together.wait(_PATIENCE)
    return item.image[3:]

  def fill(pairs):
    assert threading.current_thread() is threading.main_thread()
    if pairs == ["a1"]:
      together.wait(_PATIENCE)
    return pairs

  def write(item, pair, result):
    if pair == "a0":
      together.wait(_PATIENCE)
    return ""

  assert fill_all(_items(["a0", "a1", "a2"]), _parts(read=read, fill=fill, write=write), 1, 1).filled == 3


def test_shapes_that_wait_in_vain_do_not_wait_for_all_reads():
  filled = threading.Event()

  def read(item):
    if item.image == "in/e0":
      assert filled.wait(_PATIENCE)
    return item.image[3:]

  def fill(pairs):
    filled.set()
    return pairs

  assert fill_all(_items(["a0", "b0", "c0", "d0", "e0", "f0"]), _parts(read=read, fill=fill), 2, 1).filled == 6


def test_workers_read_and_write_side_by_side():
  reading, writing = threading.Barrier(3), threading.Barrier(3)

  def read(item):
    reading.wait(_PATIENCE)
    return item.image[3:]

  def write(item, pair, result):
    writing.wait(_PATIENCE)
    return ""

  assert fill_all(_items(["a0", "a1", "a2"]), _parts(read=read, write=write), 3, 3).filled == 3


@pytest.mark.parametrize("shapes", [1, 3, 300])
@pytest.mark.parametrize("slow", ["fill", "write"])
def test_memory_does_not_grow_with_the_number_of_images(shapes, slow):
  _Pair.most = _Pair.alive
  before = _Pair.alive
  paused = set()

  def pause(stage):
    if stage == slow and stage not in paused:
      paused.add(stage)
      time.sleep(_PAUSE)

  def fill(pairs):
    pause("fill")
    return pairs

  def write(item, pair, result):
    pause("write")
    return ""

  parts = _parts(read=lambda item: _Pair(int(item.image[3:])), shape_of=lambda pair: pair.name % shapes, fill=fill,
                 write=write)
  assert fill_all(_items(range(300)), parts, 4, 2).filled == 300
  bound = folder_run.pairs_in_memory(4, 2)
  assert bound == 6 + 7 + 6
  assert 4 <= _Pair.most - before <= bound
  assert _Pair.alive == before


@pytest.mark.parametrize("shapes", [1, 2])
def test_equal_shapes_are_filled_together(shapes):
  batches = []

  def fill(pairs):
    batches.append(pairs)
    return pairs

  names = [f"{'ab'[number % shapes]}{number}" for number in range(24)]
  fill_all(_items(names), _parts(fill=fill), 4, 2)
  assert [len(batch) for batch in batches] == [4] * 6
  assert all(len({pair[0] for pair in batch}) == 1 for batch in batches)
  assert sorted(sum(batches, [])) == sorted(names)


def test_a_rare_shape_does_not_wait_for_the_end():
  batches = []

  def fill(pairs):
    batches.append(pairs)
    return pairs

  names = ["z0"] + [f"a{number}" for number in range(3)] + [f"{'abcde'[number % 5]}{number}" for number in range(60)]
  fill_all(_items(names), _parts(fill=fill), 4, 1)
  position = next(number for number, batch in enumerate(batches) if batch == ["z0"])
  assert position <= 3 and len(batches) > 15


def test_only_items_without_output_are_left(tmp_path):
  items = [Item(f"in/{name}", str(tmp_path / name)) for name in "abc"]
  (tmp_path / "b").write_bytes(b"")
  (tmp_path / "c").mkdir()  # It will be a failure, not a result.
  assert folder_run.left_to_do(items) == [items[0], items[2]]


def test_failures_are_those_of_their_items_alone():
  calls = collections.Counter()
  advanced = []

  def read(item):
    if item.image.endswith("2"):
      raise InputError(f"{item.image}: cannot be\nread")
    return item.image[3:]

  def shape_of(pair):
    if pair == "a3":
      raise InputError("shapeless")
    return pair[0]

  def fill(pairs):
    calls[len(pairs)] += 1
    if "a5" in pairs:
      raise InputError("too large")
    return pairs

  def write(item, pair, result):
    if pair == "a1":
      raise InputError(f"{item.output}: the disk is full")
    return f"{pair} is done"

  items = _items([f"a{number}" for number in range(8, -1, -1)])
  outcome = fill_all(items, _parts(read=read, shape_of=shape_of, fill=fill, write=write), 7, 2,
                     lambda: advanced.append(0))
  assert outcome.failures == ["out/a1: the disk is full", "in/a2: cannot be read", "in/a3: shapeless",
                              "in/a5: too large"]
  assert outcome.remarks == [f"a{number} is done" for number in (0, 4, 6, 7, 8)]
  assert outcome.filled == 5 and len(advanced) == 9
  assert calls == {7: 1, 1: 7}  # The batch once, then its items one by one.


@pytest.mark.parametrize("stage", ["read", "shape_of", "fill", "write"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_any_other_exception_ends_the_run(tmp_path, stage, error):
  threads = threading.active_count()
  begun = []

  def fail(name, pair):
    if stage == name and pair == "a20":
      raise error("unexpected")

  def read(item):
    begun.append(item)
    fail("read", item.image[3:])
    return item.image[3:]

  def shape_of(pair):
    fail("shape_of", pair)
    return pair[0]

  def fill(pairs):
    fail("fill", "a20" if "a20" in pairs else None)
    return pairs

  def write(item, pair, result):
    with atomic_write(item.output) as file:
      file.write(b"half")
      fail("write", pair)
      time.sleep(_PAUSE / 10)
      file.write(b", whole")
    return ""

  items = [Item(f"in/a{number}", str(tmp_path / f"a{number}")) for number in range(400)]
  with pytest.raises(error, match="unexpected"):
    fill_all(items, _parts(read=read, shape_of=shape_of, fill=fill, write=write), 4, 2)
  assert threading.active_count() == threads
  assert len(begun) < 100
  written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
  assert set(written.values()) == {b"half, whole"}
  assert not [name for name in written if name.endswith(".tmp")]
  assert "a20" not in written
  assert len(folder_run.left_to_do(items)) == 400 - len(written)


def test_after_an_exception_nothing_new_is_begun(monkeypatch):
  begun, reading, dropped = [], threading.Event(), threading.Event()
  shutdown = concurrent.futures.ThreadPoolExecutor.shutdown

  def tell(pool, **options):
    shutdown(pool, **options)
    dropped.set()

  def read(item):
    begun.append(item.image)
    if item.image == "in/a1":
      reading.set()
      assert dropped.wait(_PATIENCE)
    return item.image[3:]

  def fill(pairs):
    assert reading.wait(_PATIENCE)
    raise RuntimeError("unexpected")

  monkeypatch.setattr(concurrent.futures.ThreadPoolExecutor, "shutdown", tell)
  with pytest.raises(RuntimeError, match="unexpected"):
    fill_all(_items([f"a{number}" for number in range(9)]), _parts(read=read, fill=fill), 1, 1)
  assert begun == ["in/a0", "in/a1"]


def test_ctrl_c_ends_a_wait():
  threads = threading.active_count()

  def read(item):
    if item.image == "in/a9":
      signal.raise_signal(signal.SIGINT)  # Python hands it to the main thread, which waits for this one.
      time.sleep(_PAUSE)
    return item.image[3:]

  with pytest.raises(KeyboardInterrupt):
    fill_all(_items([f"a{number}" for number in range(10)]), _parts(read=read), 8, 1)
  assert threading.active_count() == threads


def test_what_cannot_work_is_refused():
  for batch_size, workers in ((0, 1), (1, 0)):
    with pytest.raises(ValueError, match="must be at least 1"):
      fill_all(_items(["a0"]), _parts(), batch_size, workers)
  with pytest.raises(ValueError, match="2 pairs were to be filled; there are 1 results"):
    fill_all(_items(["a0", "a1"]), _parts(fill=lambda pairs: pairs[:1]), 2, 1)

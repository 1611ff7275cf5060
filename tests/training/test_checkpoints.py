import numpy as np
import pytest
import tensorflow as tf

from tests.training import stand_ins
from z2i_tf.errors import InputError
from z2i_tf.training import checkpoints
from z2i_tf.training.checkpoints import Checkpoints
from z2i_tf.training.checkpoints import RunState


def _run(work_dir):
  """Returns a run of one large variable: checkpoints, record, variable."""
  part, record = tf.Module(), RunState(settings={"seed": 1})
  part.variable = tf.Variable(np.zeros([500, 500], np.float32))
  return Checkpoints(str(work_dir), {"part": part}, record, is_chief=True, say=print), record, part.variable


def _save(run, step):
  checkpoints, record, variable = run
  record.step, record.examples = step, 2 * step
  variable.assign(tf.fill([500, 500], float(step)))
  checkpoints.save()


def _names(work_dir):
  return {path.name for path in (work_dir / "checkpoints").iterdir()}


def test_the_last_three_are_kept_and_restored_with_their_record(tmp_path):
  run = _run(tmp_path)
  assert not run[0].restore() and not checkpoints.has_checkpoint(str(tmp_path))
  for step in (1, 2, 5, 10):
    _save(run, step)
  assert {name for name in _names(tmp_path) if name.endswith("index")} == {
    "ckpt-2.index",
    "ckpt-5.index",
    "ckpt-10.index",
  }
  again = _run(tmp_path)
  assert again[0].restore() and (again[2].numpy() == 10).all()
  assert again[1] == RunState(step=10, examples=20, settings={"seed": 1})
  assert checkpoints.read_state(str(tmp_path))["examples"] == 20
  assert tf.train.latest_checkpoint(str(tmp_path / "checkpoints")) == str(tmp_path / "checkpoints" / "ckpt-10")


@pytest.mark.parametrize("limit", [0, 500_000], ids=["at once", "half way"])
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, limit):
  run = _run(tmp_path)
  _save(run, 1)
  before = _names(tmp_path)
  with stand_ins.full_disk(limit), pytest.raises(InputError, match="disk full"):
    _save(run, 2)
  assert _names(tmp_path) == before
  again = _run(tmp_path)
  assert again[0].restore() and again[1].step == 1 and (again[2].numpy() == 1).all()


def test_what_a_killed_save_left_is_removed_and_never_taken_for_a_checkpoint(tmp_path):
  folder = tmp_path / "checkpoints"
  (folder / "unfinished_temp").mkdir(parents=True)
  (folder / "unfinished.index").write_bytes(b"half")
  (folder / "ckpt-7.data-00000-of-00001").write_bytes(b"whole, but without its index")
  (folder / "notes.txt").write_text("not ours")
  run = _run(tmp_path)
  assert not run[0].restore() and not checkpoints.has_checkpoint(str(tmp_path))
  _save(run, 3)
  assert _names(tmp_path) == {"ckpt-3.index", "ckpt-3.data-00000-of-00001", "checkpoint", "notes.txt"}


def test_the_newest_that_can_be_read_serves_and_the_damaged_one_goes(tmp_path, capsys):
  run = _run(tmp_path)
  for step in (1, 2):
    _save(run, step)
  (tmp_path / "checkpoints" / "ckpt-2.data-00000-of-00001").write_bytes(b"cut")
  assert checkpoints.read_state(str(tmp_path))["step"] == 1
  again = _run(tmp_path)
  assert again[0].restore() and again[1].step == 1 and (again[2].numpy() == 1).all()
  assert "ckpt-2 is damaged or of other networks" in capsys.readouterr().out
  _save(again, 3)
  assert {name for name in _names(tmp_path) if name.endswith("index")} == {"ckpt-1.index", "ckpt-3.index"}

"""Photographs in memory: fills applied, undone and redone bit for bit; bounded in number and bytes."""

import numpy as np
import pytest

from tests.app import stand_ins
from z2i_tf.app import sessions
from z2i_tf.app import shapes
from z2i_tf.app.filler import Cancelled
from z2i_tf.app.filler import Job
from z2i_tf.app.photo_transfer import PhotoFile
from z2i_tf.app.shapes import BoxMask
from z2i_tf.images import photo_files
from z2i_tf.inference.inpainter import Patch
from z2i_tf.web.application import Refusal


def _session(height=40, width=60, seed=0):
  return sessions.Session(PhotoFile("photo", ".png", photo_files.Photo(stand_ins.picture(height, width, seed))))


def _fill(session, value, box=np.s_[10:20, 5:25]):
  """Applies a fill of one colour, of two overlapping rectangles."""
  shape = [part.stop - part.start for part in box]
  job = Job(lambda job: None)
  session.begin(session.version, job)
  pixels = np.full((*shape, 3), value, np.uint8)
  session.apply(job, BoxMask(box, np.ones(shape, np.uint8)), [Patch(box, pixels), Patch(box, pixels)])
  session.end(job)


def test_fills_are_undone_and_redone_bit_for_bit():
  session = _session()
  states = [session.photo().rgb]
  for value, box in ((1, np.s_[10:20, 5:25]), (2, np.s_[15:30, 20:40]), (3, np.s_[0:40, 0:60])):
    _fill(session, value, box)
    states.append(session.photo().rgb)
  for expected in states[-2::-1]:
    session.undo(session.version)
    np.testing.assert_array_equal(session.photo().rgb, expected)
  with pytest.raises(Refusal, match="nothing to undo"):
    session.undo(session.version)
  for expected in states[1:]:
    session.redo(session.version)
    np.testing.assert_array_equal(session.photo().rgb, expected)
  assert session.history() == {"version": 9, "undo": 3, "redo": 0, "fills": 3}
  session.undo(session.version)
  _fill(session, 9)
  with pytest.raises(Refusal, match="nothing to redo"):
    session.redo(session.version)
  assert len(session.filled_masks()) == 3


def test_only_who_knows_the_latest_version_changes_the_photograph():
  session = _session()
  _fill(session, 1)
  for change in (session.undo, session.redo, lambda version: session.begin(version, Job(lambda job: None))):
    with pytest.raises(Refusal, match="Another window"):
      change(0)
  job = Job(lambda job: None)
  session.begin(1, job)
  for change in (session.undo, session.redo, lambda version: session.begin(version, Job(lambda job: None))):
    with pytest.raises(Refusal, match="being filled"):
      change(1)
  assert session.cancel() and not session.cancel()
  with pytest.raises(Cancelled):
    session.apply(job, None, [])
  assert session.undo(1)


def test_a_fill_that_is_applied_cannot_be_cancelled():
  """Else the page would be told that it was, and not know of the change."""
  session = _session()
  job = Job(lambda job: session.apply(job, BoxMask(np.s_[0:2, 0:2], np.ones((2, 2), np.uint8)), []), session.end)
  session.begin(0, job)
  work, job._work = job._work, lambda job: (work(job), session.cancel())  # As from another thread, just before the end.
  job.run()
  assert job.result()[1] is False and session.version == 1


def test_a_long_history_is_forgotten_from_its_beginning(monkeypatch):
  monkeypatch.setattr(sessions, "_MAX_HISTORY_BYTES", 10_000)
  session = _session()
  for value in range(20):
    _fill(session, value)
  few = session.nbytes
  for value in range(20):
    _fill(session, value)
  assert session.nbytes == few  # Forgotten fills add nothing.
  assert session.history()["undo"] == 3 and session.history()["fills"] == 40
  assert shapes.union(session.filled_masks(), session.size).sum() == 200
  assert session.nbytes < 10_000 + 2 * session.pixels.nbytes


def test_loaded_masks_are_kept_by_name_and_few():
  session = _session()
  mask = (np.random.default_rng(0).random((40, 60)) < 0.3).astype(np.uint8)
  first = session.add_mask(mask)
  np.testing.assert_array_equal(session.mask(first), mask)
  for _ in range(8):
    session.add_mask(mask)
  with pytest.raises(Refusal, match="no longer keeps"):
    session.mask(first)


def test_the_least_recently_used_photograph_makes_room():
  kept = sessions.Sessions(max_sessions=3, max_bytes=2**30)
  opened = [_session(seed=seed) for seed in range(3)]
  for session in opened:
    kept.add(session)
  assert len({session.id for session in opened}) == 3 and all(len(session.id) >= 32 for session in opened)
  assert kept.get(opened[0].id) is opened[0]
  kept.add(_session(seed=4))
  with pytest.raises(Refusal, match="dropped .* to make room") as refusal:
    kept.get(opened[1].id)
  assert refusal.value.status == 410 and len(kept) == 3 and kept.get(opened[0].id) is opened[0]
  with pytest.raises(Refusal, match="does not know this photograph") as refusal:
    kept.get("guessed")
  assert refusal.value.status == 404
  kept.remove(opened[0].id)
  assert len(kept) == 2


def test_bytes_are_bounded():
  size = _session().nbytes
  kept = sessions.Sessions(max_sessions=20, max_bytes=int(2.5 * size))
  opened = [_session(seed=seed) for seed in range(5)]
  for session in opened:
    kept.add(session)
  assert len(kept) == 2 and kept.get(opened[4].id) and kept.get(opened[3].id)
  with pytest.raises(Refusal, match="for all photographs") as refusal:
    kept.add(_session(120, 120))
  assert refusal.value.status == 413 and len(kept) == 2

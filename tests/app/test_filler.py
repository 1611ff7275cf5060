"""The queue: one fill at a time, in turn, each told its place; cancelled ones change nothing."""

import threading

import pytest

from z2i_tf.app.filler import Cancelled
from z2i_tf.app.filler import Filler
from z2i_tf.app.filler import Job
from z2i_tf.errors import InputError
from z2i_tf.web.application import Refusal

_PATIENCE_S = 30


@pytest.fixture(name="filler")
def _filler():
  filler = Filler(max_jobs=3)
  yield filler
  filler.close()


def _held(filler):
  """Submits a job that runs until the event, once it has begun; returns it with the event."""
  begun, gate = threading.Event(), threading.Event()

  def work(job):
    job.begin(2)
    begun.set()
    gate.wait(_PATIENCE_S)
    job.advance()
    return "held"

  job = Job(work)
  filler.submit(job)
  assert begun.wait(_PATIENCE_S)
  return job, gate


def test_jobs_run_in_turn_and_know_their_place(filler):
  order = []
  first, gate = _held(filler)
  others = [Job(lambda job, number=number: order.append(number) or number) for number in range(3)]
  for job in others:
    filler.submit(job)
  assert [next(job.updates()) for job in others] == [{"place": 1}, {"place": 2}, {"place": 3}]
  assert next(first.updates()) == {"step": 0, "steps": 2} and filler.waiting == 4
  gate.set()
  assert first.result() == "held" and [job.result() for job in others] == order == [0, 1, 2]


def test_too_many_are_refused(filler):
  _, gate = _held(filler)
  for _ in range(3):
    filler.submit(Job(lambda job: None))
  with pytest.raises(Refusal, match="3 fills are already waiting") as refusal:
    filler.submit(Job(lambda job: None))
  assert refusal.value.status == 503 and refusal.value.headers == {"Retry-After": "5"}
  gate.set()


def test_cancelled_jobs_make_room(filler):
  _, gate = _held(filler)
  waiting = [Job(lambda job: None) for _ in range(3)]
  for job in waiting:
    filler.submit(job)
  waiting[0].cancel()
  late = Job(lambda job: "late")
  filler.submit(late)
  assert [next(job.updates()) for job in (*waiting[1:], late)] == [{"place": 1}, {"place": 2}, {"place": 3}]
  gate.set()
  assert late.result() == "late"


def test_a_cancelled_job_ends_at_once_for_its_owner_and_at_its_next_step(filler):
  ended = threading.Event()
  job, gate = _held(filler)
  waiting = Job(lambda job: pytest.fail("it was cancelled"), at_end=lambda job: ended.set())
  filler.submit(waiting)
  for each in (job, waiting):
    each.cancel()
    with pytest.raises(Cancelled):
      each.result()
    assert not list(each.updates())
  after = Job(lambda job: "after")
  filler.submit(after)
  gate.set()
  assert after.result() == "after" and ended.is_set()


def test_errors_reach_the_owner_and_the_queue_goes_on(filler, capsys):
  def fail(error):
    def work(job):
      raise error

    job = Job(work)
    filler.submit(job)
    return job

  with pytest.raises(InputError, match="no known pixel"):
    fail(InputError("no known pixel")).result()
  assert not capsys.readouterr().err
  with pytest.raises(Refusal, match="The picture is as it was"):
    fail(ZeroDivisionError()).result()
  assert "ZeroDivisionError" in capsys.readouterr().err
  job = Job(lambda job: 7)
  filler.submit(job)
  assert job.result() == 7


def test_the_end_cancels_everything():
  filler = Filler(max_jobs=3)
  job, gate = _held(filler)
  waiting = Job(lambda job: None)
  filler.submit(waiting)
  threading.Timer(0.2, gate.set).start()
  filler.close()
  for each in (job, waiting):
    with pytest.raises(Cancelled):
      each.result()
  with pytest.raises(Refusal, match="The server is ending"):
    filler.submit(Job(lambda job: None))

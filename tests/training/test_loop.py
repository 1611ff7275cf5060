"""The loop, driven by a toy step."""

import itertools
import signal

import numpy as np
import pytest
import tensorflow as tf

from tests.training import stand_ins
from z2i_tf.errors import InputError
from z2i_tf.errors import Stopped
from z2i_tf.system.preemption import asked_to_stop
from z2i_tf.system.preemption import StopRequest
from z2i_tf.training.callbacks import Callbacks
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.loop import run_loop
from z2i_tf.training.metric_writers import MetricWriter
from z2i_tf.training.reporters import measured_table
from z2i_tf.training.skip_nonfinite import SKIPPED
from z2i_tf.training.skip_nonfinite import STOP


def read_events(folder):
  """Returns tag -> {step: value} of all scalars, and the set of all other tags."""
  scalars, others = {}, set()
  for path in sorted(folder.iterdir()):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name == "scalars":
          scalars.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
        else:
          others.add(value.tag)
  return scalars, others


def read_pictures(folder):
  """Returns (tag, step, (H, W, 3) uint8) of every picture in TensorBoard's event files."""
  return [
    (value.tag, event.step, tf.io.decode_png(encoded, 3).numpy())
    for path in sorted(folder.iterdir())
    for event in tf.compat.v1.train.summary_iterator(str(path))
    for value in event.summary.value
    if value.metadata.plugin_data.plugin_name == "images"
    for encoded in tf.make_ndarray(value.tensor)[2:]
  ]


class _Callbacks(Callbacks):
  def __init__(self):
    self.saved, self.evaluated, self.kept = [], [], []

  def evaluate(self, step):
    self.evaluated.append(step)
    return {"validation/toy": step * 10.0}

  def keep(self, step):
    self.kept.append(step)

  def save(self, step, skipped):
    self.saved.append((step, skipped))

  def keep_batch(self, step, batch):
    self.kept_batch = step, batch
    return "batch.npz"

  def explain_skipping(self, scalars):
    return "an overflow" if scalars["loss/generator"] < 0 else ""

  def scalars(self):
    return {"data/skipped_images": float(len(self.saved))}


class _Reporter:
  def __init__(self):
    self.begun, self.steps, self.shown, self.said = None, 0, [], []

  def begin(self, step):
    self.begun = step

  def advance(self):
    self.steps += 1

  def show(self, step, iterations, scalars, seconds_left):
    self.shown.append((step, iterations, scalars, seconds_left))

  def say(self, text):
    self.said.append(text)


def _toy_step(batch, stop):
  """The batch is the loss."""
  is_finite = np.isfinite(float(batch["x"][0]))
  return {"loss/generator": batch["x"][0], SKIPPED: tf.constant(0.0 if is_finite else 1.0), STOP: stop}


def _batches(values):
  return ({"x": tf.constant([float(value)])} for value in values)


def _run(folder, values, start_step=0, step=_toy_step, stop_request=None, callbacks=None, skipped=0, **settings):
  """Runs the loop; returns callbacks and reporter."""
  defaults = {"iterations": 7, "batch_size": 4, "save_every": 3, "log_every": 2, "evaluate_every": 5}
  callbacks, reporter = callbacks or _Callbacks(), _Reporter()
  writer = MetricWriter(str(folder), {}, start_step, reporter)
  try:
    run_loop(
      LoopConfig(**{**defaults, **settings}),
      _batches(values),
      step,
      callbacks,
      writer,
      start_step,
      stop_request or StopRequest(),
      skipped,
    )
  finally:
    writer.flush()
  return callbacks, reporter


def test_logs_means_evaluates_and_saves_when_due_and_at_the_end(tmp_path):
  callbacks, reporter = _run(tmp_path, itertools.count(2), start_step=2, keep_every=4)
  assert callbacks.saved == [(3, 0), (6, 0), (7, 0)] and callbacks.evaluated == [5, 7] and callbacks.kept == [4]
  scalars, others = read_events(tmp_path / "events")
  # Step n uses batch n - 1; each value is the mean since the line before.
  assert scalars["loss/generator"] == {4: 2.5, 6: 4.5, 7: 6.0}
  assert scalars["validation/toy"] == {5: 50.0, 7: 70.0}
  assert scalars["data/skipped_images"] == {4: 1.0, 6: 1.0, 7: 2.0}
  assert set(scalars["speed/examples_per_second"]) == set(scalars["data/wait_share"]) == {4, 6, 7}
  assert "warnings" not in others
  assert (
    reporter.begun == 2
    and reporter.steps == 5
    and reporter.said == ["step 5, validation, toy 50", "step 7, validation, toy 70"]
  )
  assert [(step, iterations) for step, iterations, _, _ in reporter.shown] == [(4, 7), (6, 7), (7, 7)]
  assert reporter.shown[0][3] > 0 and reporter.shown[-1][3] == 0


def test_steps_that_are_not_finite_are_named_counted_and_left_out_of_the_means(tmp_path):
  callbacks, reporter = _run(tmp_path, [1, np.nan, 3, np.inf, np.nan, 6, 7], max_skipped_steps=3)
  assert callbacks.saved == [(3, 1), (6, 3), (7, 3)]
  scalars, others = read_events(tmp_path / "events")
  assert scalars["loss/generator"] == {2: 1.0, 4: 3.0, 6: 6.0, 7: 7.0}
  assert scalars["skipped_steps"] == {2: 1.0, 4: 2.0, 6: 3.0, 7: 3.0}
  assert "warnings" in others
  assert sum("loss/generator is not finite; the step was skipped" in text for text in reporter.said) == 3


def test_many_in_a_row_end_the_run_and_leave_the_batch(tmp_path):
  callbacks = _Callbacks()
  with pytest.raises(InputError, match=r"step 4: 3 steps in a row .* batch.npz; lower the learning rate"):
    _run(tmp_path, [1, np.nan, np.inf, np.nan, 5], callbacks=callbacks, max_skipped_steps=3)
  step, batch = callbacks.kept_batch
  assert step == 4 and np.isnan(batch["x"]) and not callbacks.saved[3:]


def test_skipped_steps_that_are_explained_do_not_end_the_run(tmp_path):
  callbacks, reporter = _run(tmp_path, [1, -np.inf, -np.inf, -np.inf, 5, 6, 7], max_skipped_steps=2)
  assert callbacks.saved[-1] == (7, 3) and reporter.said.count("step 3: an overflow") == 1


def test_skipped_steps_of_before_are_counted_on(tmp_path):
  callbacks, reporter = _run(tmp_path, [np.nan, 6, 7], start_step=4, skipped=2)
  assert callbacks.saved[-1] == (7, 3) and any("(3 so far)" in text for text in reporter.said)


def test_a_signal_ends_the_run_after_its_step_which_is_saved(tmp_path):
  def step(batch, stop):
    if float(batch["x"][0]) == 4:
      signal.raise_signal(signal.SIGTERM)
    return _toy_step(batch, stop)

  before = signal.getsignal(signal.SIGTERM)
  callbacks = _Callbacks()
  with asked_to_stop() as stop_request, pytest.raises(Stopped, match="SIGTERM after step 5 of 7") as stopped:
    _run(tmp_path, itertools.count(1), step=step, stop_request=stop_request, callbacks=callbacks)
  assert callbacks.saved == [(3, 0), (5, 0)]
  assert stopped.value.signal == signal.SIGTERM
  assert signal.getsignal(signal.SIGTERM) is before


def test_another_worker_s_signal_does_too(tmp_path):
  def step(batch, stop):
    return {**_toy_step(batch, stop), STOP: tf.constant(float(batch["x"][0]) == 2, tf.float32)}

  with pytest.raises(Stopped, match="SIGTERM after step 2 of 7"):
    _run(tmp_path, itertools.count(1), step=step)


def test_a_signal_in_the_last_evaluation_is_not_forgotten(tmp_path):
  class Slow(_Callbacks):
    def evaluate(self, step):
      signal.raise_signal(signal.SIGTERM)
      return {}

  callbacks = Slow()
  with asked_to_stop() as stop_request, pytest.raises(Stopped, match="SIGTERM after step 7 of 7; everything is saved$"):
    _run(tmp_path, itertools.count(1), stop_request=stop_request, callbacks=callbacks, evaluate_every=7)
  assert callbacks.saved[-1] == (7, 0)


def test_measurements_are_a_table_with_a_row_per_stage():
  lines = measured_table(
    40,
    {
      "validation/psnr/coarse": 20.5,
      "validation/psnr/result": 23.25,
      "validation/hole_ratio": 0.2,
      "validation/hole_psnr/result": 12.0,
      "validation/ssim/result": 0.5,
    },
  ).splitlines()
  assert "40" in lines[0] and "hole_ratio 0.2" in lines[0]
  assert [line.split() for line in lines[1:]] == [
    ["psnr", "ssim", "hole_psnr"],
    ["coarse", "20.5", "-", "-"],
    ["result", "23.25", "0.5", "12"],
  ]
  assert len({len(line) for line in lines[1:]}) == 1


def test_ctrl_c_twice_interrupts_at_once_and_sigterm_does_not():
  with asked_to_stop() as stop_request:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert stop_request.signal == signal.SIGTERM
  former = signal.signal(signal.SIGINT, signal.default_int_handler)  # The tests may run where it is ignored.
  try:
    with pytest.raises(KeyboardInterrupt), asked_to_stop():
      signal.raise_signal(signal.SIGINT)
      signal.raise_signal(signal.SIGINT)
  finally:
    signal.signal(signal.SIGINT, former)


def test_a_signal_that_the_process_ignores_stays_ignored():
  former = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    with asked_to_stop() as stop_request:
      signal.raise_signal(signal.SIGINT)
    assert stop_request.signal is None and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
  finally:
    signal.signal(signal.SIGINT, former)


def test_a_full_disk_stops_the_writer_with_one_line(tmp_path):
  writer = MetricWriter(str(tmp_path), {}, 0, _Reporter())
  with stand_ins.full_disk(), pytest.raises(InputError, match="cannot be (written|read or written)") as error:
    writer.write_scalars(1, {"loss/generator": 1.0})
    writer.flush()
  assert "\n" not in str(error.value)


def test_a_finished_run_does_nothing(tmp_path):
  callbacks, _ = _run(tmp_path, iter(()), start_step=7)
  assert (callbacks.saved, callbacks.evaluated) == ([], [])

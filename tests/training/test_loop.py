"""The loop, driven by a toy step."""

import itertools

import numpy as np
import tensorflow as tf

from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.loop import run_loop
from z2i_tf.training.summaries import SummaryWriter


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


def test_logs_means_evaluates_and_saves_when_due_and_at_the_end(tmp_path):
  config = LoopConfig(iterations=7, batch_size=4, save_every=3, log_every=2, evaluate_every=5)
  saved, evaluated, lines = [], [], []

  def evaluate(step):
    evaluated.append(step)
    return {"validation/toy": step * 10.0}

  writer = SummaryWriter(str(tmp_path))
  run_loop(config, itertools.count(2), lambda batch: {"loss/generator": tf.constant(float(batch))},
           evaluate, saved.append, writer, start_step=2, more_scalars=lambda: {"data/skipped_images": len(saved)},
           print_line=lines.append)
  writer.flush()
  assert saved == [3, 6, 7] and evaluated == [5, 7]
  scalars, _ = read_events(tmp_path)
  # Step n uses batch n - 1; each value is the mean since the line before.
  assert scalars["loss/generator"] == {4: 2.5, 6: 4.5, 7: 6.0}
  assert scalars["validation/toy"] == {5: 50.0, 7: 70.0}
  assert scalars["data/skipped_images"] == {4: 1.0, 6: 1.0, 7: 2.0}
  assert set(scalars["speed/examples_per_second"]) == {4, 6, 7}
  assert lines[0].startswith("step 4/7  loss/generator 2.5") and "ETA 0:00:0" in lines[0]
  assert lines[-2].startswith("step 7/7") and lines[-1] == "step 7  validation/toy 70"


def test_a_finished_run_does_nothing(tmp_path):
  config = LoopConfig(iterations=3, batch_size=1, save_every=1, log_every=1, evaluate_every=1)

  def fail(*_):
    raise AssertionError("nothing is left to do")

  run_loop(config, iter(np.zeros(0)), fail, fail, fail, SummaryWriter(str(tmp_path)), start_step=3)

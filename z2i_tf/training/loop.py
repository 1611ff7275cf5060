"""Outer loop of training: counts steps, logs, measures, saves, stops. It knows no network and no loss."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import signal
import time

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.errors import Stopped
from z2i_tf.system.preemption import StopRequest
from z2i_tf.training.callbacks import Callbacks
from z2i_tf.training.callbacks import Scalars
from z2i_tf.training.diagnostics import DATA_WAIT
from z2i_tf.training.diagnostics import Diagnostics
from z2i_tf.training.metric_writers import MetricWriter
from z2i_tf.training.metric_writers import NoMetricWriter
from z2i_tf.training.reporters import measured_table
from z2i_tf.training.skip_nonfinite import SKIPPED
from z2i_tf.training.skip_nonfinite import STOP


@dataclasses.dataclass(frozen=True)
class LoopConfig:
  """Number of training steps, and intervals between saving, logging and evaluating.

  Attributes:
    iterations: steps of the whole stage, including those of earlier runs.
    batch_size: examples per step over all replicas.
    save_every: steps between checkpoints; the last step is always saved.
    log_every: steps between progress lines and scalars; scalars are means over these steps.
    evaluate_every: steps between evaluations; the last step is always evaluated.
    keep_every: steps between copies of the weights that are never deleted; None keeps none.
    max_skipped_steps: the run stops after this many consecutive steps without a finite loss and gradient.
  Raises: ValueError for a number below 1.
  """

  iterations: int
  batch_size: int
  save_every: int
  log_every: int
  evaluate_every: int
  keep_every: int | None = None
  max_skipped_steps: int = 20

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if value is not None and value < 1:
        raise ValueError(f"`{field.name}` must be at least 1. Received: {value}")


def run_loop(
  config: LoopConfig,
  batches: Iterator,
  train_step: Callable[..., dict[str, tf.Tensor]],
  callbacks: Callbacks,
  writer: MetricWriter | NoMetricWriter,
  start_step: int,
  stop_request: StopRequest,
  skipped: int = 0,
) -> None:
  """Trains from `start_step` to the end of the stage.

  Args:
    config: number of steps, and intervals.
    batches: endless; begins with batch number `start_step`.
    train_step: as `skip_nonfinite` returns it.
    callbacks: called between the steps.
    writer: writes metrics and messages.
    start_step: number of finished steps.
    stop_request: remembers signals; after a signal to any worker the loop finishes and saves the step.
    skipped: number of finished steps that were skipped.
  Raises: Stopped after a signal; InputError after too many consecutive steps without a finite loss and gradient.
  """
  diagnostics, window = Diagnostics(), _Window()
  started = time.monotonic()
  skipped_in_a_row = 0
  for step in range(start_step + 1, config.iterations + 1):
    with window.waiting():
      batch = next(batches)
    scalars, is_skipped, stop = _take(train_step, batch, stop_request)
    writer.advance()
    window.add(scalars, is_skipped)
    skipped += is_skipped
    explanation = callbacks.explain_skipping(scalars) if is_skipped else ""
    if explanation:
      writer.say(f"step {step}: {explanation}")
    elif is_skipped:
      writer.warn(step, _skipped_text(scalars, skipped))
    skipped_in_a_row = skipped_in_a_row + 1 if is_skipped and not explanation else 0
    if skipped_in_a_row == config.max_skipped_steps:
      writer.flush()
      raise _too_many_skipped(step, skipped_in_a_row, callbacks.keep_batch(step, _arrays(batch)))
    is_last = step == config.iterations
    logged: dict[str, float] = {}
    if is_last or step % config.log_every == 0:
      logged = {**window.means(config.batch_size), "skipped_steps": float(skipped), **callbacks.scalars()}
      seconds_per_step = (time.monotonic() - started) / (step - start_step)
      writer.show(step, config.iterations, logged, seconds_per_step * (config.iterations - step))
      for text in diagnostics.messages(logged):
        writer.warn(step, text)
      window = _Window()
    if is_last or step % config.evaluate_every == 0:
      with window.elsewhere():
        measured = callbacks.evaluate(step)
      logged.update(measured)
      if measured:
        writer.say(measured_table(step, measured))
    if logged:
      writer.write_scalars(step, logged)
    with window.elsewhere():
      if config.keep_every and step % config.keep_every == 0:
        callbacks.keep(step)
      if is_last or stop or step % config.save_every == 0:
        callbacks.save(step, skipped)
        writer.flush()
    if stop or is_last and stop_request.signal is not None:
      raise _stopped(step, config.iterations, stop_request)


def _take(train_step, batch, stop_request) -> tuple[dict[str, float], bool, bool]:
  """Takes a step; returns its scalars, whether it was skipped, and whether a worker got a signal."""
  results = train_step(batch, tf.constant(float(stop_request.signal is not None)))
  scalars = {name: float(value) for name, value in results.items()}
  stop = scalars.pop(STOP) > 0
  return scalars, scalars.pop(SKIPPED) > 0, stop


class _Window:
  """Scalars and times of the steps since the last logged one."""

  def __init__(self):
    self._scalars: list[Scalars] = []
    self._steps = 0
    self._started = time.monotonic()
    self._waited = self._elsewhere = 0.0

  @contextlib.contextmanager
  def waiting(self):
    """Measures the time spent waiting for data."""
    started = time.monotonic()
    yield
    self._waited += time.monotonic() - started

  @contextlib.contextmanager
  def elsewhere(self):
    """Excludes the block from the measured speed of training."""
    started = time.monotonic()
    yield
    self._elsewhere += time.monotonic() - started

  def add(self, scalars, is_skipped):
    self._steps += 1
    if not is_skipped:
      self._scalars.append(scalars)

  def means(self, batch_size) -> dict[str, float]:
    """Returns means of the steps that were not skipped, the speed and the share of waiting."""
    names = dict.fromkeys(name for scalars in self._scalars for name in scalars)  # A warm-up lacks some.
    means = {name: float(np.mean([scalars[name] for scalars in self._scalars if name in scalars])) for name in names}
    seconds = time.monotonic() - self._started - self._elsewhere
    means["speed/examples_per_second"] = batch_size * self._steps / seconds
    means[DATA_WAIT] = self._waited / seconds
    return means


def _skipped_text(scalars, skipped):
  broken = sorted(name for name, value in scalars.items() if not np.isfinite(value))
  return (
    f"{', '.join(broken)} {'is' if len(broken) == 1 else 'are'} not finite; the step was skipped and changed "
    f"nothing ({skipped} so far)"
  )


def _too_many_skipped(step, count, path) -> InputError:
  return InputError(
    f"step {step}: {count} steps in a row were not finite, so the run stops; the last batch is in {path}; lower the "
    "learning rate, or clip with `gradient_clip_norm`, and continue from the last checkpoint with `allow_config_change`"
  )


def _stopped(step, iterations, stop_request) -> Stopped:
  number = stop_request.signal or signal.SIGTERM
  return Stopped(
    f"stopped by {signal.Signals(number).name} after step {step} of {iterations}; everything is saved"
    + ("" if step == iterations else ", and the same command continues"),
    number,
  )


def _arrays(batch) -> dict[str, np.ndarray]:
  """Returns this worker's part of a batch, of all its replicas."""
  return {
    name: np.concatenate([part.numpy() for part in getattr(value, "values", (value,))]) for name, value in batch.items()
  }

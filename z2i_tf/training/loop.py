"""The outer loop of a stage: count steps, log, measure, save, stop. Knows no network and no loss."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import signal
import time

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.errors import Stopped
from z2i_tf.training.diagnostics import DATA_WAIT
from z2i_tf.training.diagnostics import Watch
from z2i_tf.training.metric_writers import measured_table
from z2i_tf.training.metric_writers import MetricWriter
from z2i_tf.training.preemption import Interruption
from z2i_tf.training.skip_nonfinite import SKIPPED
from z2i_tf.training.skip_nonfinite import STOP

Scalars = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class LoopConfig:
  """When the loop does what.

  Attributes:
    iterations: steps of the whole stage, counted from its very start.
    batch_size: global; for the examples per second.
    save_every: steps between checkpoints; the last step is always saved.
    log_every: steps between progress lines and scalars, which are means over these steps.
    evaluate_every: steps between evaluations; the last step is always evaluated.
    keep_every: steps between weights that are kept for ever; None keeps none.
    max_skipped: so many steps in a row that are not finite end the run.
  """

  iterations: int
  batch_size: int
  save_every: int
  log_every: int
  evaluate_every: int
  keep_every: int | None = None
  max_skipped: int = 20

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if value is not None and value < 1:
        raise ValueError(f"{field.name} must be at least 1. Received: {value}")


class StageActions:
  """What the loop asks a stage to do; a base class whose actions do nothing."""

  def evaluate(self, step: int) -> Scalars:
    """Measures; returns scalars to log."""
    del step
    return {}

  def keep(self, step: int) -> None:
    """Keeps the weights of this step."""

  def save(self, step: int, skipped: int) -> None:
    """Saves all that is needed to go on; `skipped`: how many steps of the run so far changed nothing."""

  def keep_batch(self, step: int, batch: Mapping[str, np.ndarray]) -> str:
    """Saves a batch that made trouble; returns where."""
    del step, batch
    return ""

  def explain_skipping(self, scalars: Scalars) -> str:
    """Returns why a step that was not finite is nothing to worry about, or an empty text if it is."""
    del scalars
    return ""

  def scalars(self) -> Scalars:
    """Returns what is logged beside the step's own scalars; not averaged."""
    return {}


def run_loop(
  config: LoopConfig,
  batches: Iterator,
  train_step: Callable[..., dict[str, tf.Tensor]],
  actions: StageActions,
  writer: MetricWriter,
  start_step: int,
  interruption: Interruption,
  skipped: int = 0,
) -> None:
  """Trains from `start_step` to the end of the stage.

  Args:
    config: when to do what.
    batches: endless, beginning with batch number `start_step`.
    train_step: as `guarded_step` returns it.
    actions: what is to be done beside training.
    writer: writes metrics and messages.
    start_step: number of finished steps.
    interruption: remembers signals; after one (of any worker) the step is finished and saved.
    skipped: how many of the finished steps changed nothing.
  Raises: Stopped after a signal; InputError after too many steps in a row that were not finite.
  """
  watch, window = Watch(), _Window()
  started = time.monotonic()
  skipped_in_a_row = 0
  for step in range(start_step + 1, config.iterations + 1):
    with window.waiting():
      batch = next(batches)
    scalars = {
      name: float(value)
      for name, value in train_step(batch, tf.constant(float(interruption.signal is not None))).items()
    }
    stop = scalars.pop(STOP) > 0
    is_skipped = scalars.pop(SKIPPED) > 0
    writer.advance()
    window.add(scalars, is_skipped)
    skipped += is_skipped
    explanation = actions.explain_skipping(scalars) if is_skipped else ""
    if explanation:
      writer.say(f"step {step}: {explanation}")
    elif is_skipped:
      writer.warn(step, _skipped_text(scalars, skipped))
    skipped_in_a_row = skipped_in_a_row + 1 if is_skipped and not explanation else 0
    if skipped_in_a_row == config.max_skipped:
      writer.flush()
      path = actions.keep_batch(step, _arrays(batch))
      raise InputError(
        f"step {step}: {skipped_in_a_row} steps in a row were not finite, so the run stops; the last "
        f"batch is in {path}; lower the learning rate, or clip with --gradient_clip_norm, and continue "
        "from the last checkpoint with --allow_config_change"
      )
    is_last = step == config.iterations
    logged: dict[str, float] = {}
    if is_last or step % config.log_every == 0:
      logged = {**window.means(config.batch_size), "skipped_steps": float(skipped), **actions.scalars()}
      writer.show(
        step, config.iterations, logged, (time.monotonic() - started) / (step - start_step) * (config.iterations - step)
      )
      for text in watch.messages(logged):
        writer.warn(step, text)
      window = _Window()
    if is_last or step % config.evaluate_every == 0:
      with window.elsewhere():
        measured = actions.evaluate(step)
      logged.update(measured)
      if measured:
        writer.say(measured_table(step, measured))
    if logged:
      writer.write_scalars(step, logged)
    if config.keep_every and step % config.keep_every == 0:
      with window.elsewhere():
        actions.keep(step)
    if is_last or stop or step % config.save_every == 0:
      with window.elsewhere():
        actions.save(step, skipped)
        writer.flush()
    if stop or is_last and interruption.signal is not None:
      number = interruption.signal or signal.SIGTERM
      raise Stopped(
        f"stopped by {signal.Signals(number).name} after step {step} of {config.iterations}; all is saved"
        + ("" if is_last else ", and the same command continues"),
        number,
      )


class _Window:
  """The steps since scalars were logged last."""

  def __init__(self):
    self._scalars: list[Scalars] = []
    self._steps = 0
    self._started = time.monotonic()
    self._waited = self._elsewhere = 0.0

  @contextlib.contextmanager
  def waiting(self):
    """Goes around waiting for data."""
    started = time.monotonic()
    yield
    self._waited += time.monotonic() - started

  @contextlib.contextmanager
  def elsewhere(self):
    """Goes around what is not training."""
    started = time.monotonic()
    yield
    self._elsewhere += time.monotonic() - started

  def add(self, scalars, is_skipped):
    self._steps += 1
    if not is_skipped:
      self._scalars.append(scalars)

  def means(self, batch_size) -> dict[str, float]:
    """Returns means of the steps that were not skipped, and what the time went to."""
    names = dict.fromkeys(name for scalars in self._scalars for name in scalars)  # A warm-up has fewer of them.
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


def _arrays(batch) -> dict[str, np.ndarray]:
  """Returns this worker's part of a batch, whatever the number of its replicas."""
  return {
    name: np.concatenate([part.numpy() for part in getattr(value, "values", (value,))]) for name, value in batch.items()
  }

"""The outer loop of a stage: count steps, log, checkpoint. Knows no network and no loss."""

import dataclasses
import time
from typing import Callable, Dict, Iterable, List, Mapping

import numpy as np
import tensorflow as tf

from z2i_tf.training.summaries import SummaryWriter

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
  """
  iterations: int
  batch_size: int
  save_every: int
  log_every: int
  evaluate_every: int

  def __post_init__(self):
    for field in dataclasses.fields(self):
      if getattr(self, field.name) < 1:
        raise ValueError(f"{field.name} must be at least 1. Received: {getattr(self, field.name)}")


def run_loop(config: LoopConfig, batches: Iterable, train_step: Callable[..., Dict[str, tf.Tensor]],
             evaluate: Callable[[int], Scalars], save: Callable[[int], None],
             writer: SummaryWriter, start_step: int, more_scalars: Callable[[], Scalars] = dict,
             print_line: Callable[[str], None] = print) -> None:
  """Trains from `start_step` to the end of the stage.

  Args:
    config: when to do what.
    batches: endless, beginning with batch number `start_step`.
    train_step: batch -> global scalars, as tensors.
    evaluate: step -> scalars to log; writes its own pictures.
    save: called with the number of finished steps.
    writer: of the scalars.
    start_step: number of finished steps.
    more_scalars: asked for when scalars are logged; not averaged.
    print_line: where progress goes.
  """
  pending: List[Dict[str, tf.Tensor]] = []
  started = window_started = time.monotonic()
  for step, batch in zip(range(start_step + 1, config.iterations + 1), batches):
    pending.append(train_step(batch))
    is_last = step == config.iterations
    if is_last or step % config.log_every == 0:
      means = {name: float(np.mean([scalars[name] for scalars in pending])) for name in pending[0]}
      now = time.monotonic()
      means["speed/examples_per_second"] = config.batch_size * len(pending) / (now - window_started)
      means.update(more_scalars())
      writer.write_scalars(step, means)
      print_line(_progress_line(step, config.iterations, means,
                                (now - started) / (step - start_step) * (config.iterations - step)))
      pending, window_started = [], now
    if is_last or step % config.evaluate_every == 0:
      scalars = evaluate(step)
      writer.write_scalars(step, scalars)
      if scalars:
        print_line(f"step {step}  " + "  ".join(f"{k} {v:.4g}" for k, v in sorted(scalars.items())))
    if is_last or step % config.save_every == 0:
      save(step)
      writer.flush()


def _progress_line(step, iterations, scalars, seconds_left):
  minutes, seconds = divmod(int(seconds_left), 60)
  hours, minutes = divmod(minutes, 60)
  shown = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items()
                    if name == "loss/generator" or name.startswith("psnr/"))
  return (f"step {step}/{iterations}  {shown}  {scalars['speed/examples_per_second']:.1f} examples/s  "
          f"ETA {hours}:{minutes:02d}:{seconds:02d}")

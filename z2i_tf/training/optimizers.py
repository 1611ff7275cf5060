"""Adam with a piecewise constant learning rate, loss scaling for float16, and one update for all replicas."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import tensorflow as tf

from z2i_tf.keras_api import mixed_precision
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.training.devices import FLOAT16


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Settings of Adam, the same for generator and discriminator.

  Attributes:
    iterations: steps of the whole stage.
    learning_rates: one more than `decay_fractions`.
    decay_fractions: fractions of `iterations`, ascending, at which the next learning rate begins.
    gradient_clip_norm: largest global norm of the generator's gradient; 0 = no clipping (paper).
    ema_decay: decay of the moving average of the weights (`WeightAverages`), below 1; 0 = no average (paper).
  Raises: ValueError for values out of range.
  """

  iterations: int
  learning_rates: tuple[float, ...] = (1e-3, 1e-4, 1e-5)
  decay_fractions: tuple[float, ...] = (0.8, 0.9)
  gradient_clip_norm: float = 0.0
  ema_decay: float = 0.0

  def __post_init__(self):
    if self.iterations < 1:
      raise ValueError(f"At least one iteration is needed. Received: `iterations`={self.iterations}")
    if len(self.learning_rates) != len(self.decay_fractions) + 1:
      raise ValueError(
        f"There must be one learning rate more than decay fractions. Received: "
        f"`learning_rates`={self.learning_rates}, `decay_fractions`={self.decay_fractions}"
      )
    if not all(0.0 < rate < float("inf") for rate in self.learning_rates):
      raise ValueError(f"Learning rates must be positive numbers. Received: `learning_rates`={self.learning_rates}")
    bounds = (0.0,) + self.decay_fractions + (1.0,)
    if not all(left < right for left, right in zip(bounds, bounds[1:])):
      raise ValueError(
        f"Decay fractions must ascend between 0 and 1. Received: `decay_fractions`={self.decay_fractions}"
      )
    if not 0.0 <= self.gradient_clip_norm < float("inf"):
      raise ValueError(
        f"The clip norm must be finite and not negative. Received: `gradient_clip_norm`={self.gradient_clip_norm}"
      )
    if not 0.0 <= self.ema_decay < 1.0:
      raise ValueError(f"The decay of the average is at least 0 and below 1. Received: `ema_decay`={self.ema_decay}")


def piecewise_learning_rate(
  config: OptimizerConfig, first_step: int = 0
) -> optimizers.schedules.PiecewiseConstantDecay:
  """Returns the learning rate as a Keras schedule.

  Rate i + 1 applies from step round(decay_fractions[i] * iterations) on, counted from 0. A constant rate is a schedule
  too: Keras makes a plain number a variable of the optimizer, and checkpoints of constant and falling rates would not
  match.

  Args:
    config: settings of the optimizer.
    first_step: number of the stage's steps before the optimizer's first update; the schedule counts the stage's steps.
  """
  fractions, rates = config.decay_fractions, config.learning_rates
  if not fractions:
    fractions, rates = (1.0,), rates * 2
  # At its boundary, Keras still uses the former rate.
  boundaries = [round(fraction * config.iterations) - 1 - first_step for fraction in fractions]
  return optimizers.schedules.PiecewiseConstantDecay(boundaries, list(rates))


def build_adam(
  config: OptimizerConfig, variables: Sequence[tf.Variable], precision: str = "float32", first_step: int = 0
) -> optimizers.Optimizer:
  """Builds Adam(0.9, 0.999, 1e-7) with the piecewise learning rate, and creates its variables.

  In float16 small gradients vanish, so Keras' dynamic loss scale is used: it halves when the gradient overflows and
  doubles after 2,000 steps without overflow.

  Args:
    config: settings of the optimizer.
    variables: to update.
    precision: of the networks, one of `devices.PRECISIONS`.
    first_step: as in `piecewise_learning_rate`.
  """
  optimizer = optimizers.Adam(piecewise_learning_rate(config, first_step), beta_1=0.9, beta_2=0.999, epsilon=1e-7)
  if precision == FLOAT16:
    optimizer = mixed_precision.LossScaleOptimizer(optimizer)
  optimizer.build(variables)
  return optimizer


def scaled_loss(loss: tf.Tensor, optimizer: optimizers.Optimizer) -> tf.Tensor:
  """Returns the loss to differentiate, scaled if the optimizer scales losses; call it while the tape records."""
  return optimizer.get_scaled_loss(loss) if _has_scale(optimizer) else loss


def loss_scales(optimizer: optimizers.Optimizer) -> list[float]:
  """Returns the present loss scale, or an empty list if the optimizer has none."""
  return [float(optimizer.loss_scale)] if _has_scale(optimizer) else []


def apply_update(
  tape: tf.GradientTape,
  loss: tf.Tensor,
  networks: Mapping[str, Model],
  optimizer: optimizers.Optimizer,
  clip_norm: float,
) -> dict[str, tf.Tensor]:
  """Sums the gradient over all replicas and applies it; call it in a replica context.

  Args:
    tape: recorded the loss.
    loss: the replica's share of the mean over the global batch, as `scaled_loss` returns it.
    networks: by name; all their trainable variables are updated.
    optimizer: updates them.
    clip_norm: largest global norm of the gradient of all networks; 0 = no clipping.
  Returns: "gradient_norm/NAME" -> norm of a network's gradient before clipping, divided by the number of replicas, so
    that the sum over the replicas is the norm.
  """
  replica_context = tf.distribute.get_replica_context()
  variables = [variable for network in networks.values() for variable in network.trainable_variables]
  # Loss weights of 0 may leave a whole network without gradient.
  gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
  if _has_scale(optimizer):
    gradients = optimizer.get_unscaled_gradients(gradients)
  if replica_context.num_replicas_in_sync > 1:  # A single replica would only copy them.
    gradients = replica_context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
  norms, position = {}, 0
  for name, network in networks.items():
    count = len(network.trainable_variables)
    norms["gradient_norm/" + name] = tf.linalg.global_norm(gradients[position : position + count])
    position += count
  if clip_norm:
    gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
  optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
  return {name: norm / replica_context.num_replicas_in_sync for name, norm in norms.items()}


def _has_scale(optimizer):
  return isinstance(optimizer, mixed_precision.LossScaleOptimizer)

"""In which floating-point type the generator's networks, and the perceptual one, compute.

Variables are float32 always. Losses, the attention's weights, what the networks return as images and the whole
discriminator are computed in float32 too, whatever the precision.
"""

from collections.abc import Iterator
import contextlib

import tensorflow as tf

from z2i_tf.keras_api import mixed_precision
from z2i_tf.keras_api import optimizers

FLOAT32, BFLOAT16, FLOAT16 = PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def check_precision(precision: str) -> None:
  """Raises ValueError unless it is one of `PRECISIONS`."""
  if precision not in PRECISIONS:
    raise ValueError(f"The precision is one of {', '.join(PRECISIONS)}. Received: precision={precision!r}")


@contextlib.contextmanager
def networks_in(precision: str) -> Iterator[None]:
  """Networks built within the block compute in this precision."""
  former = mixed_precision.global_policy()
  mixed_precision.set_global_policy(precision)
  try:
    yield
  finally:
    mixed_precision.set_global_policy(former)


def with_loss_scale(optimizer: optimizers.Optimizer, precision: str) -> optimizers.Optimizer:
  """Returns an optimizer for networks of this precision: in float16 small gradients vanish unless the loss is scaled.

  The scale is Keras' dynamic one: halved where the gradient overflows, doubled after 2,000 steps without.
  """
  return mixed_precision.LossScaleOptimizer(optimizer) if precision == FLOAT16 else optimizer


def scaled_loss(loss: tf.Tensor, optimizer: optimizers.Optimizer) -> tf.Tensor:
  """Returns the loss whose gradient the optimizer wants to see; to be called while the tape records."""
  return optimizer.get_scaled_loss(loss) if _has_scale(optimizer) else loss


def unscaled(gradients, optimizer: optimizers.Optimizer):
  """Returns the gradients of the loss, from those of the scaled one."""
  return optimizer.get_unscaled_gradients(gradients) if _has_scale(optimizer) else gradients


def loss_scales(optimizer: optimizers.Optimizer) -> list[float]:
  """Returns the present scale of the loss, if the optimizer has one."""
  return [float(optimizer.loss_scale)] if _has_scale(optimizer) else []


def _has_scale(optimizer):
  return isinstance(optimizer, mixed_precision.LossScaleOptimizer)

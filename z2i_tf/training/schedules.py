"""Learning rates over the steps of a stage."""

from z2i_tf.keras_api import optimizers
from z2i_tf.training.config import OptimizerConfig


def piecewise_learning_rate(config: OptimizerConfig, first_step: int = 0):
  """Returns the learning rate for Keras: a rate begins with the step that its fraction names.

  A constant one is a schedule too: as a number it would be a variable of the optimizer, and a run could not go on
  from constant to falling rates or back.

  Args:
    config: of the optimizer.
    first_step: steps of the stage before the optimizer's first one; its rates begin with the stage's steps.
  """
  fractions, rates = config.decay_fractions, config.learning_rates
  if not fractions:
    fractions, rates = (1.0,), rates * 2
  # Keras' boundaries are inclusive of the old rate: step == boundary still takes it.
  boundaries = [round(fraction * config.iterations) - 1 - first_step for fraction in fractions]
  return optimizers.schedules.PiecewiseConstantDecay(boundaries, list(rates))


def adam(config: OptimizerConfig, first_step: int = 0):
  """Returns Adam(0.9, 0.999, 1e-7) on the piecewise schedule."""
  return optimizers.Adam(piecewise_learning_rate(config, first_step), beta_1=0.9, beta_2=0.999, epsilon=1e-7)

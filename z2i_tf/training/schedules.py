"""Learning rates over the steps of a stage."""

from z2i_tf.keras_api import optimizers
from z2i_tf.training.config import OptimizerConfig


def piecewise_learning_rate(config: OptimizerConfig):
  """Returns the learning rate for Keras: a rate begins with the step that its fraction names.

  A constant one is a schedule too: as a number it would be a variable of the optimizer, and a run could not go on
  from constant to falling rates or back.
  """
  fractions, rates = config.decay_fractions, config.learning_rates
  if not fractions:
    fractions, rates = (1.0,), rates * 2
  # Keras' boundaries are inclusive of the old rate: step == boundary still takes it.
  boundaries = [round(fraction * config.iterations) - 1 for fraction in fractions]
  return optimizers.schedules.PiecewiseConstantDecay(boundaries, list(rates))


def adam(config: OptimizerConfig):
  """Returns Adam(0.9, 0.999, 1e-7) on the piecewise schedule."""
  return optimizers.Adam(piecewise_learning_rate(config), beta_1=0.9, beta_2=0.999, epsilon=1e-7)

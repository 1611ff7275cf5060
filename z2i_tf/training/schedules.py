"""Learning rates over the steps of a stage."""

from z2i_tf.keras_api import optimizers
from z2i_tf.training.config import OptimizerConfig


def piecewise_learning_rate(config: OptimizerConfig):
  """Returns the learning rate for Keras: a rate begins with the step that its fraction names."""
  if not config.decay_fractions:
    return config.learning_rates[0]
  # Keras' boundaries are inclusive of the old rate: step == boundary still takes it.
  boundaries = [round(fraction * config.iterations) - 1 for fraction in config.decay_fractions]
  return optimizers.schedules.PiecewiseConstantDecay(boundaries, list(config.learning_rates))


def adam(config: OptimizerConfig):
  """Returns Adam(0.9, 0.999, 1e-7) on the piecewise schedule."""
  return optimizers.Adam(piecewise_learning_rate(config), beta_1=0.9, beta_2=0.999, epsilon=1e-7)

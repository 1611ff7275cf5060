"""Exponential moving averages of weights; not in the paper.

Keras' optimizers average only trainable variables (`use_ema`). Averaged weights also need matching statistics of batch
norms, so this module averages all variables of a network.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib

import tensorflow as tf

# The decay of update t is at most (1 + t) / (_WARM_UP + t), so that the first weights fade quickly.
_WARM_UP = 10


class WeightAverages:
  """Averages variables over the steps: average <- d * average + (1 - d) * variable, d = min(decay, (1 + t) / (10 + t)).

  t counts the updates from 1. Each replica averages its own copies, which are equal on all replicas, without
  communication.
  """

  def __init__(self, variables: Sequence[tf.Variable], decay: float, strategy: tf.distribute.Strategy):
    """Creates the averages; call it under the strategy's scope.

    Args:
      variables: weights and batch norms' statistics.
      decay: d after the warm-up, above 0 and below 1.
      strategy: devices.
    """
    self._variables, self._decay, self._strategy = list(variables), decay, strategy
    per_replica = {
      "trainable": False,
      "synchronization": tf.VariableSynchronization.ON_READ,
      "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
    }
    # This module is separate, so that checkpoints find the averaged variables in their networks.
    self.tracked = tf.Module()
    self.tracked.averages = [tf.Variable(tf.zeros(variable.shape), **per_replica) for variable in self._variables]
    self.tracked.updates = tf.Variable(tf.constant(0, tf.int64), **per_replica)

  @property
  def variables(self) -> list[tf.Variable]:
    """The averages and the number of updates, which `update` changes."""
    return [*self.tracked.averages, self.tracked.updates]

  def start(self) -> None:
    """Sets every average to its variable's present value."""
    for copy, average in self._copies():
      average.assign(copy.read_value())

  def update(self) -> None:
    """Updates the averages with the present values; call it in a replica context, after the step's update."""
    updates = tf.cast(self.tracked.updates.assign_add(1), tf.float32)
    weight = 1.0 - tf.minimum(self._decay, (1.0 + updates) / (_WARM_UP + updates))
    for variable, average in zip(self._variables, self.tracked.averages):
      # In this form the average of a constant stays exactly that constant.
      average.assign_sub((average.read_value() - variable.read_value()) * weight)

  @contextlib.contextmanager
  def in_networks(self) -> Iterator[None]:
    """Puts the averages into the variables within the block, and restores the variables exactly after it."""
    self._exchange()
    try:
      yield
    finally:
      self._exchange()

  def _exchange(self):
    for copy, average in self._copies():
      value = copy.read_value()
      copy.assign(average.read_value())
      average.assign(value)

  def _copies(self):
    """Yields each variable beside its average, on every device of this worker."""
    local = self._strategy.experimental_local_results
    for variable, average in zip(self._variables, self.tracked.averages):
      yield from zip(local(variable), local(average))

import numpy as np
import pytest
import tensorflow as tf

from z2i_tf.layers.batch_norm import SynchronizedBatchNorm
from z2i_tf.training.skip_nonfinite import skip_nonfinite
from z2i_tf.training.skip_nonfinite import SKIPPED
from z2i_tf.training.weight_averages import WeightAverages


class _Toy:
  """A weight that becomes ten times itself, and a batch norm that sees the batch."""

  def __init__(self, decay, strategy):
    self.weight = tf.Variable([1.0, -2.0], aggregation=tf.VariableAggregation.MEAN)
    self.norm = SynchronizedBatchNorm(momentum=0.5)
    self.norm.build([None, 2, 2, 3])
    self.averages = WeightAverages([self.weight, *self.norm.variables], decay, strategy)
    self.variables = [self.weight, *self.norm.variables, *self.averages.variables]

  def step(self, batch):
    self.norm(batch["x"], training=True)
    self.weight.assign(self.weight * 10.0)
    self.averages.update()
    return {"loss/toy": tf.reduce_mean(batch["x"])}


def _batches(count):
  return np.random.default_rng(0).normal(0.3, 2.0, [count, 4, 2, 2, 3]).astype(np.float32)


def _by_hand(values, decay):
  """Averages of a sequence of values that begins with those before the first step."""
  average = values[0].astype(np.float64)
  for t, value in enumerate(values[1:], start=1):
    d = min(decay, (1 + t) / (10 + t))
    average = d * average + (1 - d) * value
  return average


@pytest.mark.parametrize("decay", [0.2, 0.999])
@pytest.mark.parametrize("replicas", [1, 2])
def test_averages_are_those_of_the_formula(decay, replicas, two_devices):
  strategy = two_devices if replicas == 2 else tf.distribute.get_strategy()
  with strategy.scope():
    toy = _Toy(decay, strategy)
  toy.averages.start()
  step = skip_nonfinite(toy.step, strategy, toy.variables, jit_compile=False)
  averaged = [toy.weight, *toy.norm.variables]
  seen = [[variable.numpy() for variable in averaged]]
  for batch in _batches(5):
    shared = next(
      iter(strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices({"x": batch}).batch(4)))
    )
    assert float(step(shared, tf.constant(0.0))[SKIPPED]) == 0
    seen.append([variable.numpy() for variable in averaged])
  assert not np.array_equal(seen[0][3], seen[5][3])  # The statistics did move.
  for number, average in enumerate(toy.averages.tracked.averages):
    expected = _by_hand([values[number] for values in seen], decay)
    for copy in strategy.experimental_local_results(average):
      np.testing.assert_allclose(copy.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_skipped_step_leaves_the_averages(two_devices):
  with two_devices.scope():
    toy = _Toy(0.9, two_devices)
  toy.averages.start()
  step = skip_nonfinite(toy.step, two_devices, toy.variables, jit_compile=False)
  batch = _batches(1)[0]
  batch[3, 0, 0, 0] = np.nan
  shared = next(
    iter(two_devices.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices({"x": batch}).batch(4)))
  )
  before = [
    copy.numpy() for variable in toy.averages.variables for copy in two_devices.experimental_local_results(variable)
  ]
  assert float(step(shared, tf.constant(0.0))[SKIPPED]) == 1
  after = [
    copy.numpy() for variable in toy.averages.variables for copy in two_devices.experimental_local_results(variable)
  ]
  for former, now in zip(before, after):
    np.testing.assert_array_equal(former, now)


def test_within_the_block_variables_hold_averages_and_after_it_their_own_values(two_devices):
  with two_devices.scope():
    toy = _Toy(0.9, two_devices)
    toy.averages.start()
    toy.weight.assign([0.1, 0.7])
    toy.norm.moving_mean.assign([0.3, 0.3, 1e-9])
  with pytest.raises(KeyError), toy.averages.in_networks():
    for copy in two_devices.experimental_local_results(toy.weight):
      np.testing.assert_array_equal(copy.numpy(), [1.0, -2.0])
    np.testing.assert_array_equal(toy.norm.moving_mean.numpy(), [0, 0, 0])
    raise KeyError
  for copy in two_devices.experimental_local_results(toy.weight):
    np.testing.assert_array_equal(copy.numpy(), np.float32([0.1, 0.7]))
  np.testing.assert_array_equal(toy.norm.moving_mean.numpy(), np.float32([0.3, 0.3, 1e-9]))
  np.testing.assert_array_equal(toy.averages.tracked.averages[0].numpy(), [1.0, -2.0])

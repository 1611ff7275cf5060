import contextlib

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as tf_config

from tests.training import stand_ins
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import mixed_precision
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.terms import LossWeights
from z2i_tf.training import devices
from z2i_tf.training import pretrain
from z2i_tf.training.optimizers import loss_scales
from z2i_tf.training.optimizers import scaled_loss
from z2i_tf.training.skip_nonfinite import skip_nonfinite
from z2i_tf.training.skip_nonfinite import SKIPPED
from z2i_tf.training.skip_nonfinite import STOP

_WITHOUT_VGG = LossWeights(weight_vgg_coarse=0.0, weight_vgg_refine=0.0)


def _shared(strategy, batch):
  dataset = tf.data.Dataset.from_tensor_slices(batch).batch(len(batch["mask_lr"]))
  return next(iter(strategy.experimental_distribute_dataset(dataset)))


def _copies(strategy, variables):
  return [copy.numpy() for variable in variables for copy in strategy.experimental_local_results(variable)]


@pytest.mark.usefixtures("eager_functions")
def test_a_nan_in_one_image_changes_no_variable_of_any_replica(two_devices):
  keras.utils.set_random_seed(0)
  with two_devices.scope():
    made = []
    step, networks = stand_ins.build_step(
      None, lambda: made.append(optimizers.Adam(1e-3)) or made[-1], _WITHOUT_VGG, batch_size=2, width=4
    )
  variables = [variable for part in [*networks.values(), *made] for variable in part.variables]
  train_step = skip_nonfinite(step, two_devices, variables, jit_compile=False)
  batch, spoiled = stand_ins.smooth_batch(2, 16), stand_ins.smooth_batch(2, 16)
  spoiled["image_hr"][1, 3, 3, 0] = np.nan  # Seen by the second replica, and by the discriminator.
  before = _copies(two_devices, variables)
  scalars = train_step(_shared(two_devices, spoiled), tf.constant(1.0))
  assert float(scalars[SKIPPED]) == 1 and float(scalars[STOP]) == 2
  for variable, former, now in zip(np.repeat([v.name for v in variables], 2), before, _copies(two_devices, variables)):
    np.testing.assert_array_equal(former, now, err_msg=variable)
  # All of them would have changed: batch norms' statistics, spectral norms' kernels and vectors, moments, step numbers.
  assert float(train_step(_shared(two_devices, batch), tf.constant(0.0))[SKIPPED]) == 0
  unchanged = [
    name
    for name, former, now in zip(np.repeat([v.name for v in variables], 2), before, _copies(two_devices, variables))
    if np.array_equal(former, now)
  ]
  assert not [name for name in unchanged if "gamma" not in name and "learning_rate" not in name], unchanged


@pytest.fixture(name="xla_allowed")
def _xla_allowed():
  """Runs from the command line, in this process, leave TensorFlow deterministic, which XLA's max-pooling is not."""
  former = tf_config.is_op_determinism_enabled()
  tf_config.disable_op_determinism()
  yield
  if former:
    tf_config.enable_op_determinism()


def _is_compiled(train_step, batch):
  return "XlaMustCompile" in str(train_step.get_concrete_function(batch, tf.constant(0.0)).graph.as_graph_def())


@pytest.mark.usefixtures("xla_allowed")
@pytest.mark.slow
def test_compiled_with_xla_the_step_is_the_same():
  """On one CPU, as the command line builds it."""
  batch = {name: tf.constant(value) for name, value in stand_ins.smooth_batch(2, 16).items()}
  strategy = devices.make_strategy()
  results = []
  for jit_compile in (False, True):
    config = pretrain.PretrainConfig(
      work_dir="", network="coarse", width=2, weight_vgg=0.0, seed=1, batch_size=2, jit_compile=jit_compile
    )
    stage = pretrain.build(config, strategy)
    train_step = skip_nonfinite(stage.step, strategy, stage.variables, jit_compile)
    with contextlib.nullcontext() if jit_compile else stand_ins.eagerly():
      scalars = [train_step(batch, tf.constant(0.0)) for _ in range(2)]
    assert not jit_compile or _is_compiled(train_step, batch)
    results.append([{name: float(value) for name, value in step.items()} for step in scalars])
  for plain, compiled in zip(*results):
    for name, value in plain.items():
      assert compiled[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name


class _Toy(tf.Module):
  """A loss that is its input times a weight."""

  def __init__(self, optimizer):
    super().__init__()
    self.weight = tf.Variable(2.0)
    self.optimizer = optimizer
    optimizer.build([self.weight])

  def __call__(self, batch):
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(batch["x"]) * self.weight
      scaled = scaled_loss(loss, self.optimizer)
    gradients = tape.gradient(scaled, [self.weight])
    if isinstance(self.optimizer, mixed_precision.LossScaleOptimizer):
      gradients = self.optimizer.get_unscaled_gradients(gradients)
    self.optimizer.apply_gradients(zip(gradients, [self.weight]), skip_gradients_aggregation=True)
    return {"loss/generator": loss, "gradient_norm/toy": tf.abs(gradients[0]), "psnr/result": tf.constant(np.inf)}


def test_traced_over_replicas_a_nan_of_one_changes_neither(two_devices):
  with two_devices.scope():
    toy = _Toy(optimizers.Adam(0.5))
  variables = [toy.weight, *toy.optimizer.variables]
  train_step = skip_nonfinite(toy, two_devices, variables, jit_compile=False)
  shared = lambda values: next(
    iter(two_devices.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices({"x": values}).batch(2)))
  )
  run = lambda values: float(train_step(shared(values), tf.constant(0.0))[SKIPPED])
  assert run([1.0, 2.0]) == 0
  before = _copies(two_devices, variables)
  assert run([1.0, np.nan]) == 1
  np.testing.assert_array_equal(before, _copies(two_devices, variables))
  assert run([1.0, 2.0]) == 0 and not np.array_equal(before, _copies(two_devices, variables))


@pytest.mark.parametrize("name", devices.PRECISIONS)
def test_compiled_and_with_a_loss_scale_that_learns_from_overflows(name):
  """An infinite PSNR is no fault; a gradient that only overflows when scaled is."""
  adam = optimizers.Adam(0.5)
  toy = _Toy(mixed_precision.LossScaleOptimizer(adam) if name == devices.FLOAT16 else adam)
  variables = [toy.weight, *toy.optimizer.variables]
  train_step = skip_nonfinite(toy, tf.distribute.get_strategy(), variables, jit_compile=False)
  run = lambda value: float(train_step({"x": tf.constant([value])}, tf.constant(0.0))[SKIPPED])
  assert run(1.0) == 0 and toy.weight.numpy() == pytest.approx(1.5, rel=1e-4)
  assert not _is_compiled(train_step, {"x": tf.constant([1.0])})
  before = [variable.numpy() for variable in variables]
  scales = loss_scales(toy.optimizer)
  assert run(np.inf) == 1 and run(np.nan) == 1
  for variable, former in zip(variables, before):
    np.testing.assert_array_equal(variable.numpy(), former)
  overflow = 3e38 / 100
  assert run(overflow) == (1 if name == devices.FLOAT16 else 0)
  assert loss_scales(toy.optimizer) == [scale / 8 for scale in scales]
  assert bool(scales) == (name == devices.FLOAT16)

"""Against float64's formula and its automatic gradient."""

import numpy as np
import pytest
import tensorflow as tf

from tests import battery
from tests.training import stand_ins
from z2i_tf.keras_api import keras
from z2i_tf.layers.batch_norm import SynchronizedBatchNorm

_MOMENTUM, _EPSILON = 0.9, 1e-3


def _case(batch=4, channels=5):
  rng = np.random.default_rng(0)
  x = rng.normal(1.5, 2.0, (batch, 6, 7, channels)).astype(np.float32)
  weights = [rng.uniform(0.5, 2.0, channels).astype(np.float32) for _ in range(4)]
  return x, weights, rng.normal(size=x.shape).astype(np.float32)


def _run(strategy, layer_class, x, weights, d_outputs, **kwargs):
  """Outputs, gradients of inputs, gamma and beta, and the weights afterwards, of a training call."""
  with strategy.scope():
    layer = layer_class(momentum=_MOMENTUM, epsilon=_EPSILON, **kwargs)
    layer.build([None, None, None, x.shape[-1]])
    layer.set_weights(weights)

  @tf.function
  def call(x, d_outputs):
    with tf.GradientTape() as tape:
      tape.watch(x)
      outputs = layer(x, training=True)
    return [outputs] + tape.gradient(outputs, [x, layer.gamma, layer.beta], d_outputs)

  dataset = tf.data.Dataset.from_tensor_slices((x, d_outputs)).batch(len(x))
  results = strategy.run(call, args=next(iter(strategy.experimental_distribute_dataset(dataset))))
  outputs, d_x, d_gamma, d_beta = (strategy.experimental_local_results(result) for result in results)
  return {
    "outputs": np.concatenate(outputs),
    "d_x": np.concatenate(d_x),
    "d_gamma": sum(np.array(d_gamma)),
    "d_beta": sum(np.array(d_beta)),
    "weights": np.array(layer.get_weights()),
  }


def test_battery():
  assert battery.check_layer(SynchronizedBatchNorm(), _case()[0]).shape == (4, 6, 7, 5)


@pytest.mark.parametrize("replicas", [1, 2])
def test_values_gradients_and_moving_statistics_are_those_of_the_formula(replicas, two_devices):
  x, weights, d_outputs = _case()
  x[:2] += 3.0  # The replicas' own means differ.
  strategy = two_devices if replicas == 2 else tf.distribute.get_strategy()
  ours = _run(strategy, SynchronizedBatchNorm, x, weights, d_outputs)
  gamma, beta, moving_mean, moving_variance = (tf.constant(weight, tf.float64) for weight in weights)
  wide = tf.constant(x, tf.float64)
  with tf.GradientTape() as tape:
    tape.watch([wide, gamma, beta])
    mean, variance = tf.nn.moments(wide, [0, 1, 2])
    outputs = (wide - mean) / tf.sqrt(variance + _EPSILON) * gamma + beta
  expected = dict(
    zip(("d_x", "d_gamma", "d_beta"), tape.gradient(outputs, [wide, gamma, beta], tf.constant(d_outputs, tf.float64)))
  )
  expected["outputs"] = outputs
  expected["weights"] = [
    gamma,
    beta,
    _MOMENTUM * moving_mean + (1 - _MOMENTUM) * mean,
    _MOMENTUM * moving_variance + (1 - _MOMENTUM) * variance,
  ]
  for name, value in expected.items():
    np.testing.assert_allclose(ours[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_outside_training_the_moving_statistics_count_and_stay():
  x, weights, _ = _case()
  layer = SynchronizedBatchNorm(epsilon=_EPSILON)
  layer.build(x.shape)
  layer.set_weights(weights)
  gamma, beta, mean, variance = weights
  expected = (x - mean) / np.sqrt(variance + _EPSILON) * gamma + beta
  np.testing.assert_allclose(layer(x, training=False), expected, rtol=1e-4, atol=1e-5)
  layer.trainable = False
  np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(layer.get_weights(), weights)


@pytest.mark.parametrize("policy, tolerance", [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)])
def test_statistics_of_short_floats_are_float32(policy, tolerance):
  # 4096 positions around 200: a sum in float16 overflows, and bfloat16 loses the deviation.
  x = np.random.default_rng(0).normal(200.0, 10.0, (1, 64, 64, 2)).astype(np.float32)
  layer = SynchronizedBatchNorm(dtype=keras.mixed_precision.Policy(policy), momentum=0.0)
  with tf.GradientTape() as tape:
    outputs = layer(x, training=True)
    loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
  assert outputs.dtype == layer.compute_dtype and layer.moving_mean.dtype == tf.float32
  rounded = tf.cast(tf.cast(x, outputs.dtype), tf.float32)
  np.testing.assert_allclose(layer.moving_mean, np.mean(rounded, axis=(0, 1, 2)), rtol=1e-5)
  np.testing.assert_allclose(layer.moving_variance, np.var(rounded, axis=(0, 1, 2)), rtol=1e-2)
  np.testing.assert_allclose(np.std(outputs.numpy().astype(np.float32), axis=(0, 1, 2)), 1.0, rtol=tolerance)
  for gradient in tape.gradient(loss, layer.trainable_variables):
    assert gradient.dtype == tf.float32 and np.isfinite(gradient).all()


def test_compiles():
  x, weights, d_outputs = _case()
  layer = SynchronizedBatchNorm(epsilon=_EPSILON)
  layer.build(x.shape)

  def gradient(x):
    with tf.GradientTape() as tape:
      tape.watch(x)
      outputs = layer(x, training=True)
    return tape.gradient(outputs, x, d_outputs)

  layer.set_weights(weights)
  with stand_ins.eagerly():
    expected = gradient(tf.constant(x))
  np.testing.assert_allclose(tf.function(gradient, jit_compile=True)(tf.constant(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_with_frozen_statistics_training_is_inference_and_trains_gamma_and_beta(policy):
  x, weights, d_outputs = _case()
  layer = SynchronizedBatchNorm(epsilon=_EPSILON, dtype=policy)
  layer.build([None, None, None, x.shape[-1]])
  layer.set_weights(weights)
  layer.statistics_are_frozen = True
  x = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    outputs = layer(x, training=True)
  assert outputs.dtype == layer.compute_dtype
  np.testing.assert_array_equal(outputs, layer(x, training=False))
  d_x, d_gamma, d_beta = tape.gradient(outputs, [x, layer.gamma, layer.beta], tf.cast(d_outputs, outputs.dtype))
  tolerance = 1e-5 if policy == "float32" else 0.05
  gamma, _, mean, variance = weights
  np.testing.assert_allclose(d_x, d_outputs * gamma / np.sqrt(variance + _EPSILON), rtol=tolerance, atol=tolerance)
  x = x.numpy()
  np.testing.assert_allclose(d_beta, d_outputs.sum((0, 1, 2)), rtol=tolerance, atol=tolerance * x.size**0.5)
  np.testing.assert_allclose(
    d_gamma,
    (d_outputs * (x - mean) / np.sqrt(variance + _EPSILON)).sum((0, 1, 2)),
    rtol=tolerance,
    atol=tolerance * x.size**0.5,
  )
  np.testing.assert_array_equal(layer.get_weights()[2:], weights[2:])


def test_with_frozen_statistics_two_replicas_do_what_one_does(two_devices):
  def frozen(**kwargs):
    layer = SynchronizedBatchNorm(**kwargs)
    layer.statistics_are_frozen = True
    return layer

  x, weights, d_outputs = _case()
  x[:2] += 3.0  # Each replica's own statistics would be others than those of both.
  alone, shared = (
    _run(strategy, frozen, x, weights, d_outputs) for strategy in (tf.distribute.get_strategy(), two_devices)
  )
  for name, value in alone.items():
    np.testing.assert_allclose(shared[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
  np.testing.assert_array_equal(shared["weights"], weights)

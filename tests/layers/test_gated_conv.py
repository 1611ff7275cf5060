import numpy as np
import pytest
import tensorflow as tf

from tests import battery
from z2i_tf.layers.gated_conv import GatedConv2D


def test_battery():
  inputs = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)
  assert battery.check_layer(GatedConv2D(8, dilation_rate=2), inputs).shape == (2, 7, 5, 4)


def test_is_elu_of_the_first_half_times_sigmoid_of_the_second():
  layer = GatedConv2D(4)
  layer.build([None, None, None, 1])
  kernel = np.zeros((3, 3, 1, 4), np.float32)
  kernel[1, 1, 0] = [1.0, -1.0, 0.0, 2.0]  # The centre tap alone: a pointwise map.
  layer.set_weights([kernel, np.array([0.0, 0.0, 0.5, 0.0], np.float32)])
  value = 0.75
  expected = [value / (1 + np.exp(-0.5)), np.expm1(-value) / (1 + np.exp(-2 * value))]
  np.testing.assert_allclose(layer(np.full((1, 1, 1, 1), value, np.float32))[0, 0, 0], expected, rtol=1e-6)


def test_odd_filters_are_refused():
  with pytest.raises(ValueError, match="filters=5"):
    GatedConv2D(5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_of_16_bits_the_gate_is_that_of_float32(policy):
  """Rounded once, to the type that the layer computes in, not after each of its operations."""
  layer = GatedConv2D(8, dtype=policy)
  inputs = tf.cast(np.random.default_rng(0).normal(size=(2, 32, 32, 3)), layer.compute_dtype)
  outputs = layer(inputs)
  features, gates = np.split(layer.conv(inputs).numpy().astype(np.float64), 2, axis=-1)
  gated = np.where(features > 0, features, np.expm1(features)) / (1 + np.exp(-gates))
  assert outputs.dtype == layer.compute_dtype
  once = tf.cast(tf.cast(gated, tf.float32), layer.compute_dtype)
  assert np.mean(once.numpy() == outputs.numpy()) > 0.999  # But for ties.

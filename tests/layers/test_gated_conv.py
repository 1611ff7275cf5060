import numpy as np
import pytest

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

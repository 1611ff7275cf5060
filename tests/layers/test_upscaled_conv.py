import numpy as np
import pytest
import tensorflow as tf

from tests import battery
from z2i_tf import image_ops
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.layers.upscaled_conv import conv_of_upscaled


def test_values_and_gradients_are_those_of_enlarging_first():
  rng = np.random.default_rng(0)
  image, kernel = (tf.constant(rng.normal(size=shape)) for shape in ((2, 5, 4, 3), (3, 3, 3, 6)))  # float64
  d_result = rng.normal(size=(2, 10, 8, 6))
  with tf.GradientTape(persistent=True) as tape:
    tape.watch([image, kernel])
    result = conv_of_upscaled(image, kernel)
    expected = tf.nn.conv2d(image_ops.upscale_nearest(image, 2), kernel, 1, "SAME")
  np.testing.assert_allclose(result, expected, rtol=1e-10)
  for ours, theirs in zip(
    tape.gradient(result, [image, kernel], d_result), tape.gradient(expected, [image, kernel], d_result)
  ):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_gated_battery():
  inputs = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)
  layer = GatedConv2D(8, upscaled=True)
  output = battery.check_layer(layer, inputs)
  assert output.shape == (2, 14, 10, 4)
  plain = GatedConv2D(8)
  plain.build(inputs.shape)
  plain.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in plain.get_weights()])
  layer.set_weights(plain.get_weights())  # A bias that is not zero.
  np.testing.assert_allclose(layer(inputs), plain(image_ops.upscale_nearest(inputs, 2)), rtol=1e-4, atol=1e-5)


def test_a_dilated_convolution_of_enlarged_inputs_is_refused():
  with pytest.raises(ValueError, match="dilation_rate=2"):
    GatedConv2D(8, dilation_rate=2, upscaled=True)

"""Gated convolution: multiplies features by a learned soft mask (Yu et al. 2019, arXiv:1806.03589)."""

from typing import Any

import tensorflow as tf

from z2i_tf.keras_api import layers
from z2i_tf.layers.upscaled_conv import conv_of_upscaled

_KERNEL_SIZE = 3


class GatedConv2D(layers.Layer):
  """A 'same' 3x3 convolution whose output channels are half features, half gates.

  The convolution returns `filters` channels, split in halves a and g. The result is elu(a) * sigmoid(g), computed in
  float32 (our own decision) and returned in the layer's type.

  Call arguments:
    inputs: (B, H, W, C).
  Returns: (B, H, W, filters / 2); (B, 2H, 2W, filters / 2) if `upscaled`.
  """

  def __init__(self, filters: int, dilation_rate: int = 1, upscaled: bool = False, **kwargs):
    """Creates the layer.

    Args:
      filters: channels of the convolution *before* the split, even.
      dilation_rate: of the convolution.
      upscaled: whether to upscale the inputs by 2 (nearest) before the convolution.
    Raises: ValueError if `filters` is odd, or a dilated convolution is to be upscaled.
    """
    super().__init__(**kwargs)
    if filters % 2:
      raise ValueError(
        f"A gated convolution splits its filters in halves, so their number must be even. Received: filters={filters}"
      )
    if upscaled and dilation_rate != 1:
      raise ValueError(f"An upscaled convolution cannot be dilated. Received: dilation_rate={dilation_rate}")
    self.filters = filters
    self.dilation_rate = dilation_rate
    self.upscaled = upscaled
    self.conv = layers.Conv2D(
      filters, _KERNEL_SIZE, padding="same", dilation_rate=dilation_rate, dtype=self.dtype_policy
    )

  def build(self, input_shape: tf.TensorShape) -> None:
    self.conv.build(input_shape)
    super().build(input_shape)

  def get_config(self) -> dict[str, Any]:
    return {
      **super().get_config(),
      "filters": self.filters,
      "dilation_rate": self.dilation_rate,
      "upscaled": self.upscaled,
    }

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    if self.upscaled:
      convolved = tf.nn.bias_add(conv_of_upscaled(inputs, tf.convert_to_tensor(self.conv.kernel)), self.conv.bias)
    else:
      convolved = self.conv(inputs)
    # In float32 even if the layer computes in 16 bits: on CPUs TensorFlow takes several times as long for these two in
    # bfloat16, more than the convolutions save.
    features, gates = tf.split(tf.cast(convolved, tf.float32), 2, axis=-1)
    return tf.cast(tf.nn.elu(features) * tf.sigmoid(gates), convolved.dtype)

  def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
    batch, *sides, _ = tf.TensorShape(input_shape)
    factor = 2 if self.upscaled else 1
    return tf.TensorShape([batch] + [side and factor * side for side in sides] + [self.filters // 2])

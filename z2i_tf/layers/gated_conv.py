"""Gated convolution: features times a learned soft mask (Yu et al. 2019, arXiv:1806.03589)."""

import tensorflow as tf

from z2i_tf.keras_api import layers

_KERNEL_SIZE = 3


class GatedConv2D(layers.Layer):
  """A 'same' 3x3 convolution whose output channels are half features, half gates.

  The convolution gives `filters` channels (a, g), split in halves; the result is elu(a) * sigmoid(g).

  Call arguments:
    inputs: (B, H, W, C).
  Returns: (B, H, W, filters / 2).
  """

  def __init__(self, filters: int, dilation_rate: int = 1, **kwargs):
    """Creates the layer.

    Args:
      filters: channels of the convolution *before* the split, even.
      dilation_rate: of the convolution.
    Raises: ValueError if `filters` is odd.
    """
    super().__init__(**kwargs)
    if filters % 2:
      raise ValueError(f"A gated convolution splits its filters in halves: an even number is needed. "
                       f"Received: filters={filters}")
    self.filters = filters
    self.dilation_rate = dilation_rate
    self.conv = layers.Conv2D(
        filters, _KERNEL_SIZE, padding="same", dilation_rate=dilation_rate, dtype=self.dtype_policy)

  def build(self, input_shape):
    self.conv.build(input_shape)
    super().build(input_shape)

  def get_config(self):
    return {**super().get_config(), "filters": self.filters, "dilation_rate": self.dilation_rate}

  def call(self, inputs):
    features, gates = tf.split(self.conv(inputs), 2, axis=-1)
    return tf.nn.elu(features) * tf.sigmoid(gates)

  def compute_output_shape(self, input_shape):
    return tf.TensorShape(self.conv.compute_output_shape(input_shape)[:-1] + [self.filters // 2])

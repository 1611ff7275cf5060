"""Gated convolution: multiplies features by a learned soft mask (Yu et al. 2019, arXiv:1806.03589)."""

from typing import Any

import tensorflow as tf

from z2i_tf.keras_api import layers
from z2i_tf.layers.upscaled_conv import conv_of_upscaled

_KERNEL_SIZE = 3
_ACTIVATIONS = {"elu": tf.nn.elu, "relu": tf.nn.relu}


class GatedConv2D(layers.Layer):
  """A 'same' convolution whose output channels are half features, half gates.

  The convolution returns `filters` channels, split in halves a and g. The result is activation(a) * sigmoid(g). It is
  computed in float32 (our own decision) and returned in the layer's type.

  Call arguments:
    inputs: (B, H, W, C).
  Returns: (B, ceil(H / strides), ceil(W / strides), filters / 2); (B, 2H, 2W, filters / 2) if `upscaled`.
  """

  def __init__(
    self,
    filters: int,
    dilation_rate: int = 1,
    upscaled: bool = False,
    kernel_size: int = _KERNEL_SIZE,
    strides: int = 1,
    activation: str = "elu",
    **kwargs,
  ):
    """Creates the layer.

    Args:
      filters: channels of the convolution *before* the split, even.
      dilation_rate: of the convolution.
      upscaled: whether to upscale the inputs by 2 (nearest) before the convolution.
      kernel_size: side of the kernel, pixels.
      strides: of the convolution, pixels.
      activation: of the features, "elu" or "relu".
    Raises: ValueError if `filters` is odd, `activation` is unknown, or `upscaled` is combined with dilation, strides or
      a kernel other than 3x3.
    """
    super().__init__(**kwargs)
    if filters % 2:
      raise ValueError(
        f"A gated convolution splits its filters in halves, so their number must be even. Received: filters={filters}"
      )
    if upscaled and dilation_rate != 1:
      raise ValueError(f"An upscaled convolution cannot be dilated. Received: dilation_rate={dilation_rate}")
    if upscaled and (kernel_size, strides) != (_KERNEL_SIZE, 1):
      raise ValueError(
        f"An upscaled convolution is 3x3 without strides. Received: kernel_size={kernel_size}, strides={strides}"
      )
    if activation not in _ACTIVATIONS:
      raise ValueError(f"The activation is one of {', '.join(_ACTIVATIONS)}. Received: activation={activation!r}")
    self.filters = filters
    self.dilation_rate = dilation_rate
    self.upscaled = upscaled
    self.kernel_size = kernel_size
    self.strides = strides
    self.activation = activation
    self.conv = layers.Conv2D(
      filters, kernel_size, strides, padding="same", dilation_rate=dilation_rate, dtype=self.dtype_policy
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
      "kernel_size": self.kernel_size,
      "strides": self.strides,
      "activation": self.activation,
    }

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    if self.upscaled:
      convolved = tf.nn.bias_add(conv_of_upscaled(inputs, tf.convert_to_tensor(self.conv.kernel)), self.conv.bias)
    else:
      convolved = self.conv(inputs)
    # In float32 even if the layer computes in 16 bits: on CPUs TensorFlow takes several times as long for these two in
    # bfloat16, more than the convolutions save.
    features, gates = tf.split(tf.cast(convolved, tf.float32), 2, axis=-1)
    return tf.cast(_ACTIVATIONS[self.activation](features) * tf.sigmoid(gates), convolved.dtype)

  def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
    batch, *sides, _ = tf.TensorShape(input_shape)
    factor = 2 if self.upscaled else 1
    return tf.TensorShape(
      [batch] + [side and -(-factor * side // self.strides) for side in sides] + [self.filters // 2]
    )

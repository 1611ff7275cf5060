"""Spectral normalisation of a layer's kernel (Miyato et al. 2018, arXiv:1802.05957).

tensorflow_addons' wrapper reproduces the recorded outputs and gradients of the original networks. It is used with
TensorFlow 2.15. With later versions the class below is used, with the same interface, variables and values.
"""

from typing import Any
import warnings

import tensorflow as tf

from z2i_tf.keras_api import initializers
from z2i_tf.keras_api import is_bundled_with_tensorflow
from z2i_tf.keras_api import layers

_DEVIATION = 0.02  # Of the initial vector.


class SpectralNormalization(layers.Wrapper):
  """Divides a layer's kernel by an estimate of its largest singular value, in training only.

  1. The kernel is reshaped to a matrix W whose columns are the kernel's last axis (C channels).
  2. Power iteration: v = unit vector along W u, then u = unit vector along W^T v.
  3. The estimate is v^T W u. The kernel is divided by it *in place*, and u is kept for the next call.

  The gradient is that of the wrapped layer at the divided kernel; none flows through the estimate. Outside training
  nothing changes.

  Call arguments:
    inputs: of the wrapped layer.
    training: whether to update the kernel and u first.
  Returns: the wrapped layer's output.
  """

  def __init__(self, layer: layers.Layer, power_iterations: int = 1, **kwargs):
    """Wraps a layer.

    Args:
      layer: has a `kernel` once it is built.
      power_iterations: per call in training.
    Raises: ValueError if `power_iterations` is below 1.
    """
    super().__init__(layer, **kwargs)
    if power_iterations < 1:
      raise ValueError(f"At least one power iteration is needed. Received: power_iterations={power_iterations}")
    self.power_iterations = power_iterations

  def build(self, input_shape: tf.TensorShape) -> None:
    super().build(input_shape)
    self.w = self.layer.kernel
    self.u = self.add_weight(
      name="sn_u",
      shape=(1, self.w.shape[-1]),
      dtype=self.w.dtype,
      trainable=False,
      initializer=initializers.TruncatedNormal(stddev=_DEVIATION),
    )

  def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
    if training:
      self.normalize_weights()
    return self.layer(inputs)

  def normalize_weights(self) -> None:
    """Runs the power iteration: divides the kernel in place and updates `u`."""
    matrix = tf.reshape(self.w, [-1, self.w.shape[-1]])
    u = tf.convert_to_tensor(self.u)
    for _ in range(self.power_iterations):
      v = tf.math.l2_normalize(tf.matmul(u, matrix, transpose_b=True))
      u = tf.math.l2_normalize(tf.matmul(v, matrix))
    largest = tf.matmul(tf.matmul(v, matrix), u, transpose_b=True)
    self.u.assign(u)
    self.w.assign(self.w / tf.squeeze(largest))

  def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
    return self.layer.compute_output_shape(input_shape)

  def get_config(self) -> dict[str, Any]:
    return {**super().get_config(), "power_iterations": self.power_iterations}


def _wrapper_class():
  if not is_bundled_with_tensorflow:
    return SpectralNormalization
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # The package announces its end of life on every import.
    import tensorflow_addons
  return tensorflow_addons.layers.SpectralNormalization


def spectral_norm(layer: layers.Layer) -> layers.Layer:
  """Wraps a layer that has a `kernel`; adds the variable `u`, (1, channels), drawn from a truncated normal of 0.02."""
  return _wrapper_class()(layer, name=layer.name)

"""The networks' layers as inference computes them: the same values with fewer passes over memory.

* A gated convolution is two convolutions, of features and of gates, so that TensorFlow fuses the activation into each.
* A batch norm is one scale and one shift per channel. It follows the gate, so it does not fold into its own convolution,
  and the zero padding forbids folding the shift into the next.
* The convolution of an enlarged image is four 2x2 convolutions of the image itself, one per parity of row and column.

All are modules of variables and plain TensorFlow operations: what is exported needs nothing else.
"""

from typing import List, Mapping

import numpy as np
import tensorflow as tf

# The fraction of a 2x2 block's rows (or columns): which of the 3x3 kernel's rows meet the same input row.
_TAPS_BY_PARITY = {0: ((0,), (1, 2)), 1: ((0, 1), (2,))}


class Conv(tf.Module):
  """A 'same' 3x3 convolution with bias, and ReLU if asked for: (B, H, W, C) -> (B, H, W, filters)."""

  def __init__(self, kernel: np.ndarray, bias: np.ndarray, dtype: tf.DType, relu: bool = False):
    super().__init__()
    self._kernel = _constant(kernel, dtype)
    self._bias = _constant(bias, dtype)
    self._relu = relu

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.bias_add(tf.nn.conv2d(tf.cast(x, self._kernel.dtype), self._kernel, 1, "SAME"), self._bias)
    return tf.nn.relu(x) if self._relu else x


class GatedBlock(tf.Module):
  """Gated conv + batch norm with the moving statistics: (B, H, W, C) -> (B, H, W, filters / 2)."""

  def __init__(self, weights: Mapping[str, np.ndarray], dtype: tf.DType, epsilon: float, dilation_rate: int = 1):
    """Takes `kernel`, `bias`, `gamma`, `beta`, `mean` and `var`; computes in `dtype`, the batch norm's `epsilon` inside."""
    super().__init__()
    self._halves = [(_constant(kernel, dtype), _constant(bias, dtype))
                    for kernel, bias in zip(*(np.split(weights[name], 2, axis=-1) for name in ("kernel", "bias")))]
    self._scale_and_shift = _ScaleAndShift(weights, dtype, epsilon)
    self._dilation_rate = dilation_rate

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    features, gates = (
        tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME", dilations=self._dilation_rate), bias)
        for kernel, bias in self._halves)
    return self._scale_and_shift(tf.nn.elu(features) * tf.sigmoid(gates))


class UpscaledGatedBlock(tf.Module):
  """As `GatedBlock`, of the nearest x2 enlarged input: (B, H, W, C) -> (B, 2H, 2W, filters / 2).

  A pixel of the enlarged image and its neighbours are copies of few pixels: the 3x3 kernel meets a 2x2 square of the
  input, which one depends on the parity of row and column. That takes 4 multiplications where the convolution of the
  enlarged image takes 9.
  """

  def __init__(self, weights: Mapping[str, np.ndarray], dtype: tf.DType, epsilon: float):
    super().__init__()
    features, gates = np.split(weights["kernel"], 2, axis=-1)
    self._kernels = [[[_constant(_merged(kernel, row, column), dtype) for kernel in (features, gates)]
                      for column in (0, 1)] for row in (0, 1)]
    self._biases = [_constant(bias, dtype) for bias in np.split(weights["bias"], 2)]
    self._scale_and_shift = _ScaleAndShift(weights, dtype, epsilon)

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    batch, height, width = tf.unstack(tf.shape(x)[:3])
    rows = [tf.stack([self._quarter(x, row, column) for column in (0, 1)], axis=3) for row in (0, 1)]
    interleaved = tf.stack(rows, axis=2)  # (B, H, 2, W, 2, C)
    return tf.reshape(interleaved, [batch, 2 * height, 2 * width, interleaved.shape[-1]])

  def _quarter(self, x, row, column):
    """Pixels of one parity: (B, H, W, C) -> (B, H, W, filters / 2)."""
    padding = [[0, 0], [1 - row, row], [1 - column, column], [0, 0]]
    features, gates = (tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, padding), bias)
                       for kernel, bias in zip(self._kernels[row][column], self._biases))
    return self._scale_and_shift(tf.nn.elu(features) * tf.sigmoid(gates))


class ResidualLevel(tf.Module):
  """A block, then further ones with a skip connection around them."""

  def __init__(self, layers: List[tf.Module]):
    super().__init__()
    self._layers = layers

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = skipped = self._layers[0](x)
    for layer in self._layers[1:]:
      x = layer(x)
    return x + skipped


class _ScaleAndShift(tf.Module):

  def __init__(self, weights, dtype, epsilon):
    super().__init__()
    scale = weights["gamma"] / np.sqrt(weights["var"] + epsilon)
    self._scale = _constant(scale, dtype)
    self._shift = _constant(weights["beta"] - weights["mean"] * scale, dtype)

  def __call__(self, x):
    return x * self._scale + self._shift


def _merged(kernel, row, column):
  """(3, 3, C, D) -> (2, 2, C, D): sums of the taps that meet the same pixel of the input."""
  return np.stack([np.stack([kernel[np.ix_(ys, xs)].sum(axis=(0, 1)) for xs in _TAPS_BY_PARITY[column]])
                   for ys in _TAPS_BY_PARITY[row]])


def _constant(array, dtype):
  return tf.Variable(tf.cast(array, dtype), trainable=False)

"""Computes the networks' layers for inference: the same values with fewer passes over memory.

* A gated convolution is two convolutions, of features and of gates, so TensorFlow fuses the activation into each.
* A batch norm is one scale and one shift per channel. It follows the gate, so it does not fold into its own
  convolution. The zero padding forbids folding the shift into the next.
* The convolution of an upscaled image is four 2x2 convolutions of the image itself, one per parity of row and column.

Each layer evaluates whole images, or the neighbourhoods of listed pixels (see `sparse`). All layers are modules of
variables and plain TensorFlow operations, so an export needs nothing else.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from z2i_tf.inference.fast import sparse
from z2i_tf.models.architecture import BATCH_NORM_EPSILON

Weights = Mapping[str, np.ndarray]  # "kernel", "bias" and, of a gated convolution, "gamma", "beta", "mean", "var".

# An output row of even (odd) number depends on two input rows. For each of the two: the rows of the 3x3 kernel that
# meet it. The same holds for columns.
_TAPS_BY_PARITY = (((0,), (1, 2)), ((0, 1), (2,)))
_PARITIES = tuple((row, column) for row in (0, 1) for column in (0, 1))


class Conv(tf.Module):
  """A 'same' 3x3 convolution with bias and an optional ReLU: (B, H, W, C) -> (B, H, W, filters)."""

  def __init__(self, weights: Weights, dtype: tf.DType, relu: bool = False):
    super().__init__()
    self.dtype = dtype
    self._kernel = _constant(weights["kernel"], dtype)
    self._bias = _constant(weights["bias"], dtype)
    self._relu = relu

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.bias_add(tf.nn.conv2d(tf.cast(x, self.dtype), self._kernel, 1, "SAME"), self._bias)
    return tf.nn.relu(x) if self._relu else x

  def at_pixels(self, values: tf.Tensor, table: tf.Tensor, max_rows: tf.Tensor | None) -> tf.Tensor:
    """Evaluates listed pixels, (n, C) -> (n, filters), without ReLU; arguments as `sparse.convolve`."""
    return sparse.convolve(lambda rows: tf.matmul(rows, _matrix([self._kernel])) + self._bias, values, table, max_rows)


class _Gated(tf.Module):
  """The two halves of a gated convolution's biases, and the batch norm that follows."""

  def __init__(self, weights: Weights, dtype: tf.DType):
    super().__init__()
    self._biases = [_constant(bias, dtype) for bias in np.split(weights["bias"], 2)]
    scale = weights["gamma"] / np.sqrt(weights["var"] + BATCH_NORM_EPSILON)
    self._scale = _constant(scale, dtype)
    self._shift = _constant(weights["beta"] - weights["mean"] * scale, dtype)

  def _convolved(self, x, kernels, padding, dilation_rate=1):
    features, gates = (
      tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, padding, dilations=dilation_rate), bias)
      for kernel, bias in zip(kernels, self._biases)
    )
    return self._gated(features, gates)

  def _multiplied(self, rows, kernels):
    """(n, taps * C) -> (n, filters / 2)."""
    both = tf.matmul(rows, _matrix(kernels)) + tf.concat(self._biases, axis=0)
    return self._gated(*tf.split(both, 2, axis=-1))

  def _gated(self, features, gates):
    return tf.nn.elu(features) * tf.sigmoid(gates) * self._scale + self._shift


class GatedBlock(_Gated):
  """A gated 3x3 convolution and a batch norm by its moving statistics: (B, H, W, C) -> (B, H, W, filters / 2)."""

  def __init__(self, weights: Weights, dtype: tf.DType, dilation_rate: int = 1):
    super().__init__(weights, dtype)
    self._kernels = [_constant(kernel, dtype) for kernel in np.split(weights["kernel"], 2, axis=-1)]
    self._dilation_rate = dilation_rate

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    return self._convolved(x, self._kernels, "SAME", self._dilation_rate)

  def at_pixels(self, values: tf.Tensor, table: tf.Tensor, max_rows: tf.Tensor | None) -> tf.Tensor:
    """Evaluates listed pixels, (n, C) -> (n, filters / 2), without dilation; arguments as `sparse.convolve`."""
    return sparse.convolve(lambda rows: self._multiplied(rows, self._kernels), values, table, max_rows)


class UpscaledGatedBlock(_Gated):
  """A `GatedBlock` of the input upscaled by 2 (nearest): (B, H, W, C) -> (B, 2H, 2W, filters / 2).

  A pixel of the upscaled image and its neighbours are copies of at most four input pixels: the 3x3 kernel meets a 2x2
  square of the input. The parity of row and column selects the square. This takes 4 multiplications where the
  convolution of the upscaled image takes 9.
  """

  def __init__(self, weights: Weights, dtype: tf.DType):
    super().__init__(weights, dtype)
    halves = np.split(weights["kernel"], 2, axis=-1)
    self._kernels = [[_constant(_merged(half, *parity), dtype) for half in halves] for parity in _PARITIES]

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    batch, height, width = tf.unstack(tf.shape(x)[:3])
    quarters = [
      self._convolved(x, kernels, [[0, 0], [1 - row, row], [1 - column, column], [0, 0]])
      for kernels, (row, column) in zip(self._kernels, _PARITIES)
    ]
    rows = [tf.stack(quarters[:2], axis=3), tf.stack(quarters[2:], axis=3)]
    interleaved = tf.stack(rows, axis=2)  # (B, H, 2, W, 2, C)
    return tf.reshape(interleaved, [batch, 2 * height, 2 * width, interleaved.shape[-1]])

  def at_cells(self, image: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Evaluates the four pixels of listed input pixels: (B, H, W, C), (n, 3) -> (n, 4, filters / 2), row by row."""
    quarters = []
    for kernels, (row, column) in zip(self._kernels, _PARITIES):
      offsets = [(y + row - 1, x + column - 1) for y, x in _PARITIES]
      quarters.append(self._multiplied(sparse.gather_dense(image, cells, offsets), kernels))
    return tf.stack(quarters, axis=1)


class EncoderLevel(tf.Module):
  """Gated blocks with a skip connection around all but the first, then an optional 2x2 max-pooling."""

  def __init__(self, layers: list[GatedBlock], is_halved: bool):
    super().__init__()
    self._layers = layers
    self._is_halved = is_halved

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = skipped = self._layers[0](x)
    for layer in self._layers[1:]:
      x = layer(x)
    x += skipped
    return tf.nn.max_pool2d(x, 2, 2, "VALID") if self._is_halved else x


class DecoderLevel(tf.Module):
  """Gated blocks, of which the first upscales, with a skip connection around the others."""

  def __init__(self, upscaled: UpscaledGatedBlock, layers: list[GatedBlock], last: Conv | None = None):
    """Takes the blocks and, of a network's last level, the last convolution of the network."""
    super().__init__()
    self._upscaled = upscaled
    self._layers = layers
    self._last = last

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = skipped = self._upscaled(x)
    for layer in self._layers:
      x = layer(x)
    x += skipped
    return self._last(x) if self._last else x

  def at_cells(self, image: tf.Tensor, needed: tf.Tensor, max_rows: tf.Tensor | None) -> tf.Tensor:
    """Evaluates the level at listed pixels.

    Args:
      image: (B, H, W, C), correct at the needed pixels and their neighbours.
      needed: (B, H, W, 1), 1 where the four output pixels of an input pixel are computed.
      max_rows: as `sparse.convolve`.
    Returns: (B, 2H, 2W, channels), 0 elsewhere. Each convolution after the first makes one more pixel wrong, counted
      inwards from the border of the needed area.
    """
    shape = tf.shape(image)[:3]
    cells = sparse.listed(needed)
    x = self._upscaled.at_cells(image, cells)
    channels = x.shape[-1]
    x = skipped = tf.reshape(x, [-1, channels])
    pixels = tf.reshape((cells * [1, 2, 2])[:, tf.newaxis] + [(0, *parity) for parity in _PARITIES], [-1, 3])
    shape *= [1, 2, 2]
    table = sparse.neighbours(pixels, shape)
    for layer in self._layers:
      x = layer.at_pixels(x, table, max_rows)
    x += skipped
    if self._last:
      x = self._last.at_pixels(tf.cast(x, self._last.dtype), table, max_rows)
    return sparse.scatter(x, pixels, shape)


def _merged(kernel, row, column):
  """Sums the taps that meet the same input pixel: (3, 3, C, D) -> (2, 2, C, D)."""
  return np.stack(
    [
      np.stack([kernel[np.ix_(ys, xs)].sum(axis=(0, 1)) for xs in _TAPS_BY_PARITY[column]])
      for ys in _TAPS_BY_PARITY[row]
    ]
  )


def _matrix(kernels):
  """Returns kernels (k, k, C, D), side by side, as one matrix (k * k * C, sum of the D)."""
  kernel = tf.concat(kernels, axis=-1)
  height, width, channels, filters = kernel.shape
  return tf.reshape(kernel, [height * width * channels, filters])


def _constant(array, dtype):
  return tf.Variable(tf.cast(array, dtype), trainable=False)

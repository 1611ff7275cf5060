"""The networks' layers as inference computes them: the same values with fewer passes over memory.

* A gated convolution is two convolutions, of features and of gates, so that TensorFlow fuses the activation into each.
* A batch norm is one scale and one shift per channel. It follows the gate, so it does not fold into its own
  convolution, and the zero padding forbids folding the shift into the next.
* The convolution of an enlarged image is four 2x2 convolutions of the image itself, one per parity of row and column.

Each layer evaluates whole images, or neighbourhoods of listed pixels (see `sparse`). All are modules of variables and
plain TensorFlow operations: what is exported needs nothing else.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from z2i_tf.inference.fast import sparse

# Which rows (columns) of a 3x3 kernel meet the first and the second of the two input rows that an output row of even,
# odd number depends on.
_TAPS_BY_PARITY = (((0,), (1, 2)), ((0, 1), (2,)))
_PARITIES = tuple((row, column) for row in (0, 1) for column in (0, 1))


class Conv(tf.Module):
  """A 'same' 3x3 convolution with bias, and ReLU if asked for: (B, H, W, C) -> (B, H, W, filters)."""

  def __init__(self, kernel: np.ndarray, bias: np.ndarray, dtype: tf.DType, relu: bool = False):
    super().__init__()
    self.dtype = dtype
    self._kernel = _constant(kernel, dtype)
    self._bias = _constant(bias, dtype)
    self._relu = relu

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.bias_add(tf.nn.conv2d(tf.cast(x, self.dtype), self._kernel, 1, "SAME"), self._bias)
    return tf.nn.relu(x) if self._relu else x

  def at_pixels(self, values: tf.Tensor, table: tf.Tensor, max_rows: tf.Tensor | None) -> tf.Tensor:
    """Evaluates listed pixels, (n, C) -> (n, filters), without ReLU; arguments as of `sparse.convolve`."""
    return sparse.convolve(lambda rows: tf.matmul(rows, _matrix([self._kernel])) + self._bias, values, table, max_rows)


class _Gated(tf.Module):
  """Halves of a gated convolution's kernels and biases, and the batch norm that follows."""

  def __init__(self, weights: Mapping[str, np.ndarray], dtype: tf.DType, epsilon: float):
    super().__init__()
    self._biases = [_constant(bias, dtype) for bias in np.split(weights["bias"], 2)]
    scale = weights["gamma"] / np.sqrt(weights["var"] + epsilon)
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
  """Gated conv + batch norm with the moving statistics: (B, H, W, C) -> (B, H, W, filters / 2)."""

  def __init__(self, weights: Mapping[str, np.ndarray], dtype: tf.DType, epsilon: float, dilation_rate: int = 1):
    """Takes `kernel`, `bias`, `gamma`, `beta`, `mean`, `var` and the batch norm's epsilon."""
    super().__init__(weights, dtype, epsilon)
    self._kernels = [_constant(kernel, dtype) for kernel in np.split(weights["kernel"], 2, axis=-1)]
    self._dilation_rate = dilation_rate

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    return self._convolved(x, self._kernels, "SAME", self._dilation_rate)

  def at_pixels(self, values: tf.Tensor, table: tf.Tensor, max_rows: tf.Tensor | None) -> tf.Tensor:
    """Evaluates listed pixels, (n, C) -> (n, filters / 2), without dilation; arguments as of `sparse.convolve`."""
    return sparse.convolve(lambda rows: self._multiplied(rows, self._kernels), values, table, max_rows)


class UpscaledGatedBlock(_Gated):
  """As `GatedBlock`, of the nearest x2 enlarged input: (B, H, W, C) -> (B, 2H, 2W, filters / 2).

  A pixel of the enlarged image and its neighbours are copies of few pixels: the 3x3 kernel meets a 2x2 square of the
  input, which one depends on the parity of row and column. That takes 4 multiplications where the convolution of the
  enlarged image takes 9.
  """

  def __init__(self, weights: Mapping[str, np.ndarray], dtype: tf.DType, epsilon: float):
    """As `GatedBlock`."""
    super().__init__(weights, dtype, epsilon)
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
  """A block, then further ones with a skip connection around them."""

  def __init__(self, layers: list[GatedBlock]):
    super().__init__()
    self._layers = layers

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    x = skipped = self._layers[0](x)
    for layer in self._layers[1:]:
      x = layer(x)
    return x + skipped


class DecoderLevel(tf.Module):
  """The same, enlarging first; and perhaps the last convolution of the network after it."""

  def __init__(self, upscaled: UpscaledGatedBlock, layers: list[GatedBlock], last: Conv | None = None):
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
    """Evaluates the level where it is needed.

    Args:
      image: (B, H, W, C), right within one pixel of what is needed.
      needed: (B, H, W, 1), 1 where the four output pixels of an input pixel are computed.
      max_rows: see `sparse.convolve`.
    Returns: (B, 2H, 2W, channels), 0 where it is not needed; wrong within one pixel per convolution of that.
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
  """(3, 3, C, D) -> (2, 2, C, D): sums of the taps that meet the same pixel of the input."""
  return np.stack(
    [
      np.stack([kernel[np.ix_(ys, xs)].sum(axis=(0, 1)) for xs in _TAPS_BY_PARITY[column]])
      for ys in _TAPS_BY_PARITY[row]
    ]
  )


def _matrix(kernels):
  """Kernels (k, k, C, D), side by side, as one matrix (k * k * C, D's sum)."""
  kernel = tf.concat(kernels, axis=-1)
  height, width, channels, filters = kernel.shape
  return tf.reshape(kernel, [height * width * channels, filters])


def _constant(array, dtype):
  return tf.Variable(tf.cast(array, dtype), trainable=False)

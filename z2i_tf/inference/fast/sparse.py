"""Computes convolutions at listed pixels only: the decoders around a hole.

Pixels are rows of a matrix. For each listed pixel a convolution gathers the listed neighbours (0 for the others) into
one long row; then it is one matrix product. A pixel is correct if everything that it depends on is listed or beyond the
image's border; the caller lists enough pixels. Arithmetic grows with the number of listed pixels; the tables of
`neighbours` and `gather_dense` have the size of the image. This is our own decision; the paper evaluates everything.
"""

from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

# Row by row, in the order of a kernel.
_NEIGHBOURHOOD = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1))


def listed(needed: tf.Tensor) -> tf.Tensor:
  """Returns example, row and column of the ones: (B, H, W, 1), 0 or 1 -> (n, 3) int32."""
  return tf.cast(tf.where(needed[..., 0] > 0), tf.int32)


def neighbours(pixels: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
  """Finds the 3x3 neighbours of each listed pixel in the list.

  Args:
    pixels: (n, 3) int32, as `listed` returns them.
    shape: (B, H, W) of their image.
  Returns: (n, 9) int32 row numbers in the list, n where a neighbour is not listed.
  """
  count = tf.shape(pixels)[0]
  numbers = tf.fill(shape + [0, 2, 2], count)
  numbers = tf.tensor_scatter_nd_update(numbers, pixels + [0, 1, 1], tf.range(count))
  return tf.gather(tf.reshape(numbers, [-1]), _bordered_index(pixels, shape, _NEIGHBOURHOOD))


def gather_dense(image: tf.Tensor, pixels: tf.Tensor, offsets: Sequence[tuple[int, int]]) -> tf.Tensor:
  """Gathers the pixels at given offsets from the listed ones, side by side; 0 beyond the border.

  Args:
    image: (B, H, W, C).
    pixels: (n, 3) int32.
    offsets: k pairs of row and column, within -1..1.
  Returns: (n, k * C).
  """
  channels = image.shape[-1]
  bordered = tf.reshape(tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, channels])
  rows = tf.gather(bordered, _bordered_index(pixels, tf.shape(image)[:3], offsets))
  return tf.reshape(rows, [-1, len(offsets) * channels])


def convolve(
  layer: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor, table: tf.Tensor, max_rows: tf.Tensor | None
) -> tf.Tensor:
  """Applies a layer to the neighbourhoods of all listed pixels.

  Args:
    layer: rows of neighbourhoods (m, 9C) -> (m, D), of the same type; m is at most `max_rows`.
    values: (n, C).
    table: (n, 9), as `neighbours` returns it.
    max_rows: maximum number of neighbourhoods in memory at once; int32 scalar. None: all.
  Returns: (n, D).
  """
  channels = values.shape[-1]
  values = tf.pad(values, [[0, 1], [0, 0]])

  def apply(part):
    return layer(tf.reshape(tf.gather(values, part), [-1, len(_NEIGHBOURHOOD) * channels]))

  if max_rows is None:
    return apply(table)
  max_rows = tf.maximum(1, max_rows)
  count = tf.shape(table)[0]
  filters = apply(table[:0]).shape[-1]  # Graphs cannot tell it from a list of parts, and there may be none.
  parts = tf.TensorArray(values.dtype, size=-(-count // max_rows), infer_shape=False, element_shape=[None, filters])
  _, parts = tf.while_loop(
    lambda number, _: number * max_rows < count,
    lambda number, parts: (number + 1, parts.write(number, apply(table[number * max_rows : (number + 1) * max_rows]))),
    [0, parts],
    parallel_iterations=1,
  )
  return tf.ensure_shape(parts.concat(), [None, filters])


def scatter(values: tf.Tensor, pixels: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
  """Writes values (n, C) at `pixels` into an image (B, H, W, C) of zeros; `shape` is (B, H, W)."""
  return tf.scatter_nd(pixels, values, tf.concat([shape, [values.shape[-1]]], axis=0))


def _bordered_index(pixels, shape, offsets):
  """Returns indices (n, k) of the pixels at `offsets` in the flattened image with a border of one pixel."""
  height, width = shape[1] + 2, shape[2] + 2
  centre = (pixels[:, 0] * height + pixels[:, 1] + 1) * width + pixels[:, 2] + 1
  steps = tf.stack([row * width + column for row, column in offsets])
  return centre[:, tf.newaxis] + steps

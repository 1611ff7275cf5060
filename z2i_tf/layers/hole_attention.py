"""Contextual attention for the positions of a hole alone, in bounded memory, for inference.

It returns the values of `ContextualAttention` up to rounding. Known positions pass through that layer unchanged, so
this function computes only the rows of the score matrix that the hole needs, a chunk at a time. A query is needed where
its `rate` x `rate` block has a hole position. Its propagated scores need those of its neighbours in both orders: the
rows of up to nine queries, most of which nearby queries share.

Measured on 2 CPU cores, features of 128x128 with 128 channels (a 256x256 image at scale 2), minima of 4 alternating
runs: `ContextualAttention` takes 29 times as long for a hole of 5% and 2.0 times as long for 25%; the textbook form
with patches as tensors takes 34 and 4.1 times as long.
"""

import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.layers import contextual_attention

# Propagation adds three scores: those of the previous, the same and the next position.
_STEPS = (-1, 0, 1)
_MAX_ROWS_PER_QUERY = len(_STEPS) ** 2
_BLOCK_SIDE = 8


def attend_hole(
  features: tf.Tensor, mask: tf.Tensor, max_scores: tf.Tensor, rate: int = 2, softmax_scale: float = 10.0
) -> tuple[tf.Tensor, tf.Tensor]:
  """Rebuilds the features inside the hole from those outside, like `ContextualAttention`.

  Args:
    features: (B, H, W, C), float32; H and W divisible by `rate`.
    mask: (B, H, W, 1), 1 = hole, 0 = known.
    max_scores: int32 scalar; maximum number of elements of the score matrix in memory at once, but at least the rows
      of one query.
    rate: side of the copied blocks, and the factor that shrinks the features for the scores.
    softmax_scale: sharpness of the softmax.
  Returns:
    (B, H, W, C), the features;
    (B, H / rate, W / rate) int32, the sources: for each needed query the key with the largest weight, counted row by
    row; -1 for other queries, and for those without a key.
  """
  blocks = tf.nn.space_to_depth(features, rate)

  def attend_example(example):
    return _attend(*example, max_scores, softmax_scale)

  filled, sources = tf.map_fn(
    attend_example,
    (
      image_ops.downscale_nearest(features, rate),
      blocks,
      contextual_attention.known_keys(image_ops.downscale_nearest(mask, rate)),
      tf.reduce_any(tf.nn.space_to_depth(mask, rate) > 0, axis=-1),
    ),
    fn_output_signature=(
      tf.TensorSpec([None, None, blocks.shape[-1]], features.dtype),
      tf.TensorSpec([None, None], tf.int32),
    ),
    parallel_iterations=1,
  )
  return image_ops.compose(tf.nn.depth_to_space(filled, rate), features, mask), sources


def _attend(features, blocks, is_key, needed, max_scores, softmax_scale):
  """Attends one example: features (h, w, C), blocks (h, w, D), is_key (h, w, 1), needed queries (h, w) bool."""
  height, width = tf.unstack(tf.shape(features)[:2])
  count = height * width
  patches = _patches(features)
  queries = patches * contextual_attention.inverse_patch_norms(features[tf.newaxis])[0]
  # The second propagation leaves the keys column by column.
  is_key, values = (tf.reshape(tf.transpose(x, [1, 0, 2]), [count, x.shape[-1]]) for x in (is_key, blocks))
  needed = _block_by_block(tf.cast(tf.where(tf.reshape(needed, [count]))[:, 0], tf.int32), width, count)
  at_once = tf.maximum(1, max_scores // (_MAX_ROWS_PER_QUERY * count))

  def attend_some(first, filled, sources):
    chosen = needed[first : first + at_once]
    columns_first = _transposed_index(chosen, height, width)
    neighbours, rows_of_chosen = _neighbours(columns_first, count)
    second_neighbours, rows_of_neighbours = _neighbours(_transposed_index(neighbours, width, height), count)
    scores = tf.matmul(tf.gather(queries, second_neighbours), patches, transpose_b=True)
    scores = _sum_of_neighbours(scores, rows_of_neighbours)
    scores = tf.reshape(tf.transpose(tf.reshape(scores, [-1, height, width]), [0, 2, 1]), [-1, count])
    logits = softmax_scale * _sum_of_neighbours(scores, rows_of_chosen)
    # The maximum is taken over all keys, the hole's included, as in the release.
    weights = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True)) * is_key[:, 0]
    sums = tf.maximum(tf.reduce_sum(weights, axis=-1, keepdims=True), contextual_attention.MIN_WEIGHT_SUM)
    best = _transposed_index(tf.argmax(weights, axis=-1, output_type=tf.int32), width, height)
    best = tf.where(tf.reduce_any(weights > 0, axis=-1), best, -1)
    rows = chosen[:, tf.newaxis]
    return (
      first + at_once,
      tf.tensor_scatter_nd_update(filled, rows, tf.matmul(weights, values) / sums),
      tf.tensor_scatter_nd_update(sources, rows, best),
    )

  _, filled, sources = tf.while_loop(
    lambda first, *_: first < tf.shape(needed)[0],
    attend_some,
    [0, tf.zeros([count, values.shape[-1]], features.dtype), tf.fill([count], -1)],
    parallel_iterations=1,
  )
  return tf.reshape(filled, [height, width, values.shape[-1]]), tf.reshape(sources, [height, width])


def _patches(features):
  """Returns the zero-padded 3x3 neighbourhood of every position, row by row: (h, w, C) -> (h * w, 9C)."""
  height, width = tf.unstack(tf.shape(features)[:2])
  padded = tf.pad(features, [[1, 1], [1, 1], [0, 0]])
  side = contextual_attention.PATCH_SIDE
  shifted = [padded[y : y + height, x : x + width] for y in range(side) for x in range(side)]
  return tf.reshape(tf.concat(shifted, axis=-1), [height * width, side**2 * features.shape[-1]])


def _block_by_block(index, width, count):
  """Sorts positions (n,) of an array of this width, all below `count`, by square blocks.

  The queries of a chunk then share more of their neighbours' rows than the queries of a line would.
  """
  rows, columns = index // width, index % width
  blocks = tf.cast(rows // _BLOCK_SIDE * (width // _BLOCK_SIDE + 1) + columns // _BLOCK_SIDE, tf.int64)
  count = tf.cast(count, tf.int64)
  return tf.cast(tf.sort(blocks * count + tf.cast(index, tf.int64)) % count, tf.int32)


def _transposed_index(index, height, width):
  """Converts positions of a (height, width) array, counted row by row, to positions counted column by column."""
  return index % width * height + index // width


def _neighbours(index, count):
  """Returns the distinct positions one before, at, and one after the given ones, and indices into them.

  Args:
    index: (n,) int32 positions.
    count: number of all positions.
  Returns: distinct positions (m,), and (3, n) indices into them, m where a neighbour does not exist.
  """
  neighbours = index + tf.constant(_STEPS)[:, tf.newaxis]
  exists = tf.logical_and(neighbours >= 0, neighbours < count)
  distinct, rows = tf.unique(tf.reshape(tf.where(exists, neighbours, index), [-1]))
  return distinct, tf.where(exists, tf.reshape(rows, tf.shape(neighbours)), tf.size(distinct))


def _sum_of_neighbours(scores, rows):
  """Adds the scores of pairs moved together: the sum over steps s of scores[rows[s], k + s], 0 outside.

  Args:
    scores: (m, N).
    rows: (3, n), as `_neighbours` returns them.
  Returns: (n, N).
  """
  count = tf.shape(scores)[1]
  padded = tf.pad(scores, [[0, 1], [1, 1]])  # A row and two columns of zeros.
  return tf.add_n(
    [tf.gather(padded[:, 1 + step : 1 + step + count], rows[number]) for number, step in enumerate(_STEPS)]
  )

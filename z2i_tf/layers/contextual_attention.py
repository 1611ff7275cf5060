"""Contextual attention (Yu et al. 2018, arXiv:1801.07892), as the Zoom-to-Inpaint release computes it."""

import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.keras_api import layers

_PATCH_SIDE = 3
# Floors of the query's norm and of the softmax's denominator, as in the release.
_MIN_NORM = 1e-9
_MIN_WEIGHT_SUM = 1e-9


class ContextualAttention(layers.Layer):
  """Rebuilds features inside the hole as weighted sums of features outside it.

  1. Features and mask are shrunk by `rate` (nearest); each position is described by its 3x3 patch.
  2. Score (i, j) is the unit-length patch at i times the raw patch at j: a dot product scaled
     by the length of j, so strong textures attract more. It is not a full cosine.
  3. Scores of pairs moved together by one position, first along rows, then along columns,
     are added, so neighbours copy from neighbours. Row ends wrap around, as in the release.
  4. A softmax over j with sharpness `softmax_scale` leaves out the hole, grown by one position.
  5. The weights mix full-size blocks; known positions pass through unchanged.

  Call arguments:
    inputs: a pair of
      features: (B, H, W, C); H and W divisible by `rate`, not necessarily equal.
      mask: (B, H, W, 1), 1 = hole, 0 = known.
  Returns: (B, H, W, C). Where no known position is left, the hole becomes zero.
  Raises: ValueError if mask and features differ in static size or are not divisible by `rate`.
  Cost: a (B, N, N) matrix, N = H*W / rate**2; 64 MiB per image at 128x128 and rate 2.
  Reference: Yu et al. 2018 (arXiv:1801.07892). Deviation: only the *query* is normalised.
  """

  def __init__(self, rate: int = 2, softmax_scale: float = 10.0, **kwargs):
    super().__init__(**kwargs)
    self.rate = rate
    self.softmax_scale = softmax_scale

  def get_config(self):
    return {**super().get_config(), "rate": self.rate, "softmax_scale": self.softmax_scale}

  def compute_output_shape(self, input_shape):
    return input_shape[0]

  def call(self, inputs):
    features, mask = inputs
    self._check_sizes(features.shape, mask.shape)
    attention = self.attention_map(
        image_ops.downscale_nearest(features, self.rate), image_ops.downscale_nearest(mask, self.rate))
    return self.apply_map(attention, features, mask)

  def attention_map(self, features: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the weights of every key for every query, row-major.

    Args:
      features: (B, h, w, C), already shrunk.
      mask: (B, h, w, 1), 1 = hole.
    Returns: (B, h*w queries, h*w keys), float32 whatever the precision of the features, rows summing to 1 (to 0 where
      no key is known).
    """
    height, width = tf.unstack(tf.shape(features)[1:3])
    patches = _patches(tf.cast(features, tf.float32))
    queries = tf.math.l2_normalize(patches, axis=-1, epsilon=_MIN_NORM**2)
    scores = tf.matmul(queries, patches, transpose_b=True)
    scores = _propagate(scores, height, width)
    near_hole = tf.nn.max_pool2d(mask, _PATCH_SIDE, strides=1, padding="SAME")
    is_key = tf.reshape(1.0 - tf.cast(near_hole, tf.float32), [-1, 1, height * width])
    logits = self.softmax_scale * scores
    # The maximum is taken over all keys, the hole's included, as in the release.
    logits -= tf.stop_gradient(tf.reduce_max(logits, axis=-1, keepdims=True))
    weights = tf.exp(logits) * is_key
    return weights / tf.maximum(tf.reduce_sum(weights, axis=-1, keepdims=True), _MIN_WEIGHT_SUM)

  def apply_map(self, attention: tf.Tensor, features: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mixes `rate` x `rate` blocks of the features by the attention weights, inside the hole only.

    Args:
      attention: (B, N, N) as `attention_map` gives it, N = H*W / rate**2.
      features: (B, H, W, C).
      mask: (B, H, W, 1), 1 = hole.
    Returns: (B, H, W, C).
    """
    blocks = tf.nn.space_to_depth(features, self.rate)
    shape = tf.shape(blocks)
    values = tf.reshape(blocks, [shape[0], shape[1] * shape[2], blocks.shape[3]])
    filled = tf.reshape(tf.matmul(tf.cast(attention, values.dtype), values), shape)
    return image_ops.compose(tf.nn.depth_to_space(filled, self.rate), features, mask)

  def _check_sizes(self, features_shape, mask_shape):
    if not features_shape[1:3].is_compatible_with(mask_shape[1:3]):
      raise ValueError(f"Features and mask must have the same height and width. "
                       f"Received: features {features_shape}, mask {mask_shape}")
    if any(side is not None and side % self.rate for side in features_shape[1:3]):
      raise ValueError(f"Height and width must be divisible by rate={self.rate}. "
                       f"Received: features {features_shape}")


def _patches(features):
  """(B, h, w, C) -> (B, h*w, 9C): the zero-padded 3x3 neighbourhood of every position.

  Shifted slices instead of tf.image.extract_patches, whose gradient is slow.
  """
  height, width = tf.unstack(tf.shape(features)[1:3])
  padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
  shifted = [padded[:, dy:dy + height, dx:dx + width]
             for dy in range(_PATCH_SIDE) for dx in range(_PATCH_SIDE)]
  stacked = tf.concat(shifted, axis=-1)
  return tf.reshape(stacked, [-1, height * width, stacked.shape[-1]])


def _propagate(scores, height, width):
  """Adds the scores of pairs moved together by one position, along rows, then along columns.

  Args:
    scores: (B, N, N), N = height * width, both axes row-major.
  Returns: (B, N, N), both axes row-major.
  """
  count = height * width
  scores = _sum_of_diagonal_neighbours(scores)
  scores = tf.transpose(tf.reshape(scores, [-1, height, width, height, width]), [0, 2, 1, 4, 3])
  scores = _sum_of_diagonal_neighbours(tf.reshape(scores, [-1, count, count]))
  scores = tf.transpose(tf.reshape(scores, [-1, width, height, width, height]), [0, 2, 1, 4, 3])
  return tf.reshape(scores, [-1, count, count])


def _sum_of_diagonal_neighbours(matrix):
  """A zero-padded 'same' convolution of (B, N, N) with the 3x3 identity, without multiplying by its zeros."""
  padded = tf.pad(matrix, [[0, 0], [1, 1], [1, 1]])
  return padded[:, :-2, :-2] + matrix + padded[:, 2:, 2:]

"""The contextual attention of DeepFill-v2 (Yu et al. 2018 and 2019), with the values of its published graph."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.keras_api import layers
from z2i_tf.layers import contextual_attention

_MIN_NORM = 1e-4  # Of a key's patch, as published.


class OverlappingAttention(layers.Layer):
  """Rebuilds all features as sums of overlapping blocks, weighted by attention to known positions.

  1. Features and mask are halved: nearest, with the outer pixels of both sizes in the same place (`align_corners`).
     Each position is described by its 3x3 patch.
  2. Score (i, j) is the patch at i times the unit-length patch at j.
  3. Scores of pairs moved together are added, as in `ContextualAttention`.
  4. Scores of keys that touch the hole become 0; then a softmax over all keys; then their weights become 0. The other
     weights need not sum to 1.
  5. The weights mix 4x4 blocks, which overlap by half; four blocks cover each pixel, and their sum is divided by 4.

  Call arguments:
    inputs: a pair of
      features: (B, H, W, C); H and W even.
      mask: (B, H, W, 1), 1 = hole, 0 = known. The published graph uses the first example's mask for the whole batch.
  Returns: (B, H, W, C).
  Cost: a (B, N, N) matrix, N = H*W / 4.
  """

  RATE = 2

  def __init__(self, softmax_scale: float = 10.0, **kwargs):
    """Creates the layer; `softmax_scale` is the sharpness of the softmax."""
    super().__init__(**kwargs)
    self.softmax_scale = softmax_scale

  def get_config(self) -> dict[str, Any]:
    return {**super().get_config(), "softmax_scale": self.softmax_scale}

  def compute_output_shape(self, input_shape: Sequence[tf.TensorShape]) -> tf.TensorShape:
    return input_shape[0]

  def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    features, mask = inputs
    small, small_mask = (image_ops.downscale_nearest_aligned(part, self.RATE) for part in (features, mask))
    small = contextual_attention.widened(tf.convert_to_tensor(small))
    height, width = tf.unstack(tf.shape(small)[1:3])
    inverse_norms = tf.minimum(contextual_attention.inverse_patch_norms(small), 1.0 / _MIN_NORM)
    scores = contextual_attention.patch_products(small) * tf.transpose(inverse_norms, [0, 2, 1])
    scores = contextual_attention.propagate(scores, height, width)
    is_key = tf.cast(contextual_attention.known_keys(small_mask), scores.dtype)
    is_key = tf.reshape(is_key, [-1, 1, height * width])
    attention = tf.nn.softmax(self.softmax_scale * scores * is_key) * is_key
    return _mixed(tf.cast(attention, features.dtype), features)


def _mixed(attention, features):
  """Mixes overlapping 4x4 blocks by their weights: (B, N, N), (B, H, W, C) -> (B, H, W, C).

  A block is four squares of 2x2 pixels that start at odd rows and columns, so the image is padded by one pixel.
  """
  padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
  squares = tf.nn.space_to_depth(padded, 2)
  batch, rows, columns = tf.unstack(tf.shape(squares)[:3])
  depth = squares.shape[-1]
  total = tf.zeros_like(squares)
  for top in (0, 1):
    for left in (0, 1):
      corner = squares[:, top : rows - 1 + top, left : columns - 1 + left]
      values = tf.reshape(corner, [batch, (rows - 1) * (columns - 1), depth])
      mixed = tf.reshape(tf.matmul(attention, values), [batch, rows - 1, columns - 1, depth])
      total += tf.pad(mixed, [[0, 0], [top, 1 - top], [left, 1 - left], [0, 0]])
  result = tf.nn.depth_to_space(total / 4.0, 2)[:, 1:-1, 1:-1]
  result.set_shape(features.shape)
  return result

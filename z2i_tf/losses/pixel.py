"""Losses on pixels, one value per example."""

import tensorflow as tf

_ALL_BUT_BATCH = [1, 2, 3]


def l1_loss(predicted: tf.Tensor, target: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
  """Returns the mean absolute difference: two (B, H, W, C) -> (B,).

  A mask (B, H, W, 1), 1 = hole, restricts the mean to each example's hole; an example without a hole has loss 0.
  """
  differences = tf.abs(predicted - target)
  if mask is None:
    return tf.reduce_mean(differences, axis=_ALL_BUT_BATCH)
  hole_pixels = tf.reduce_sum(mask, axis=_ALL_BUT_BATCH)
  return tf.reduce_sum(tf.reduce_mean(differences, axis=-1, keepdims=True) * mask, axis=_ALL_BUT_BATCH) / tf.maximum(
    hole_pixels, 1.0
  )


def gradient_loss(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Returns the mean squared gradient of the difference (paper equation 5): two (B, H, W, C) -> (B,).

  Forward differences; the last row and column count as zero, so the divisor is H * W * C for both axes.
  """
  rows, columns = tf.image.image_gradients(tf.convert_to_tensor(predicted) - target)
  return tf.reduce_mean(tf.square(rows) + tf.square(columns), axis=_ALL_BUT_BATCH)

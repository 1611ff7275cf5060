"""Losses on pixels, one value per example."""

import tensorflow as tf

_ALL_BUT_BATCH = [1, 2, 3]


def l1_loss(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Mean absolute difference: two (B, H, W, C) -> (B,)."""
  return tf.reduce_mean(tf.abs(predicted - target), axis=_ALL_BUT_BATCH)


def gradient_loss(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Mean of the squared gradient of the difference (paper equation 5): two (B, H, W, C) -> (B,).

  Forward differences; the last row and column count as zero, so the divisor is H * W * C for both axes.
  """
  rows, columns = tf.image.image_gradients(tf.convert_to_tensor(predicted) - target)
  return tf.reduce_mean(tf.square(rows) + tf.square(columns), axis=_ALL_BUT_BATCH)

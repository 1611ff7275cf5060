"""The hinge losses on discriminator scores, one value per example (paper equation 6)."""

import tensorflow as tf


def hinge_generator_loss(fake_scores: tf.Tensor) -> tf.Tensor:
  """Returns -mean D(fake): (B, N) -> (B,)."""
  return -tf.reduce_mean(fake_scores, axis=-1)


def hinge_discriminator_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
  """Returns mean relu(1 - D(real)) + mean relu(1 + D(fake)): two (B, N) -> (B,)."""
  return tf.reduce_mean(tf.nn.relu(1.0 - real_scores), axis=-1) + tf.reduce_mean(tf.nn.relu(1.0 + fake_scores), axis=-1)

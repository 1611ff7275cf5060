"""Quality of images against their originals, one value per image."""

import tensorflow as tf


def psnr(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Peak signal-to-noise ratio in dB over the whole image: two (B, H, W, 3) in [0, 1] -> (B,).

  Infinite for identical images.
  """
  return tf.image.psnr(predicted, target, max_val=1.0)


def ssim(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Structural similarity: two (B, H, W, 3) in [0, 1], sides of at least 11 pixels -> (B,).

  Gaussian window of 11, sigma 1.5, k 0.01 and 0.03, valid positions only, mean over RGB (Wang et al. 2004).
  """
  return tf.image.ssim(predicted, target, max_val=1.0)


def l1_error(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Mean absolute error over the whole image: two (B, H, W, 3) in [0, 1] -> (B,)."""
  return tf.reduce_mean(tf.abs(predicted - target), axis=[1, 2, 3])

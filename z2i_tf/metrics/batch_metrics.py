"""Image quality metrics for batches, as TensorFlow operations, one value per image; used in training.

`image_scores` computes the same metrics for one finished image.
"""

import tensorflow as tf

from z2i_tf.metrics.image_scores import SSIM_WINDOW


def psnr(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Returns the peak signal-to-noise ratio in dB over the whole image: two (B, H, W, 3) in [0, 1] -> (B,).

  Infinite for identical images.
  """
  return tf.image.psnr(predicted, target, max_val=1.0)


def ssim(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Returns the structural similarity: two (B, H, W, 3) in [0, 1], sides of at least `SSIM_WINDOW` pixels -> (B,).

  Gaussian window of that size, sigma 1.5, k 0.01 and 0.03, valid positions only, mean over RGB (Wang et al. 2004).
  """
  return tf.image.ssim(predicted, target, max_val=1.0, filter_size=SSIM_WINDOW)


def l1_error(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """Returns the mean absolute error over the whole image: two (B, H, W, 3) in [0, 1] -> (B,)."""
  return tf.reduce_mean(tf.abs(predicted - target), axis=[1, 2, 3])


def hole_psnr(predicted: tf.Tensor, target: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns the PSNR in dB over the hole: two (B, H, W, 3) in [0, 1] and (B, H, W, 1), 1 = hole -> (B,).

  Infinite for an exact fill, NaN without a hole.
  """
  return -10.0 / tf.math.log(10.0) * tf.math.log(_mean_over_hole(tf.square(predicted - target), mask))


def hole_l1_error(predicted: tf.Tensor, target: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns the mean absolute error over the hole; arguments and result as `hole_psnr`."""
  return _mean_over_hole(tf.abs(predicted - target), mask)


def _mean_over_hole(error, mask):
  channels = tf.cast(tf.shape(error)[-1], error.dtype)
  return tf.reduce_sum(error * mask, axis=[1, 2, 3]) / (channels * tf.reduce_sum(mask, axis=[1, 2, 3]))

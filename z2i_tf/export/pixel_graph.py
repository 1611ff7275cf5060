"""Fills holes from pixels to pixels inside one TensorFlow graph, for programs that run without this package.

Takes the steps of `Inpainter` with `native`. All operations also exist in TFLite and ONNX. The arithmetic is int32,
because TFLite cannot choose between uint8 tensors.
"""

from collections.abc import Callable

import tensorflow as tf

from z2i_tf.conventions import HOLE_LEVEL

_LEVELS = 255.0


def fill_pixels(fill: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Fills the holes of a batch.

  Args:
    fill: function of the image (B, H, W, 3) and the mask (B, H, W, 1) of `network_inputs`; returns (B, H, W, 3) in
      [0, 1].
    image: (B, H, W, 3) uint8, any size; pixels under the hole are ignored.
    mask: (B, H, W, 1) uint8; levels from 128 on are hole, or all but 0 if the example's largest level is 1. An example
      without a hole stays as it is.
  Returns: (B, H, W, 3) uint8; known pixels are those of `image`, bit for bit.
  """
  known, hole = tf.cast(image, tf.int32), _hole(mask)
  filled = tf.cast(tf.round(fill(*network_inputs(image, mask)) * _LEVELS), tf.int32)
  return tf.cast(filled * hole + known * (1 - hole), tf.uint8)


def network_inputs(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Converts image and mask of `fill_pixels` to the networks' inputs: float32 in [0, 1]; 1 = hole."""
  return tf.cast(image, tf.float32) / _LEVELS, tf.cast(_hole(mask), tf.float32)


def _hole(mask):
  """Converts gray levels (B, H, W, 1) uint8 to int32, 1 = hole, 0 = known."""
  levels = tf.cast(mask, tf.int32)
  largest = tf.reduce_max(levels, axis=[1, 2, 3], keepdims=True)
  return tf.cast(levels >= tf.where(largest <= 1, 1, HOLE_LEVEL), tf.int32)

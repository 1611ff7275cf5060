"""Filling a hole from pixels to pixels inside one TensorFlow graph, for programs that run without this package.

The same steps as `Inpainter` takes for an image it sees whole, and no windows: memory grows with the square of the
number of pixels. Every operation also exists in TFLite and ONNX; what would not: choosing between uint8
tensors (TFLite), hence int32 arithmetic.
"""

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_LEVELS = 255.0
# A mask's gray level from which a pixel is hole; 1 in a mask of zeros and ones.
_HOLE_LEVEL = 128


def fill_pixels(model: ZoomInpainter, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Fills the holes of a batch.

  Args:
    model: the generator with its weights.
    image: (B, H, W, 3) uint8, any size; what is under the hole is not looked at.
    mask: (B, H, W, 1) uint8; hole from 128 on, or anything but 0 if the example's largest value is 1. An
      example without hole comes back as it is.
  Returns: (B, H, W, 3) uint8; known pixels are those of `image`, bit for bit.
  """
  known, hole = tf.cast(image, tf.int32), _hole(mask)
  height, width = tf.unstack(tf.shape(image)[1:3])
  stages = model({
      conventions.IMAGE_LR: _pad(tf.cast(known, tf.float32) / _LEVELS, height, width),
      conventions.MASK_LR: _pad(tf.cast(hole, tf.float32), height, width)}, training=False)
  filled = tf.cast(tf.round(stages[conventions.RESULT] * _LEVELS), tf.int32)[:, :height, :width]
  return tf.cast(filled * hole + known * (1 - hole), tf.uint8)


def _hole(mask):
  """Gray levels (B, H, W, 1) uint8 -> int32, 1 = hole, 0 = known."""
  levels = tf.cast(mask, tf.int32)
  largest = tf.reduce_max(levels, axis=[1, 2, 3], keepdims=True)
  return tf.cast(levels >= tf.where(largest <= 1, 1, _HOLE_LEVEL), tf.int32)


def _pad(images, height, width):
  """As `image_ops.pad_to_multiple`, for a batch of tensors whose size may be known only when the graph runs."""
  for axis, side in ((1, height), (2, width)):
    static_side = images.shape[axis]
    if static_side is None or static_side % conventions.SIZE_MULTIPLE:
      images = tf.gather(images, _reflected_positions(side), axis=axis)
  return images


def _reflected_positions(side):
  """Which of `side` positions stands at each position of the padded axis: 0, 1, ..., side-1, side-2, ..."""
  multiple = conventions.SIZE_MULTIPLE
  period = tf.maximum(2 * (side - 1), 1)  # There and back; an axis of one position repeats it.
  positions = tf.range((side + multiple - 1) // multiple * multiple) % period
  return tf.minimum(positions, period - positions)

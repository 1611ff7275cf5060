"""Composing with masks, resizing, padding: pure functions of tensors, without variables or files.

TensorFlow's bicubic and antialiased resizes have neither a GPU nor an XLA kernel. Here a resize is two
matrix products, one per axis, with the weights `tf.image.resize` uses (equal within 1e-5), so that a
training step stays on its device, compiles and exports.
"""

import numpy as np
import tensorflow as tf

# tf.image.resize reads its bicubic kernel, when not antialiased, from a table with this many steps.
_BICUBIC_TABLE_STEPS = 1024.0
_KEYS_A = -0.5


def compose(inside: tf.Tensor, outside: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns `inside` where the mask is 1 and `outside` where it is 0.

  Args:
    inside: (B, H, W, C).
    outside: (B, H, W, C).
    mask: (B, H, W, 1), 1 = hole.
  """
  return inside * mask + outside * (1.0 - mask)


def downscale_nearest(image: tf.Tensor, factor: int) -> tf.Tensor:
  """Keeps every `factor`-th pixel, the one nearest to the centre of its block, as tf.image.resize does.

  Args:
    image: (B, H, W, C), H and W divisible by `factor`. Halving keeps positions 1, 3, 5, ...
  Returns: (B, H / factor, W / factor, C).
  """
  start = factor // 2
  return image[:, start::factor, start::factor]


def downscale_nearest_aligned(image: tf.Tensor, factor: int) -> tf.Tensor:
  """Keeps one pixel of every `factor`, as tf.compat.v1.image.resize_nearest_neighbor(..., align_corners=True) does.

  The outer pixels stay: from 0, 1, ... 7, halving keeps 0, 2, 5, 7.

  Args:
    image: (B, H, W, C), H and W divisible by `factor`.
  Returns: (B, H / factor, W / factor, C).
  """
  for axis in (1, 2):
    side = tf.shape(image)[axis]
    smaller = side // factor
    step = tf.cast(side - 1, tf.float32) / tf.cast(tf.maximum(smaller - 1, 1), tf.float32)
    places = tf.cast(tf.floor(tf.range(smaller, dtype=tf.float32) * step + 0.5), tf.int32)
    image = tf.gather(image, places, axis=axis)
  return image


def upscale_nearest(image: tf.Tensor, factor: int) -> tf.Tensor:
  """Repeats every pixel `factor` times along both axes; (B, H, W, C) -> (B, H*factor, W*factor, C)."""
  if factor == 1:
    return image
  batch, height, width = tf.unstack(tf.shape(image)[:3])
  channels = image.shape[-1]
  # (Reshaped, not indexed by new axes: TFLite slices no more than five.)
  spread = tf.broadcast_to(
    tf.reshape(image, [batch, height, 1, width, 1, channels]), [batch, height, factor, width, factor, channels]
  )
  result = tf.reshape(spread, [batch, height * factor, width * factor, channels])
  result.set_shape([image.shape[0]] + [side and side * factor for side in image.shape[1:3]] + [channels])
  return result


def upscale_bicubic(image: tf.Tensor, factor: int) -> tf.Tensor:
  """Enlarges by bicubic interpolation (Keys, a = -0.5) without antialias: (B, H, W, C) -> (B, H*factor, W*factor, C).

  Values may overshoot [0, 1].
  """
  return _resize_by_factor(image, factor, 1, _bicubic_matrix)


def downscale_bicubic(image: tf.Tensor, factor: int) -> tf.Tensor:
  """Shrinks by antialiased bicubic interpolation: (B, H, W, C) -> (B, H / factor, W / factor, C).

  H and W are divisible by `factor`; values may overshoot [0, 1].
  """
  return _resize_by_factor(image, 1, factor, _antialiased_cubic_matrix)


def downscale_bicubic_reach(factor: int) -> int:
  """Returns how many pixels beyond a `factor` x `factor` block the kernel of `downscale_bicubic` reaches."""
  return 3 * factor // 2 if factor > 1 else 0  # The kernel is 2 * factor wide on either side of the block's centre.


def dilate(mask: tf.Tensor, radius: int) -> tf.Tensor:
  """Sets to 1 all pixels with a 1 within `radius` pixels along both axes (a square): (B, H, W, 1) -> the same shape."""
  side = 2 * radius + 1
  return tf.nn.max_pool2d(mask, side, strides=1, padding="SAME") if radius else mask


def resize_bilinear_antialiased(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
  """Resizes (B, H, W, C) to (B, height, width, C), bilinear, as tf.image.resize(..., antialias=True)."""
  return _resize(image, height, width, _antialiased_triangle_matrix)


def _resize_by_factor(image, multiply, divide, matrix_of):
  if multiply == divide:
    return image
  height, width = tf.unstack(tf.shape(image)[1:3])
  result = _resize(image, height * multiply // divide, width * multiply // divide, matrix_of)
  result.set_shape(
    [image.shape[0]] + [side and side * multiply // divide for side in image.shape[1:3]] + [image.shape[3]]
  )
  return result


def _resize(image, out_height, out_width, matrix_of):
  in_height, in_width = tf.unstack(tf.shape(image)[1:3])
  rows = tf.cast(matrix_of(in_height, out_height), image.dtype)
  columns = tf.cast(matrix_of(in_width, out_width), image.dtype)
  # Columns first: the channels then stay innermost in both products.
  return tf.einsum("oh,bhwc->bowc", rows, tf.einsum("pw,bhwc->bhpc", columns, image))


def _sample_centres(in_size, out_size):
  """Returns each output pixel's centre in input coordinates, float32 (out,), and the input pixels per output pixel."""
  scale = tf.cast(in_size, tf.float32) / tf.cast(out_size, tf.float32)
  return (tf.range(out_size, dtype=tf.float32) + 0.5) * scale, scale


def _keys_kernel(distance):
  """The cubic convolution kernel of Keys (1981) with a = -0.5, support 2."""
  x = tf.abs(distance)
  near = ((_KEYS_A + 2.0) * x - (_KEYS_A + 3.0)) * x * x + 1.0
  far = ((_KEYS_A * x - 5.0 * _KEYS_A) * x + 8.0 * _KEYS_A) * x - 4.0 * _KEYS_A
  return tf.where(x <= 1.0, near, tf.where(x < 2.0, far, tf.zeros_like(x)))


def _triangle_kernel(distance):
  return tf.maximum(0.0, 1.0 - tf.abs(distance))


def _normalised_rows(weights):
  """Taps beyond the border are missing from the matrix; the remaining ones again sum to one."""
  return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _bicubic_matrix(in_size, out_size):
  """(out, in) weights of bicubic interpolation without antialias."""
  centres, _ = _sample_centres(in_size, out_size)
  position = centres - 0.5
  base = tf.floor(position)
  # The fraction is rounded to the table's steps, as TensorFlow rounds it (half to even).
  fraction = tf.round((position - base) * _BICUBIC_TABLE_STEPS) / _BICUBIC_TABLE_STEPS
  taps = tf.range(in_size, dtype=tf.float32)[tf.newaxis]
  return _normalised_rows(_keys_kernel(taps - (base + fraction)[:, tf.newaxis]))


def _antialiased_matrix(in_size, out_size, kernel):
  centres, scale = _sample_centres(in_size, out_size)
  width = tf.maximum(scale, 1.0)
  taps = tf.range(in_size, dtype=tf.float32)[tf.newaxis] + 0.5
  return _normalised_rows(kernel((taps - centres[:, tf.newaxis]) / width))


def _antialiased_cubic_matrix(in_size, out_size):
  return _antialiased_matrix(in_size, out_size, _keys_kernel)


def _antialiased_triangle_matrix(in_size, out_size):
  return _antialiased_matrix(in_size, out_size, _triangle_kernel)


def to_levels(image: np.ndarray, dtype: type[np.unsignedinteger] = np.uint8) -> np.ndarray:
  """Converts NumPy floats in [0, 1], clipped, to uint8 or uint16, rounding to the nearest level."""
  return np.rint(np.clip(image, 0.0, 1.0) * np.float32(np.iinfo(dtype).max)).astype(dtype)


def fill_hole(image: np.ndarray, hole: np.ndarray, filling: np.ndarray) -> np.ndarray:
  """Returns the NumPy image with its hole taken from `filling`, rounded to the image's 8 or 16 bits.

  Args:
    image: (H, W, 3) uint8 or uint16; its known pixels are kept bit for bit.
    hole: (H, W), not 0 = hole.
    filling: (H, W, 3) float in [0, 1], clipped.
  """
  return np.where(hole[..., np.newaxis] != 0, to_levels(filling, image.dtype), image)


def pad_to_multiple(images: tf.Tensor, multiple: int) -> tf.Tensor:
  """Pads images or masks at the bottom and right by reflection, repeated if they are small.

  Image and mask stay aligned: a mirrored hole pixel is a hole again.

  Args:
    images: (B, H, W, C), any values.
    multiple: both sides become divisible by it, pixels.
  Returns: (B, H', W', C); its top left corner is the input.
  """
  for axis in (1, 2):
    if images.shape[axis] is not None and images.shape[axis] % multiple == 0:
      continue
    side = tf.shape(images)[axis]
    period = tf.maximum(1, 2 * side - 2)
    # (Of positive numbers: ONNX rounds other quotients towards zero.)
    place = tf.range((side + multiple - 1) // multiple * multiple) % period
    images = tf.gather(images, tf.minimum(place, period - place), axis=axis)
  return images

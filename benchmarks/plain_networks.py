"""The generator's networks in ordinary Keras layers, from the paper's specification: what the benchmarks compare with.

Enlarging comes before a convolution, 3x3 patches are tensors, attention has the scores of every position. Layers with
weights are in the order of the package's own networks, so that weights can be copied.
"""

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model


def generator(width: int, scale: int) -> dict[str, Model]:
  """Returns the three networks by their names in weight files; inputs and outputs are those of `z2i_tf.models`."""
  return {
    conventions.COARSE_NET: _coarse(width),
    conventions.SR_NET: _super_resolution(width, scale),
    conventions.REFINE_NET: _refinement(width),
  }


def _block(x, filters, rate=1):
  x = layers.Conv2D(filters, 3, padding="same", dilation_rate=rate)(x)
  features, gates = tf.split(x, 2, axis=-1)
  return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, synchronized=True)(
    tf.nn.elu(features) * tf.sigmoid(gates)
  )


def _level(x, filters, rates):
  x = skipped = _block(x, filters, rates[0])
  for rate in rates[1:]:
    x = _block(x, filters, rate)
  return x + skipped


def _encoder(x, width):
  x = layers.MaxPooling2D()(_level(x, width, (1, 1, 1)))
  x = layers.MaxPooling2D()(_level(x, 2 * width, (1, 1, 1)))
  return _level(x, 4 * width, (2, 4, 8))


def _decoder(x, width):
  x = _level(layers.UpSampling2D()(x), 2 * width, (1, 1, 1, 1))
  x = _level(layers.UpSampling2D()(x), width, (1, 1, 1, 1))
  return _rgb(x)


def _rgb(x):
  return layers.Conv2D(3, 3, padding="same", dtype="float32")(x)


def _coarse(width):
  inputs = layers.Input([None, None, 4])
  image, mask = inputs[..., :3], inputs[..., 3:]
  filled = _decoder(_encoder(inputs, width), width)
  return Model(inputs, filled * mask + image * (1.0 - mask))


def _super_resolution(width, scale):
  def conv(x, filters):
    return layers.Conv2D(filters, 3, padding="same", activation="relu")(x)

  inputs = layers.Input([None, None, 3])
  x = conv(inputs, width)
  for _ in range(4):
    x = conv(conv(x, width), width) + x
  x = _rgb(tf.nn.depth_to_space(conv(x, width * scale**2), scale))
  return Model(inputs, x + tf.image.resize(inputs, scale * tf.shape(inputs)[1:3], "bicubic"))


def _refinement(width):
  inputs = layers.Input([None, None, 4])
  mask = tf.image.resize(inputs[..., 3:], tf.shape(inputs)[1:3] // 4, "nearest")
  bottleneck = _encoder(inputs, width)
  attended = _block(_attention(_block(bottleneck, 4 * width), mask), 4 * width)
  merged = _block(tf.concat([bottleneck, attended], axis=-1), 4 * width)
  return Model(inputs, inputs[..., :3] + _decoder(merged, width))


def _attention(features, mask):
  channels = features.shape[-1]
  mask = tf.cast(mask, features.dtype)
  small, small_mask = (
    tf.cast(tf.image.resize(x, tf.shape(features)[1:3] // 2, "nearest"), tf.float32) for x in (features, mask)
  )
  height, width = tf.unstack(tf.shape(small)[1:3])
  count = height * width
  padded = tf.pad(small, [[0, 0], [1, 1], [1, 1], [0, 0]])
  patches = tf.concat([padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=-1)
  patches = tf.reshape(patches, [-1, count, 9 * channels])
  scores = tf.matmul(tf.math.l2_normalize(patches, axis=-1, epsilon=1e-18), patches, transpose_b=True)

  def neighbours(matrix):
    padded = tf.pad(matrix, [[0, 0], [1, 1], [1, 1]])
    return padded[:, :-2, :-2] + matrix + padded[:, 2:, 2:]

  def reordered(matrix, rows, columns):
    matrix = tf.transpose(tf.reshape(matrix, [-1, rows, columns, rows, columns]), [0, 2, 1, 4, 3])
    return tf.reshape(matrix, [-1, count, count])

  scores = reordered(neighbours(reordered(neighbours(scores), height, width)), width, height)
  is_key = tf.reshape(1.0 - tf.nn.max_pool2d(small_mask, 3, 1, "SAME"), [-1, 1, count])
  logits = 10.0 * scores
  weights = tf.exp(logits - tf.stop_gradient(tf.reduce_max(logits, axis=-1, keepdims=True))) * is_key
  weights = weights / tf.maximum(tf.reduce_sum(weights, axis=-1, keepdims=True), 1e-9)
  blocks = tf.nn.space_to_depth(features, 2)
  mixed = tf.matmul(tf.cast(weights, blocks.dtype), tf.reshape(blocks, [-1, count, 4 * channels]))
  mixed = tf.nn.depth_to_space(tf.reshape(mixed, tf.shape(blocks)), 2)
  return features * (1.0 - mask) + mixed * mask

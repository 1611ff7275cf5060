"""Feature distances in a network that recognises objects (paper equation 3), and Gram matrices of its features."""

from collections.abc import Callable
from collections.abc import Sequence
import os

import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import VGG19
from z2i_tf.keras_api import vgg19_preprocess_input
from z2i_tf.losses.terms import IMAGENET

_FEATURE_LAYER = "block4_conv1"
_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv4", "block4_conv4")
_INPUT_SIDE = 224
# Smallest share of hole pixels, and smallest mean of features, that a loss is divided by.
_SMALLEST_SHARE, _SMALLEST_MEAN = 0.02, 1e-6


def vgg19_features(weights: str) -> Model:
  """Builds the frozen feature model: (B, H, W, 3) in [0, 1] -> VGG19 block4_conv1, (B, 28, 28, 512).

  The image is resized to 224x224 (bilinear, antialias), as in the release: published weights were trained
  so. Preprocessing is Keras' own (BGR, ImageNet mean).

  Args:
    weights: "imagenet" (downloaded by Keras on first use), or a Keras weights file of VGG19 without top.
  Raises: InputError if the file is missing or of another network, or the download fails.
  """
  vgg = _vgg19(weights)
  features = Model(vgg.input, vgg.get_layer(_FEATURE_LAYER).output)
  return on_resized_image(features, lambda image: vgg19_preprocess_input(255.0 * image), "vgg19_block4_conv1")


def vgg19_layers(weights: str) -> Model:
  """Builds a frozen model: (B, H, W, 3) in [0, 1] -> features of the last convolutions of VGG19's first four blocks.

  Their sides are those of the image divided by 1, 2, 4 and 8. Arguments and errors: as `vgg19_features`.
  """
  vgg = _vgg19(weights)
  features = Model(vgg.input, [vgg.get_layer(name).output for name in _LAYERS])
  return on_image(features, lambda image: vgg19_preprocess_input(255.0 * image), "vgg19_layers")


def on_image(features: Model, preprocess: Callable[[tf.Tensor], tf.Tensor], name: str) -> Model:
  """Returns a frozen model: (B, H, W, 3) in [0, 1] -> features of the preprocessed image."""
  inputs = layers.Input([None, None, 3])
  model = Model(inputs, features(preprocess(inputs)), name=name)
  model.trainable = False
  return model


def on_resized_image(features: Model, preprocess: Callable[[tf.Tensor], tf.Tensor], name: str) -> Model:
  """Returns a frozen model: (B, H, W, 3) in [0, 1] -> features of the image resized to 224x224 and preprocessed."""
  inputs = layers.Input([None, None, 3])
  resized = image_ops.resize_bilinear_antialiased(inputs, _INPUT_SIDE, _INPUT_SIDE)
  model = Model(inputs, features(preprocess(resized)), name=name)
  model.trainable = False
  return model


def _vgg19(weights):
  if weights == IMAGENET:
    try:
      return VGG19(include_top=False, weights=IMAGENET)
    except Exception as error:  # Keras turns every network failure into a bare Exception.
      raise InputError(
        "`perceptual_weights`=imagenet: the download of VGG19's weights failed; give a file with "
        "`perceptual_weights`=FILE, or train without the term with `perceptual_weights`=none"
      ) from error
  if not os.path.isfile(weights):
    raise InputError(f"`perceptual_weights`={weights}: no such file")
  vgg = VGG19(include_top=False, weights=None)
  try:
    vgg.load_weights(weights)
  except (OSError, ValueError) as error:
    raise InputError(f"`perceptual_weights`={weights}: not a Keras weights file of VGG19 without top") from error
  return vgg


def feature_loss(predicted_features: tf.Tensor, target_features: tf.Tensor) -> tf.Tensor:
  """Mean absolute difference of features, in float32 whatever their type: two (B, h, w, C) -> (B,)."""
  differences = tf.cast(predicted_features, tf.float32) - tf.cast(target_features, tf.float32)
  return tf.reduce_mean(tf.abs(differences), axis=[1, 2, 3])


def layer_loss(predicted: Sequence[tf.Tensor], target: Sequence[tf.Tensor], mask: tf.Tensor) -> tf.Tensor:
  """Sum over layers of the mean absolute difference of features, relative to the target's mean, per share of hole.

  So large and small holes count alike, and so do layers with large and small values. Computes in float32.

  Args:
    predicted: features of each layer, (B, h, w, C) each.
    target: the label's.
    mask: (B, H, W, 1), 1 = hole.
  Returns: (B,).
  """
  distances = [
    feature_loss(ours, theirs) / _mean_value(tf.cast(theirs, tf.float32)) for ours, theirs in zip(predicted, target)
  ]
  return tf.add_n(distances) / tf.maximum(tf.reduce_mean(mask, axis=[1, 2, 3]), _SMALLEST_SHARE)


def style_loss(predicted: Sequence[tf.Tensor], target: Sequence[tf.Tensor], mask: tf.Tensor) -> tf.Tensor:
  """Sum over layers of the mean absolute difference of Gram matrices inside the hole, relative to the target's mean.

  A Gram matrix holds the mean product of every two channels (Gatys et al. 2016). Computes in float32.

  Args: as `layer_loss`.
  Returns: (B,).
  """
  return tf.add_n([_gram_distance(ours, theirs, mask) for ours, theirs in zip(predicted, target)])


def _gram_distance(predicted, target, mask):
  hole = tf.image.resize(mask, tf.shape(target)[1:3], tf.image.ResizeMethod.AREA)
  first, second = _gram(tf.cast(predicted, tf.float32), hole), _gram(tf.cast(target, tf.float32), hole)
  return tf.reduce_mean(tf.abs(first - second), axis=[1, 2]) / _mean_value(second)


def _gram(features, hole):
  products = tf.einsum("bhwc,bhwd->bcd", features * hole, features)
  return products / (tf.reduce_sum(hole, axis=[1, 2]) + 1e-3)[..., tf.newaxis]


def _mean_value(target):
  """Returns the mean absolute value of each example, (B,)."""
  return tf.reduce_mean(tf.abs(target), axis=list(range(1, target.shape.rank))) + _SMALLEST_MEAN

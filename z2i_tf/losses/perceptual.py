"""Feature distance in a network that recognises objects (paper equation 3)."""

from collections.abc import Callable
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
_INPUT_SIDE = 224


def vgg19_features(weights: str) -> Model:
  """Builds the frozen feature model: (B, H, W, 3) in [0, 1] -> VGG19 block4_conv1, (B, 28, 28, 512).

  The image is resized to 224x224 (bilinear, antialias), as for the release's published weights. Preprocessing is
  Keras' own (BGR, ImageNet mean).

  Args:
    weights: "imagenet" (downloaded by Keras on first use), or a Keras weights file of VGG19 without top.
  Raises: InputError if the file is missing or of another network, or the download fails.
  """
  vgg = _vgg19(weights)
  features = Model(vgg.input, vgg.get_layer(_FEATURE_LAYER).output)
  return on_resized_image(features, lambda image: vgg19_preprocess_input(255.0 * image), "vgg19_block4_conv1")


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
  """Returns the mean absolute difference of features, computed in float32: two (B, h, w, C) -> (B,)."""
  differences = tf.cast(predicted_features, tf.float32) - tf.cast(target_features, tf.float32)
  return tf.reduce_mean(tf.abs(differences), axis=[1, 2, 3])

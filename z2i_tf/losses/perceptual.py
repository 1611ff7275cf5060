"""Distance between VGG19 features (paper equation 3)."""

import os

import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import VGG19
from z2i_tf.keras_api import vgg19_preprocess_input

IMAGENET = "imagenet"
_FEATURE_LAYER = "block4_conv1"
_INPUT_SIDE = 224


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
  inputs = layers.Input([None, None, 3])
  resized = image_ops.resize_bilinear_antialiased(inputs, _INPUT_SIDE, _INPUT_SIDE)
  model = Model(inputs, features(vgg19_preprocess_input(255.0 * resized)), name="vgg19_block4_conv1")
  model.trainable = False
  return model


def _vgg19(weights):
  if weights == IMAGENET:
    try:
      return VGG19(include_top=False, weights=IMAGENET)
    except Exception as error:  # Keras turns every network failure into a bare Exception.
      raise InputError("--vgg_weights=imagenet: the download of VGG19's weights failed; give a file with "
                       "--vgg_weights=FILE, or train without the term with --vgg_weights=none") from error
  if not os.path.isfile(weights):
    raise InputError(f"--vgg_weights={weights}: no such file")
  vgg = VGG19(include_top=False, weights=None)
  try:
    vgg.load_weights(weights)
  except (OSError, ValueError) as error:
    raise InputError(f"--vgg_weights={weights}: not a Keras weights file of VGG19 without top") from error
  return vgg


def feature_loss(predicted_features: tf.Tensor, target_features: tf.Tensor) -> tf.Tensor:
  """Mean absolute difference of features: two (B, h, w, C) -> (B,)."""
  return tf.reduce_mean(tf.abs(predicted_features - target_features), axis=[1, 2, 3])

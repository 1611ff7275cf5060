"""The implementations of the networks that `inference.py` compares, and the weights they share."""

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.predictors import GeneratorPredictor
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import layers
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter

# Standard deviation of the outputs of each network's last convolution, about that of trained networks.
_FILL_DEVIATION, _SR_DEVIATION, _RESIDUAL_DEVIATION = 0.2, 0.02, 0.05


def random_weights(config: ModelConfig, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
  """Returns seeded random weights whose activations and images have about the range of a trained model's.

  The moving statistics of the batch norms are those of one pass over the photographs; the last convolution of each
  network is scaled and shifted so that fills spread around mid-gray, and residuals around 0.

  Args:
    config: zoom "sr".
    images: (B, H, W, 3) float32 in [0, 1]; H and W multiples of 8.
    holes: (B, H, W) bool, True = hole.
  """
  keras.utils.set_random_seed(0)
  model = ZoomInpainter(config)
  for network in model.networks.values():
    for layer in network.layers:
      if isinstance(layer, layers.BatchNormalization):
        layer.momentum = 0.0  # The moving statistics become the batch's.
  mask = tf.constant(holes[..., np.newaxis].astype(np.float32))
  inputs = tf.concat([images * (1.0 - mask), mask], axis=-1)
  hole = holes[..., np.newaxis] & np.ones(3, bool)
  filled = model.coarse_net(inputs, training=True).numpy()[hole].reshape(-1, 3)
  _set_range(model.coarse_net, filled, _FILL_DEVIATION, 0.5)
  coarse = model.coarse_net(inputs)
  residual = model.sr_net(coarse) - image_ops.upscale_bicubic(coarse, config.scale)
  _set_range(model.sr_net, residual.numpy().reshape(-1, 3), _SR_DEVIATION, 0.0)
  zoomed = model.sr_net(coarse)
  inputs = tf.concat([zoomed, image_ops.upscale_nearest(mask, config.scale)], axis=-1)
  residual = model.refinement_net(inputs, training=True) - zoomed
  _set_range(model.refinement_net, residual.numpy().reshape(-1, 3), _RESIDUAL_DEVIATION, 0.0)
  return model_weights.read_arrays(model.networks)


def _set_range(network, values, deviation, mean):
  """Rescales the last convolution, whose outputs are `values` (n, 3), to this standard deviation and mean."""
  *_, kernel, bias = [
    variable for name, variable in model_weights.network_variables(network).items() if name.startswith("conv")
  ]
  scale = deviation / values.std()
  kernel.assign(kernel * scale)
  bias.assign((bias - values.mean(axis=0)) * scale + mean)


class KerasPath:
  """The Keras model that training uses, in one call; float32."""

  def __init__(self, config: ModelConfig, arrays: dict[str, np.ndarray]):
    model = ZoomInpainter(config)
    model_weights.assign_arrays(model.networks, arrays, "the benchmark's weights")
    self._call = tf.function(model, autograph=False)

  def __call__(self, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the filled image: (H, W, 3) float32 in [0, 1].

    Args:
      image: (H, W, 3) float32 in [0, 1]; H and W multiples of 8.
      hole: (H, W) bool, True = hole.
    """
    return self._call(
      {
        conventions.IMAGE_LR: tf.constant(image[np.newaxis]),
        conventions.MASK_LR: tf.constant(hole[np.newaxis, ..., np.newaxis].astype(np.float32)),
      }
    )[conventions.RESULT][0].numpy()


class OurPath:
  """The package's inference of a whole image."""

  def __init__(self, config: ModelConfig, arrays: dict[str, np.ndarray], precision: str):
    self._predictor = GeneratorPredictor(Generator(config, arrays, precision))

  def __call__(self, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """As `KerasPath`."""
    return self._predictor.fill(image[np.newaxis], hole[np.newaxis])[0]

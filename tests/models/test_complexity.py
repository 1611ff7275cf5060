"""Counts and array names of the architecture are those of the Keras networks, layer by layer."""

import subprocess
import sys

import numpy as np
import pytest

from z2i_tf import conventions
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.contextual_attention import ContextualAttention
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.models import architecture
from z2i_tf.models import complexity
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_CONFIGS = [ModelConfig(width=4, sr_width=6), ModelConfig(scale=3, width=2), ModelConfig("bicubic", 2, 6)]


def _flops(network, height, width):
  """Runs each layer's output size through the definition: two operations per multiply-add."""
  counted = [layer for layer in network.layers if isinstance(layer, (GatedConv2D, layers.Conv2D, ContextualAttention))]
  inputs = np.zeros([1, height, width, network.input.shape[-1]], np.float32)
  outputs = Model(network.input, [layer.output for layer in counted])(inputs)
  total = 0
  for layer, output in zip(counted, outputs):
    _, height, width, channels = output.shape
    if isinstance(layer, ContextualAttention):
      positions = height * width // 4
      total += 2 * positions * positions * (9 * channels)  # Every 3x3 patch with every other one,
      total += 2 * positions * positions * (4 * channels)  # weights with 2x2 blocks.
    else:
      kernel = (layer.conv if isinstance(layer, GatedConv2D) else layer).kernel
      total += 2 * height * width * int(np.prod(kernel.shape))
  return total


@pytest.fixture(name="model", scope="module", params=_CONFIGS, ids=str)
def _model(request):
  return ZoomInpainter(request.param)


def test_counts_are_those_of_the_keras_networks(model):
  config = model.model_config
  assert complexity.count_parameters(config) == {
    name: sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    for name, network in model.networks.items()
  }
  scales = {conventions.REFINE_NET: config.scale}
  assert complexity.count_flops(config, 16, 24) == {
    name: _flops(network, scales.get(name, 1) * 16, scales.get(name, 1) * 24)
    for name, network in model.networks.items()
  }


def test_names_shapes_and_order_of_arrays_are_those_of_the_keras_networks(model):
  networks = {**model.networks, conventions.DISCRIMINATOR: patch_discriminator(4)}
  for name, network in networks.items():
    convs = (
      architecture.discriminator_convolutions(4)
      if name == conventions.DISCRIMINATOR
      else architecture.convolutions(name, model.model_config)
    )
    variables = model_weights.network_variables(network)
    assert list(architecture.array_shapes(name, convs).items()) == [
      (f"{name}/{variable}", tuple(variables[variable].shape)) for variable in variables
    ]


def test_the_description_needs_no_tensorflow():
  script = (
    "import sys; from z2i_tf.models import complexity; from z2i_tf.models.architecture import ModelConfig\n"
    "assert sum(complexity.count_parameters(ModelConfig()).values()) == 4_481_161\n"
    "assert not {'tensorflow', 'numpy'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, "-c", script], check=True)

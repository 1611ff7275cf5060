"""Counts the generator's trainable parameters, and its floating-point operations for an image (paper's Table 5).

The operations are those that the paper defines, at every pixel: two per multiply-add of each convolution ("same"
padding counts the zeros beyond the border; after nearest upscaling, the upscaled image counts), and of attention's two
products: all 3x3 patches with one another, and the weights with the blocks that they mix. Biases, activations, norms,
softmax and resizes do not count. The Keras layers need fewer operations; inference needs fewer still. This
module needs no TensorFlow.
"""

import math

from z2i_tf import conventions
from z2i_tf.models import architecture
from z2i_tf.models import deepfill_table
from z2i_tf.models.architecture import ModelConfig

_NOT_TRAINED = ("mean", "var", "u")


def count_parameters(config: ModelConfig) -> dict[str, int]:
  """Returns network name -> trainable parameters."""
  return {name: _parameters(name, architecture.convolutions(name, config)) for name in config.networks}


def count_flops(config: ModelConfig, height: int, width: int) -> dict[str, int]:
  """Returns network name -> operations for one image of height x width pixels, multiples of 8."""
  flops = {}
  for name in config.networks:
    scale = config.scale if name == conventions.REFINE_NET else 1
    pixels = scale**2 * height * width
    flops[name] = sum(
      2 * int(pixels * conv.output_scale**2) * conv.kernel_px**2 * conv.channels * conv.filters
      for conv in architecture.convolutions(name, config)
    )
    if name == conventions.REFINE_NET:
      flops[name] += _attention_flops(pixels, config)
  return flops


def _parameters(network, convs):
  shapes = architecture.array_shapes(network, convs)
  return sum(math.prod(shape) for name, shape in shapes.items() if name.rpartition("/")[2] not in _NOT_TRAINED)


def _attention_flops(pixels, config):
  rate = block = architecture.ATTENTION_RATE
  if config.architecture == architecture.DEEPFILL_V2:
    block = rate * deepfill_table.ATTENTION_BLOCK_RATIO
  positions = pixels // (architecture.BOTTLENECK_SHRINK * rate) ** 2
  channels = architecture.ATTENTION_LEVEL.width_factor * config.width // 2  # The same for both architectures.
  return 2 * positions**2 * channels * (architecture.ATTENTION_PATCH_SIDE**2 + block**2)

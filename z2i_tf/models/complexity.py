"""How large the generator is: trainable parameters, and floating-point operations for an image (paper's Table 5).

Counted is what the paper defines, at every pixel, whatever computes it: two operations per multiply-add of every
convolution (with "same" padding, the border's zeros included; after nearest enlarging, on the enlarged image) and of
attention's two products, that of all 3x3 patches with one another and that of the weights with the blocks they mix. Not
counted: biases, activations, norms, softmax, resizes. The layers here, and inference even more so, take fewer.
"""

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.contextual_attention import ContextualAttention
from z2i_tf.layers.contextual_attention import PATCH_SIDE
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_CHANNELS_IN = {conventions.COARSE_NET: 4, conventions.SR_NET: 3, conventions.REFINE_NET: 4}


def count_parameters(model: ZoomInpainter) -> dict[str, int]:
  """Returns network name -> trainable parameters."""
  return {
    name: sum(int(weight.shape.num_elements()) for weight in network.trainable_weights)
    for name, network in model.networks.items()
  }


def count_flops(model: ZoomInpainter, height: int, width: int) -> dict[str, int]:
  """Returns network name -> operations for one image of height x width pixels, multiples of 8."""
  scales = {conventions.REFINE_NET: model.model_config.scale}
  return {
    name: _network_flops(network, scales.get(name, 1) * height, scales.get(name, 1) * width, _CHANNELS_IN[name])
    for name, network in model.networks.items()
  }


def _network_flops(network: Model, height, width, channels) -> int:
  counted = [layer for layer in network.layers if isinstance(layer, (GatedConv2D, layers.Conv2D, ContextualAttention))]
  # Their outputs' sizes for that image, without computing them.
  sizes = (
    tf.function(Model(network.input, [layer.output for layer in counted]), autograph=False)
    .get_concrete_function(tf.TensorSpec([1, height, width, channels]))
    .structured_outputs
  )
  return sum(_layer_flops(layer, *output.shape[1:]) for layer, output in zip(counted, sizes))


def _layer_flops(layer, height, width, channels):
  if isinstance(layer, ContextualAttention):
    positions = height * width // layer.rate**2
    return 2 * positions**2 * channels * (PATCH_SIDE**2 + layer.rate**2)
  kernel = layer.conv.kernel if isinstance(layer, GatedConv2D) else layer.kernel
  return 2 * height * width * int(kernel.shape.num_elements())

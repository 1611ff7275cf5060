"""What the coarse and the refinement network share: gated conv + batch norm, levels, encoder, decoder.

Paper section A.1 and Figure 9. The order in which layers are created here is the order of the weights
in files ("conv00", "bn00", ...): changing it breaks every saved model.
"""

from collections.abc import Sequence

import tensorflow as tf

from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.batch_norm import SynchronizedBatchNorm
from z2i_tf.layers.gated_conv import GatedConv2D

_BATCH_NORM_MOMENTUM = 0.99
BATCH_NORM_EPSILON = 1e-3
BOTTLENECK_DILATIONS = (2, 4, 8)
ENCODER_CONVS = 3
DECODER_CONVS = 4


def check_width(width: int) -> None:
  """Raises ValueError unless `width` is a positive even number."""
  if width < 2 or width % 2:
    raise ValueError(f"A network's width must be a positive even number. Received: {width}")


def gated_block(x: tf.Tensor, filters: int, dilation_rate: int = 1, upscaled: bool = False) -> tf.Tensor:
  """Gated conv + batch norm: (B, H, W, C) -> (B, H, W, filters / 2); `filters` counts before the gate.

  With `upscaled`, of the nearest x2 enlarged input: (B, 2H, 2W, filters / 2).
  """
  x = GatedConv2D(filters, dilation_rate=dilation_rate, upscaled=upscaled)(x)
  return SynchronizedBatchNorm(momentum=_BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON)(x)


def freeze_batch_norms(network: Model, are_frozen: bool = True) -> None:
  """Makes a network's batch norms normalise by their moving statistics in training too, and leave these as they are.

  Gamma and beta are still trained. To be called before the network is traced; nothing of it is saved. False undoes it.
  """
  for layer in network.layers:
    if isinstance(layer, SynchronizedBatchNorm):
      layer.statistics_are_frozen = are_frozen


def residual_level(x: tf.Tensor, filters: int, dilation_rates: Sequence[int], upscaled: bool = False) -> tf.Tensor:
  """One gated block, then further ones with a skip connection around them, a block per dilation rate.

  With `upscaled` the first block is that of the nearest x2 enlarged input.
  """
  x = skipped = gated_block(x, filters, dilation_rates[0], upscaled)
  for dilation_rate in dilation_rates[1:]:
    x = gated_block(x, filters, dilation_rate)
  return layers.Add()([x, skipped])


def encoder(x: tf.Tensor, width: int) -> tf.Tensor:
  """(B, H, W, C) -> bottleneck features (B, H/4, W/4, 2 * width)."""
  x = residual_level(x, width, [1] * ENCODER_CONVS)
  x = layers.MaxPooling2D()(x)
  x = residual_level(x, 2 * width, [1] * ENCODER_CONVS)
  x = layers.MaxPooling2D()(x)
  return residual_level(x, 4 * width, BOTTLENECK_DILATIONS)


def decoder(x: tf.Tensor, width: int) -> tf.Tensor:
  """Bottleneck features (B, H/4, W/4, 2 * width) -> RGB (B, H, W, 3), not gated, any value."""
  for level_width in (2 * width, width):
    x = residual_level(x, level_width, [1] * DECODER_CONVS, upscaled=True)
  return rgb_conv(x)


def rgb_conv(x: tf.Tensor, kernel_initializer: str = "glorot_uniform") -> tf.Tensor:
  """The last layer: a plain 3x3 convolution to 3 channels, without gate, norm or activation; float32 always."""
  return layers.Conv2D(3, 3, padding="same", kernel_initializer=kernel_initializer, dtype="float32")(x)


def split_rgb_and_mask(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """(B, H, W, 4) -> (B, H, W, 3) and (B, H, W, 1)."""
  return inputs[..., :3], inputs[..., 3:]

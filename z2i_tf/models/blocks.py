"""Builds the parts that the coarse and the refinement network share, from the levels of `architecture`."""

from collections.abc import Sequence

import tensorflow as tf

from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.batch_norm import SynchronizedBatchNorm
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.models import architecture
from z2i_tf.models.architecture import Level
from z2i_tf.models.architecture import Resize

_BATCH_NORM_MOMENTUM = 0.99


def gated_block(x: tf.Tensor, filters: int, dilation_rate: int = 1, upscaled: bool = False) -> tf.Tensor:
  """Applies a gated 3x3 convolution and a batch norm.

  Args:
    x: (B, H, W, C).
    filters: of the convolution before the gate, even.
    dilation_rate: of the convolution.
    upscaled: whether the input is upscaled by 2 (nearest) first.
  Returns: (B, H, W, filters / 2), or (B, 2H, 2W, filters / 2) if `upscaled`.
  """
  x = GatedConv2D(filters, dilation_rate=dilation_rate, upscaled=upscaled)(x)
  return SynchronizedBatchNorm(momentum=_BATCH_NORM_MOMENTUM, epsilon=architecture.BATCH_NORM_EPSILON)(x)


def freeze_batch_norms(network: Model, are_frozen: bool = True) -> None:
  """Makes a network's batch norms normalise by their moving statistics in training too, without updating them.

  Gamma and beta are still trained. Call it before the network is traced; the choice is not saved.

  Args:
    network: any Keras model.
    are_frozen: False undoes it.
  Raises: ValueError if they are to be frozen and the network has none.
  """
  if are_frozen and not any(isinstance(layer, SynchronizedBatchNorm) for layer in network.layers):
    raise ValueError(f"The network {network.name!r} has no batch norms to freeze.")
  for layer in network.layers:
    if isinstance(layer, SynchronizedBatchNorm):
      layer.statistics_are_frozen = are_frozen


def apply_levels(x: tf.Tensor, levels: Sequence[Level], width: int) -> tf.Tensor:
  """Applies the levels of an encoder or a decoder one after the other.

  Args:
    x: (B, H, W, C).
    levels: `architecture.ENCODER` or `architecture.DECODER`.
    width: of the network.
  Returns: (B, H', W', width_factor * width / 2), the width factor being the last level's.
  """
  for level in levels:
    filters = level.width_factor * width
    x = skipped = gated_block(x, filters, level.dilations[0], upscaled=level.resize is Resize.DOUBLE)
    for dilation_rate in level.dilations[1:]:
      x = gated_block(x, filters, dilation_rate)
    x = layers.Add()([x, skipped])
    if level.resize is Resize.HALVE:
      x = layers.MaxPooling2D()(x)
  return x


def rgb_conv(x: tf.Tensor, kernel_initializer: str = "glorot_uniform", name: str | None = None) -> tf.Tensor:
  """Applies the last layer: a 3x3 convolution to 3 channels, without gate, norm or activation, always in float32."""
  return layers.Conv2D(3, 3, padding="same", kernel_initializer=kernel_initializer, dtype="float32", name=name)(x)


def split_rgb_and_mask(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Splits (B, H, W, 4) into (B, H, W, 3) and (B, H, W, 1)."""
  return inputs[..., :3], inputs[..., 3:]

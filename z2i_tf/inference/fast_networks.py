"""The three networks for inference, from the arrays of a model file: see `generator`."""

from typing import Mapping, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.inference import tiles
from z2i_tf.inference.fast_layers import Conv
from z2i_tf.inference.fast_layers import GatedBlock
from z2i_tf.inference.fast_layers import ResidualLevel
from z2i_tf.inference.fast_layers import UpscaledGatedBlock
from z2i_tf.layers.hole_attention import attend_hole
from z2i_tf.models import blocks
from z2i_tf.models.refinement_net import BOTTLENECK_SHRINK
from z2i_tf.models.super_resolution_net import RESIDUAL_BLOCKS

# Halos, in cells: what the convolutions of a piece reach.
_ENCODER_LEVEL_HALO = 2
_BOTTLENECK_HALO = sum(blocks.BOTTLENECK_DILATIONS)
_MERGE_HALO = 2
_DECODER_LEVEL_HALO = 2
_LAST_LEVEL_HALO = 3
# Convolutions at low resolution and the last one, at high resolution.
_SR_HALO = 2 * RESIDUAL_BLOCKS + 3


class Limits(NamedTuple):
  """What bounds the memory of inference; tensors or numbers, int32.

  Attributes:
    max_tile_pixels: at most so many pixels, at a network's full resolution, are evaluated at once.
    max_scores: at most so many elements of attention's score matrix are in memory at once.
  """
  max_tile_pixels: int = 2**20
  max_scores: int = 2**25


class _LayerReader:
  """Hands out a network's layers in order of application."""

  def __init__(self, arrays: Mapping[str, np.ndarray], network: str, dtype: tf.DType):
    self._arrays = {name[len(network) + 1:]: array for name, array in arrays.items() if name.startswith(network + "/")}
    self._dtype = dtype
    self._convs = 0
    self._norms = 0

  def conv(self, dtype: Optional[tf.DType] = None, relu: bool = False) -> Conv:
    return Conv(**self._next_conv(), dtype=dtype or self._dtype, relu=relu)

  def gated(self, dilation_rate: int = 1) -> GatedBlock:
    return GatedBlock({**self._next_conv(), **self._next_norm()}, self._dtype, blocks.BATCH_NORM_EPSILON, dilation_rate)

  def upscaled(self) -> UpscaledGatedBlock:
    return UpscaledGatedBlock({**self._next_conv(), **self._next_norm()}, self._dtype, blocks.BATCH_NORM_EPSILON)

  def encoder_level(self, dilation_rates=(1,) * blocks.ENCODER_CONVS) -> ResidualLevel:
    return ResidualLevel([self.gated(rate) for rate in dilation_rates])

  def decoder_level(self) -> ResidualLevel:
    return ResidualLevel([self.upscaled()] + [self.gated() for _ in range(blocks.DECODER_CONVS - 1)])

  def _next_conv(self):
    self._convs += 1
    return {name: self._arrays[f"conv{self._convs - 1:02d}/{name}"] for name in ("kernel", "bias")}

  def _next_norm(self):
    self._norms += 1
    return {name: self._arrays[f"bn{self._norms - 1:02d}/{name}"] for name in ("gamma", "beta", "mean", "var")}


class GatedNet(tf.Module):
  """The coarse or, with attention, the refinement network, up to the last convolution.

  Its decoder is evaluated near the needed pixels only.
  """

  def __init__(self, arrays: Mapping[str, np.ndarray], network: str, width: int, dtype: tf.DType):
    """Takes the arrays of a model file; `network` is the coarse or the refinement network's name in it."""
    super().__init__()
    self._dtype = dtype
    reader = _LayerReader(arrays, network, dtype)
    # Attributes hold the layers, so that their variables are tracked; they are created in order of application.
    self._first, self._second = reader.encoder_level(), reader.encoder_level()
    self._bottleneck = reader.encoder_level(blocks.BOTTLENECK_DILATIONS)
    self._before_attention = None
    if network == conventions.REFINE_NET:
      self._before_attention, self._after_attention, self._merge = reader.gated(), reader.gated(), reader.gated()
    self._half, self._full = reader.decoder_level(), reader.decoder_level()
    self._rgb = reader.conv(tf.float32)
    # What a cell of two by two pixels of half the resolution, and twice the channels, takes; of the rest, about.
    self._pieces = [
        tiles.Piece(lambda x: _halved(self._first(x)), width // 2, dtype, 2, 1, _ENCODER_LEVEL_HALO, 4),
        tiles.Piece(lambda x: _halved(self._second(x)), width, dtype, 2, 1, _ENCODER_LEVEL_HALO, 8),
        tiles.Piece(self._bottleneck, 2 * width, dtype, 1, 1, _BOTTLENECK_HALO, 4)]
    self._merge_piece = tiles.Piece(self._merged, 2 * width, dtype, 1, 1, _MERGE_HALO, 8)
    self._half_piece = tiles.Piece(self._half, width, dtype, 1, 2, _DECODER_LEVEL_HALO, 8)
    self._full_piece = tiles.Piece(lambda x: self._rgb(self._full(x)), 3, tf.float32, 1, 2, _LAST_LEVEL_HALO, 4)

  def __call__(self, inputs: tf.Tensor, mask: tf.Tensor, needed: tf.Tensor, limits: Limits):
    """Returns the last convolution's output and where attention copied from.

    Args:
      inputs: (B, H, W, 4), RGB and mask. H and W multiples of 8 (4 without attention).
      mask: (B, H, W, 1), 1 = hole.
      needed: (B, H, W, 1), 1 where the output is needed.
      limits: of the memory.
    Returns: (B, H, W, 3) float32, anything where it is not needed; and the sources of `attend_hole`, or None.
    """
    x = tf.cast(inputs, self._dtype)
    for piece in self._pieces:
      x = tiles.evaluate(piece, x, None, limits.max_tile_pixels)
    needed_half = _any_of_four(needed)
    computed_half = image_ops.dilate(needed_half, _LAST_LEVEL_HALO)
    needed_quarter = _any_of_four(computed_half)
    sources = None
    if self._before_attention:
      features = tf.cast(self._before_attention(x), tf.float32)
      attended, sources = attend_hole(
          features, image_ops.downscale_nearest(mask, BOTTLENECK_SHRINK), limits.max_scores)
      both = tf.concat([x, tf.cast(attended, self._dtype)], axis=-1)
      x = tiles.evaluate(
          self._merge_piece, both, _is_one(image_ops.dilate(needed_quarter, _DECODER_LEVEL_HALO)),
          limits.max_tile_pixels)
    x = tiles.evaluate(self._half_piece, x, _is_one(needed_quarter), limits.max_tile_pixels)
    return tiles.evaluate(self._full_piece, x, _is_one(needed_half), limits.max_tile_pixels), sources

  def _merged(self, bottleneck_and_attended):
    bottleneck, attended = tf.split(bottleneck_and_attended, 2, axis=-1)
    return self._merge(tf.concat([bottleneck, self._after_attention(attended)], axis=-1))


class SuperResolutionNet(tf.Module):
  """The residual that the super-resolution network adds to bicubic interpolation."""

  def __init__(self, arrays: Mapping[str, np.ndarray], scale: int, dtype: tf.DType):
    super().__init__()
    self._dtype = dtype
    self._scale = scale
    reader = _LayerReader(arrays, conventions.SR_NET, dtype)
    self._first = reader.conv(relu=True)
    self._blocks = [(reader.conv(relu=True), reader.conv(relu=True)) for _ in range(RESIDUAL_BLOCKS)]
    self._spread = reader.conv(relu=True)
    self._rgb = reader.conv(tf.float32)
    self._piece = tiles.Piece(self._evaluate, 3, tf.float32, 1, scale, _SR_HALO, 4 * scale**2)

  def __call__(self, image: tf.Tensor, limits: Limits) -> tf.Tensor:
    """(B, H, W, 3) -> (B, H*scale, W*scale, 3) float32."""
    return tiles.evaluate(self._piece, tf.cast(image, self._dtype), None, limits.max_tile_pixels)

  def _evaluate(self, x):
    x = self._first(x)
    for first, second in self._blocks:
      x = second(first(x)) + x
    return self._rgb(tf.nn.depth_to_space(self._spread(x), self._scale))


def _halved(x):
  return tf.nn.max_pool2d(x, 2, 2, "SAME")


def _any_of_four(mask):
  """1 where any of four pixels is 1: (B, H, W, 1) -> (B, H / 2, W / 2, 1)."""
  return tf.nn.max_pool2d(mask, 2, 2, "SAME")


def _is_one(mask):
  """(B, H, W, 1) -> (B, H, W) bool."""
  return mask[..., 0] > 0

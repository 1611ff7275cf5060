"""The three networks for inference: see `generator`."""

from typing import NamedTuple

import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.inference.fast import layers as fast_layers
from z2i_tf.inference.fast import sparse
from z2i_tf.inference.fast import tiles
from z2i_tf.inference.fast.layer_reader import LayerReader
from z2i_tf.layers.hole_attention import attend_hole
from z2i_tf.models import blocks
from z2i_tf.models.refinement_net import BOTTLENECK_SHRINK
from z2i_tf.models.super_resolution_net import RESIDUAL_BLOCKS

# What the convolutions of a piece reach, in cells (see `tiles`).
_ENCODER_LEVEL_HALO = 2
_BOTTLENECK_HALO = sum(blocks.BOTTLENECK_DILATIONS)
_MERGE_HALO = 2
_DECODER_LEVEL_HALO = 3
# Convolutions at low resolution and the last one, at high resolution.
_SR_HALO = 2 * RESIDUAL_BLOCKS + 3
# Listed pixels are computed one by one if they are at most this share of all (beyond that their gathered neighbourhoods
# take more memory than the encoder).
_MAX_LISTED_SHARE = 0.4
# A gathered neighbourhood takes the memory of so many pixels at full resolution.
_PIXELS_PER_ROW = 8


class Limits(NamedTuple):
  """What bounds the memory of inference; int32 scalars.

  Attributes:
    max_tile_pixels: at most so many pixels, at a network's full resolution, are evaluated at once. None: all.
    max_scores: at most so many elements of attention's score matrix are in memory at once.
  """

  max_tile_pixels: tf.Tensor | None
  max_scores: tf.Tensor


class GatedNet(tf.Module):
  """The coarse or the refinement network (the latter has attention), up to its last convolution."""

  def __init__(self, reader: LayerReader, width: int, dtype: tf.DType, with_attention: bool):
    """Takes the layers of the coarse or, with attention, the refinement network in order of application."""
    super().__init__()
    self._dtype = dtype
    first, second = reader.encoder_level(4, width), reader.encoder_level(width // 2, 2 * width)
    bottleneck = reader.encoder_level(width, 4 * width, blocks.BOTTLENECK_DILATIONS)
    self._encoder_levels = [first, second, bottleneck]  # An attribute, so that their variables are saved.
    self._before_attention = None
    if with_attention:
      self._before_attention, self._after_attention = (reader.gated(2 * width, 4 * width) for _ in range(2))
      self._merge = reader.gated(4 * width, 4 * width)
    self._half = reader.decoder_level(2 * width, 2 * width)
    self._full = reader.decoder_level(width, width, with_last=True)
    # The last numbers are weights: a cell of 2x2 pixels at half resolution has twice the channels of one at full
    # resolution; one at a quarter as many as 2x2 at full resolution, or twice that beside attention.
    self._encoder = [
      tiles.Piece(_Halved(first), width // 2, dtype, 2, 1, _ENCODER_LEVEL_HALO, 4),
      tiles.Piece(_Halved(second), width, dtype, 2, 1, _ENCODER_LEVEL_HALO, 8),
      tiles.Piece(bottleneck, 2 * width, dtype, 1, 1, _BOTTLENECK_HALO, 4),
    ]
    self._merge_piece = tiles.Piece(self._merged, 2 * width, dtype, 1, 1, _MERGE_HALO, 8)
    self._half_piece = tiles.Piece(self._half, width, dtype, 1, 2, _DECODER_LEVEL_HALO, 8)
    self._full_piece = tiles.Piece(self._full, 3, tf.float32, 1, 2, _DECODER_LEVEL_HALO, 4)

  def __call__(
    self, inputs: tf.Tensor, mask: tf.Tensor, needed: tf.Tensor | None, limits: Limits
  ) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the last convolution's output and where attention copied from.

    Args:
      inputs: (B, H, W, 4), RGB and mask. H and W multiples of 8 (4 without attention).
      mask: (B, H, W, 1), 1 = hole.
      needed: (B, H, W, 1), 1 where the output is needed. None: everywhere.
      limits: of the memory.
    Returns: (B, H, W, 3) float32, anything where it is not needed; and the sources of `attend_hole`, or None.
    """
    x = tf.cast(inputs, self._dtype)
    for piece in self._encoder:
      x = tiles.evaluate(piece, x, limits.max_tile_pixels)
    cells_full = cells_half = listed_quarter = None
    if needed is not None:
      # A level's convolutions reach four pixels, two cells; its first one a pixel more of what comes before.
      cells_full = image_ops.dilate(_any_of_four(needed), 2)
      cells_half = image_ops.dilate(_any_of_four(image_ops.dilate(cells_full, 1)), 2)
      listed_quarter = image_ops.dilate(cells_half, 2)
    sources = None
    if self._before_attention:
      features = tf.cast(self._before_attention(x), tf.float32)
      attended, sources = attend_hole(features, image_ops.downscale_nearest(mask, BOTTLENECK_SHRINK), limits.max_scores)
      x = tf.concat([x, tf.cast(attended, self._dtype)], axis=-1)
      x = self._evaluate(self._merge_piece, self._merged_at, x, listed_quarter, limits)
    x = self._evaluate(self._half_piece, self._half.at_cells, x, cells_half, limits)
    return self._evaluate(self._full_piece, self._full.at_cells, x, cells_full, limits), sources

  def _evaluate(self, piece, at_cells, x, needed, limits):
    """Evaluates a piece at listed cells, or everywhere if those are most, or all."""
    everywhere = lambda: tiles.evaluate(piece, x, limits.max_tile_pixels)
    if needed is None:
      return everywhere()
    max_rows = None if limits.max_tile_pixels is None else limits.max_tile_pixels // _PIXELS_PER_ROW
    output = tf.cond(tf.reduce_mean(needed) > _MAX_LISTED_SHARE, everywhere, lambda: at_cells(x, needed, max_rows))
    output.set_shape([x.shape[0], None, None, piece.channels])
    return output

  def _merged(self, bottleneck_and_attended):
    bottleneck, attended = tf.split(bottleneck_and_attended, 2, axis=-1)
    return self._merge(tf.concat([bottleneck, self._after_attention(attended)], axis=-1))

  def _merged_at(self, bottleneck_and_attended, needed, max_rows):
    shape = tf.shape(bottleneck_and_attended)[:3]
    pixels = sparse.listed(needed)
    bottleneck, attended = tf.split(tf.gather_nd(bottleneck_and_attended, pixels), 2, axis=-1)
    table = sparse.neighbours(pixels, shape)
    attended = self._after_attention.at_pixels(attended, table, max_rows)
    merged = self._merge.at_pixels(tf.concat([bottleneck, attended], axis=-1), table, max_rows)
    return sparse.scatter(merged, pixels, shape)


class SuperResolutionNet(tf.Module):
  """The residual that the super-resolution network adds to bicubic interpolation."""

  def __init__(self, reader: LayerReader, width: int, scale: int, dtype: tf.DType):
    """Takes the network's layers in order of application."""
    super().__init__()
    self._dtype = dtype
    self._scale = scale
    self._first = reader.conv(3, width, relu=True)
    self._blocks = [tuple(reader.conv(width, width, relu=True) for _ in range(2)) for _ in range(RESIDUAL_BLOCKS)]
    self._spread = reader.conv(width, width * scale**2, relu=True)
    self._last = reader.conv(width, 3, tf.float32)
    self._piece = tiles.Piece(self._evaluate, 3, tf.float32, 1, scale, _SR_HALO, 4 * scale**2)

  def __call__(self, image: tf.Tensor, limits: Limits) -> tf.Tensor:
    """(B, H, W, 3) -> (B, H*scale, W*scale, 3) float32."""
    return tiles.evaluate(self._piece, tf.cast(image, self._dtype), limits.max_tile_pixels)

  def _evaluate(self, x):
    x = self._first(x)
    for first, second in self._blocks:
      x = second(first(x)) + x
    return self._last(tf.nn.depth_to_space(self._spread(x), self._scale))


class _Halved(tf.Module):
  """A level and the 2x2 max-pooling after it."""

  def __init__(self, level: fast_layers.EncoderLevel):
    super().__init__()
    self._level = level

  def __call__(self, x):
    return tf.nn.max_pool2d(self._level(x), 2, 2, "VALID")


def _any_of_four(mask):
  """1 where any of four pixels is 1: (B, H, W, 1) -> (B, H / 2, W / 2, 1)."""
  return tf.nn.max_pool2d(mask, 2, 2, "VALID")

"""The generator's networks for inference: see `generator`."""

from collections.abc import Iterator
from collections.abc import Mapping
import itertools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.inference.fast import layers as fast_layers
from z2i_tf.inference.fast import sparse
from z2i_tf.inference.fast import tiles
from z2i_tf.layers.hole_attention import attend_hole
from z2i_tf.models import architecture
from z2i_tf.models.architecture import Level
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.architecture import Resize

# Pixels that the two convolutions after attention reach, at the bottleneck's resolution.
_MERGE_REACH_PX = sum(architecture.ATTENTION_LEVEL.dilations[1:])
# Low-resolution pixels that the super-resolution network reaches. The last convolution works at high resolution.
_SR_REACH_PX = 2 * architecture.RESIDUAL_BLOCKS + 3
# Pixels are computed one by one if they are at most this share of all. Beyond it, their gathered neighbourhoods take
# more memory than the encoder.
_MAX_LISTED_SHARE = 0.4
# Memory of a gathered neighbourhood, in pixels at full resolution.
_PIXELS_PER_ROW = 8
_FACTORS = {Resize.NONE: (1, 1), Resize.HALVE: (2, 1), Resize.DOUBLE: (1, 2)}  # Pixels per cell before, after.


class Limits(NamedTuple):
  """Bounds the memory of inference; int32 scalars.

  Attributes:
    max_tile_pixels: maximum number of pixels, at a network's full resolution, evaluated at once. None: all.
    max_scores: maximum number of elements of attention's score matrix in memory at once.
  """

  max_tile_pixels: tf.Tensor | None
  max_scores: tf.Tensor


def weights_in_order(
  arrays: Mapping[str, np.ndarray], network: str, config: ModelConfig
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the weights of each convolution of a network, with those of its batch norm, in order of application."""
  names = architecture.array_shapes(network, architecture.convolutions(network, config))
  for _, names_of_one in itertools.groupby(names, key=lambda name: name.split("/")[1][-2:]):
    yield {name.rpartition("/")[2]: arrays[name] for name in names_of_one}


class GatedNet(tf.Module):
  """The coarse or the refinement network (with attention), including its last convolution."""

  def __init__(self, weights: Iterator[fast_layers.Weights], width: int, dtype: tf.DType, with_attention: bool):
    """Takes the network's weights as `weights_in_order` yields them."""
    super().__init__()
    self._dtype = dtype
    self._width = width

    def gated(dilation_rate=1):
      return fast_layers.GatedBlock(next(weights), dtype, dilation_rate)

    self._encoder = [
      fast_layers.EncoderLevel([gated(rate) for rate in level.dilations], level.resize is Resize.HALVE)
      for level in architecture.ENCODER
    ]
    self._before_attention = None
    if with_attention:
      self._before_attention, self._after_attention, self._merge = (gated() for _ in range(3))
    self._decoder = []
    for level in architecture.DECODER:
      upscaled = fast_layers.UpscaledGatedBlock(next(weights), dtype)
      blocks = [gated(rate) for rate in level.dilations[1:]]
      last = fast_layers.Conv(next(weights), tf.float32) if level is architecture.DECODER[-1] else None
      self._decoder.append(fast_layers.DecoderLevel(upscaled, blocks, last))

  def __call__(
    self, inputs: tf.Tensor, mask: tf.Tensor, needed: tf.Tensor | None, limits: Limits
  ) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the last convolution's output and the positions that attention copied from.

    Args:
      inputs: (B, H, W, 4), RGB and mask. H and W multiples of 8 (4 without attention).
      mask: (B, H, W, 1), 1 = hole.
      needed: (B, H, W, 1), 1 where the output is needed. None: everywhere.
      limits: of the memory.
    Returns: (B, H, W, 3) float32, undefined where it is not needed; and the sources of `attend_hole`, or None.
    """
    x = tf.cast(inputs, self._dtype)
    for level, module in zip(architecture.ENCODER, self._encoder):
      x = tiles.evaluate(self._piece(level, module), x, limits.max_tile_pixels)
    cells, merged = _listed_cells(needed)
    sources = None
    if self._before_attention:
      features = tf.cast(self._before_attention(x), tf.float32)
      small_mask = image_ops.downscale_nearest(mask, architecture.BOTTLENECK_SHRINK)
      attended, sources = attend_hole(features, small_mask, limits.max_scores, architecture.ATTENTION_RATE)
      x = tf.concat([x, tf.cast(attended, self._dtype)], axis=-1)
      level = architecture.ATTENTION_LEVEL
      cost = 2 * level.width_factor  # Of two features, side by side.
      piece = tiles.Piece(self._merged, level.width_factor * self._width // 2, self._dtype, 1, 1, _MERGE_REACH_PX, cost)
      x = _evaluate(piece, self._merged_at, x, merged, limits)
    for level, module, needed_cells in zip(architecture.DECODER, self._decoder, cells):
      x = _evaluate(self._piece(level, module), module.at_cells, x, needed_cells, limits)
    return x, sources

  def _piece(self, level: Level, function) -> tiles.Piece:
    is_last = level is architecture.DECODER[-1]
    return tiles.Piece(
      function,
      3 if is_last else level.width_factor * self._width // 2,
      tf.float32 if is_last else self._dtype,
      *_FACTORS[level.resize],
      level.cells_within(sum(level.dilations) + is_last),
      level.width_factor * level.cell_px**2,
    )

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

  def __init__(self, weights: Iterator[fast_layers.Weights], scale: int, dtype: tf.DType):
    """Takes the network's weights as `weights_in_order` yields them."""
    super().__init__()
    self._dtype = dtype
    self._scale = scale

    def conv():
      return fast_layers.Conv(next(weights), dtype, relu=True)

    self._first = conv()
    self._blocks = [(conv(), conv()) for _ in range(architecture.RESIDUAL_BLOCKS)]
    self._spread = conv()
    self._last = fast_layers.Conv(next(weights), tf.float32)
    self._piece = tiles.Piece(self._evaluate, 3, tf.float32, 1, scale, _SR_REACH_PX, 4 * scale**2)

  def __call__(self, image: tf.Tensor, limits: Limits) -> tf.Tensor:
    """Returns (B, H*scale, W*scale, 3) float32 for an image (B, H, W, 3)."""
    return tiles.evaluate(self._piece, tf.cast(image, self._dtype), limits.max_tile_pixels)

  def _evaluate(self, x):
    x = self._first(x)
    for first, second in self._blocks:
      x = second(first(x)) + x
    return self._last(tf.nn.depth_to_space(self._spread(x), self._scale))


def _listed_cells(needed):
  """Returns the cells that each level of the decoder computes for the needed pixels, and those before the decoder.

  A convolution at listed pixels makes one more pixel wrong, counted inwards from the border of the list, so each list
  is wider than the next one needs. A level's first convolution reads the whole image of the level before, one pixel
  further. (The convolutions before the decoder need no such pixel: rounding up to cells leaves one.)
  """
  if needed is None:
    return [None] * len(architecture.DECODER), None
  lists = []
  for level in reversed(architecture.DECODER):
    if lists:
      needed = image_ops.dilate(lists[0], level.dilations[0])
    reach_px = sum(level.dilations[1:]) + (not lists)  # And the network's last convolution.
    any_of_four = tf.nn.max_pool2d(needed, 2, 2, "VALID")
    lists.insert(0, image_ops.dilate(any_of_four, level.cells_within(reach_px)))
  return lists, image_ops.dilate(lists[0], _MERGE_REACH_PX)


def _evaluate(piece, at_cells, x, needed, limits):
  """Evaluates a piece at listed cells; everywhere if `needed` is None or lists most cells."""
  everywhere = lambda: tiles.evaluate(piece, x, limits.max_tile_pixels)
  if needed is None:
    return everywhere()
  max_rows = None if limits.max_tile_pixels is None else limits.max_tile_pixels // _PIXELS_PER_ROW
  output = tf.cond(tf.reduce_mean(needed) > _MAX_LISTED_SHARE, everywhere, lambda: at_cells(x, needed, max_rows))
  output.set_shape([x.shape[0], None, None, piece.channels])
  return output

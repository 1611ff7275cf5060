"""Evaluates a piece of a convolutional network tile by tile: exactly, in bounded memory.

A 'same' convolution sees zeros beyond the image's border, and a tile's border is not the image's. So tiles have a halo
as wide as the piece's receptive field, and lie inside the image: at its border they end with it. The halo's output is
dropped. Results are those of the whole image up to the rounding of the convolutions. This is our own decision; the
paper evaluates everything at once.
"""

from collections.abc import Callable
import dataclasses

import tensorflow as tf

# Minimum side of a tile's core, in cells, even if it exceeds the bound: smaller tiles would be mostly halo.
_MIN_CORE_SIDE = 16


@dataclasses.dataclass(frozen=True)
class Piece:
  """A part of a network that tiles can evaluate.

  A cell is the smallest square that is whole pixels both before and after.

  Attributes:
    function: (T, in_factor * n, in_factor * m, C) -> (T, out_factor * n, out_factor * m, channels), convolutional.
    channels: of its output.
    dtype: of its output.
    in_factor: input pixels along a cell's side.
    out_factor: output pixels along a cell's side.
    halo: cells around a core that its output depends on.
    weight: memory of a cell during evaluation, in pixels at a network's full resolution.
  """

  function: Callable[[tf.Tensor], tf.Tensor]
  channels: int
  dtype: tf.DType
  in_factor: int
  out_factor: int
  halo: int
  weight: int


def evaluate(piece: Piece, features: tf.Tensor, max_pixels: tf.Tensor | None) -> tf.Tensor:
  """Returns the piece's output.

  Args:
    piece: part of a network.
    features: (B, in_factor * h, in_factor * w, C).
    max_pixels: maximum memory of one evaluation, in pixels at a network's full resolution, but at least a
      tile with a core of 16 x 16 cells; int32 scalar. None: all at once.
  Returns: (B, out_factor * h, out_factor * w, channels).
  """
  if max_pixels is None:
    return piece.function(features)
  batch, height, width = tf.unstack(tf.shape(features)[:3] // [1, piece.in_factor, piece.in_factor])
  max_cells = max_pixels // piece.weight
  output = tf.cond(
    batch * height * width <= max_cells,
    lambda: piece.function(features),
    lambda: _evaluate_tiles(piece, features, batch, tf.stack([height, width]), max_cells),
  )
  output.set_shape([features.shape[0], None, None, piece.channels])
  return output


def _evaluate_tiles(piece, features, batch, limits, max_cells):
  # The widest square that fits with its halo; higher where the image is narrower than the square.
  side = tf.cast(tf.sqrt(tf.cast(max_cells, tf.float32)), tf.int32)
  core_width = tf.maximum(_MIN_CORE_SIDE, tf.minimum(side, limits[1]) - 2 * piece.halo)
  core_width = tf.where(side >= limits[1], limits[1], core_width)
  core_height = tf.maximum(
    _MIN_CORE_SIDE, max_cells // tf.minimum(core_width + 2 * piece.halo, limits[1]) - 2 * piece.halo
  )
  cores = tf.minimum(tf.stack([core_height, core_width]), limits)
  sides = tf.minimum(cores + 2 * piece.halo, limits)
  counts = -(-limits // cores)

  def evaluate_one(number, output):
    example, place = number // tf.reduce_prod(counts), number % tf.reduce_prod(counts)
    core = tf.stack([place // counts[1], place % counts[1]])
    core_start = tf.minimum(core * cores, limits - cores)  # The last core ends with the image.
    start = tf.clip_by_value(core_start - piece.halo, 0, limits - sides)
    outputs = piece.function(_part(features, example, start * piece.in_factor, sides * piece.in_factor))
    outputs = _part(outputs, 0, (core_start - start) * piece.out_factor, cores * piece.out_factor)
    pixels = _pixels(example, core_start * piece.out_factor, cores * piece.out_factor)
    return number + 1, tf.tensor_scatter_nd_update(output, pixels, outputs[0])

  nothing = tf.zeros(tf.concat([[batch], limits * piece.out_factor, [piece.channels]], axis=0), piece.dtype)
  return tf.while_loop(
    lambda number, _: number < batch * tf.reduce_prod(counts), evaluate_one, [0, nothing], parallel_iterations=1
  )[1]


def _part(images, example, start, sides):
  """Cuts a rectangle out of one example: (B, H, W, C) -> (1, sides[0], sides[1], C)."""
  rows, columns = start[0], start[1]
  return images[example : example + 1, rows : rows + sides[0], columns : columns + sides[1]]


def _pixels(example, start, sides):
  """Returns the indices of a rectangle's pixels, (sides[0], sides[1], 3)."""
  rows, columns = tf.meshgrid(start[0] + tf.range(sides[0]), start[1] + tf.range(sides[1]), indexing="ij")
  return tf.stack([tf.fill(sides, example), rows, columns], axis=-1)

"""Evaluates a piece of a convolutional network on tiles: only where it is needed, in bounded memory, exactly.

A 'same' convolution sees zeros beyond the image's border, and a tile's border is not the image's. So tiles carry a
halo as wide as the piece's receptive field reaches, and lie inside the image: at its border they end with it, and their
zeros are its zeros. What a tile computes within the halo is thrown away. Results are those of the whole image up to the
rounding of the convolutions. Our own decision; the paper evaluates everything.
"""

import dataclasses
from typing import Callable, Optional

import tensorflow as tf

# Sides of a tile's core that are weighed against each other, in cells; the last covers any image.
_CORE_SIDES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 2**20)
# What gathering, scattering and starting a tile costs, in evaluated cells.
_CELLS_PER_TILE = 16


@dataclasses.dataclass(frozen=True)
class Piece:
  """A part of a network that tiles can evaluate.

  Pixels are counted in cells: the smallest squares that are whole pixels both before and after.

  Attributes:
    function: (T, in_factor * n, in_factor * m, C) -> (T, out_factor * n, out_factor * m, channels), convolutional.
    channels: of its output.
    dtype: of its output.
    in_factor: input pixels along a cell's side.
    out_factor: output pixels along a cell's side.
    halo: cells around a core that its output depends on.
    weight: memory that a cell takes while it is evaluated, beside a pixel at a network's full resolution.
  """
  function: Callable[[tf.Tensor], tf.Tensor]
  channels: int
  dtype: tf.DType
  in_factor: int
  out_factor: int
  halo: int
  weight: int


def evaluate(piece: Piece, features: tf.Tensor, needed: Optional[tf.Tensor], max_pixels: Optional[tf.Tensor]) -> tf.Tensor:
  """Returns the piece's output where it is needed.

  The image is divided into square cores; those with a needed cell are evaluated, several at once. The side of the cores
  is the one that leaves the fewest cells to evaluate, halos included; where most is needed that is the whole image.

  Args:
    piece: what to evaluate.
    features: (B, in_factor * h, in_factor * w, C).
    needed: (B, h, w) bool, by cell; None: everything is.
    max_pixels: None: memory is not bounded. Otherwise int32 scalar; at most so many pixels at a network's full resolution, or what takes as much memory, are
      evaluated at once; or one of the smallest tiles.
  Returns: (B, out_factor * h, out_factor * w, channels), of the piece's type; zero in cores that are not needed.
  """
  if needed is None and max_pixels is None:
    return piece.function(features)
  if needed is None:
    needed = tf.ones(tf.shape(features)[:3] // [1, piece.in_factor, piece.in_factor], tf.bool)
  batch, height, width = tf.unstack(tf.shape(needed))
  max_cells = tf.int32.max if max_pixels is None else max_pixels // piece.weight
  core = _cheapest_core(piece.halo, needed, max_cells)
  is_whole = tf.logical_and(tf.reduce_any(needed), tf.logical_and(
      core >= tf.maximum(height, width), batch * height * width <= max_cells))
  output = tf.cond(is_whole, lambda: piece.function(features),
                   lambda: _evaluate_tiles(piece, features, needed, core, max_cells))
  output.set_shape([features.shape[0], None, None, piece.channels])
  return output


def _evaluate_tiles(piece, features, needed, core, max_cells):
  batch, height, width = tf.unstack(tf.shape(needed))
  limits = tf.stack([height, width])
  cores = tf.minimum(core, limits)
  sides = tf.minimum(cores + 2 * piece.halo, limits)
  tiles = tf.cast(tf.where(_any_by_core(needed, core)), tf.int32)  # (T, 3): example, row and column in cores.
  at_once = tf.maximum(1, max_cells // tf.reduce_prod(sides))

  def evaluate_some(first, output):
    chosen = tiles[first:first + at_once]
    core_starts = tf.minimum(chosen[:, 1:] * core, limits - cores)  # The last core ends with the image.
    starts = tf.clip_by_value(core_starts - piece.halo, 0, limits - sides)
    inputs = tf.gather_nd(features, _pixels(chosen[:, 0], starts * piece.in_factor, sides * piece.in_factor))
    outputs = piece.function(inputs)
    within = _pixels(tf.range(tf.shape(chosen)[0]), (core_starts - starts) * piece.out_factor,
                     cores * piece.out_factor)
    pixels = _pixels(chosen[:, 0], core_starts * piece.out_factor, cores * piece.out_factor)
    return first + at_once, tf.tensor_scatter_nd_update(output, pixels, tf.gather_nd(outputs, within))

  nothing = tf.zeros([batch, piece.out_factor * height, piece.out_factor * width, piece.channels],
                     piece.dtype)
  return tf.while_loop(lambda first, _: first < tf.shape(tiles)[0], evaluate_some, [0, nothing],
                       parallel_iterations=1)[1]


def _cheapest_core(halo, needed, max_cells):
  """Returns the side of the cores for which the fewest cells, halos included, have to be evaluated; int32."""
  limits = tf.shape(needed)[1:]

  def cost(core):
    area = tf.reduce_prod(tf.minimum(tf.minimum(core, limits) + 2 * halo, limits))
    count = tf.math.count_nonzero(_any_by_core(needed, core), dtype=tf.float32)
    fits = tf.logical_or(area <= max_cells, core == _CORE_SIDES[0])
    return tf.where(fits, count * tf.cast(area + _CELLS_PER_TILE, tf.float32), tf.float32.max)

  sides = tf.constant(_CORE_SIDES)
  return tf.gather(sides, tf.argmin(tf.map_fn(cost, sides, fn_output_signature=tf.float32, parallel_iterations=1)))


def _any_by_core(needed, core):
  """(B, h, w) bool by cell -> (B, ceil(h / core), ceil(w / core)) bool: whether any cell of the core is needed."""
  batch, height, width = tf.unstack(tf.shape(needed))
  core = tf.minimum(core, tf.maximum(height, width))
  rows, columns = -(-height // core), -(-width // core)
  padded = tf.pad(needed, [[0, 0], [0, rows * core - height], [0, columns * core - width]])
  return tf.reduce_any(tf.reshape(padded, [batch, rows, core, columns, core]), axis=[2, 4])


def _pixels(examples, starts, sides):
  """Indices of the pixels of squares: (T,), (T, 2), (2,) -> (T, sides[0], sides[1], 3) for gather and scatter."""
  shape = tf.concat([tf.shape(examples), sides], axis=0)
  rows = starts[:, 0, tf.newaxis] + tf.range(sides[0])
  columns = starts[:, 1, tf.newaxis] + tf.range(sides[1])
  return tf.stack([tf.broadcast_to(examples[:, tf.newaxis, tf.newaxis], shape),
                   tf.broadcast_to(rows[:, :, tf.newaxis], shape),
                   tf.broadcast_to(columns[:, tf.newaxis, :], shape)], axis=-1)

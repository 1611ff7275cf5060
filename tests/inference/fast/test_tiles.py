"""Tiles give what the whole gives, and never see more than the bound."""

import numpy as np
import pytest
import tensorflow as tf

from z2i_tf.inference.fast import tiles

_RNG = np.random.default_rng(0)
_KERNELS = {side: _RNG.normal(0, 0.5, (side, side, 2, 2)).astype(np.float32) for side in (3, 5)}


def _conv(x, side=3):
  return tf.nn.conv2d(x, _KERNELS[side], 1, "SAME") + 0.3  # (A bias: layers do not turn zeros into zeros.)


def _shrinking(x):
  return tf.nn.max_pool2d(_conv(_conv(x), 5), 2, 2, "VALID")


def _equal(x):
  return tf.nn.conv2d(_conv(x), _KERNELS[3], 1, "SAME", dilations=2)


def _enlarging(x):
  return _conv(_conv(tf.repeat(tf.repeat(_conv(x), 2, axis=1), 2, axis=2)), 5)


# Function, in_factor, out_factor, halo: what the convolutions reach, in cells, exactly.
_PIECES = {"2:1": (_shrinking, 2, 1, 2), "1:1": (_equal, 1, 1, 3), "1:2": (_enlarging, 1, 2, 3)}


class _Spied:
  """A piece that notes how many cells its function is given."""

  def __init__(self, name, weight):
    function, in_factor, out_factor, halo = _PIECES[name]
    self.cells = []

    def spied(x):
      self.cells.append(int(np.prod(x.shape[:3])) // in_factor**2)
      return function(x)

    self.function, self.in_factor, self.halo = function, in_factor, halo
    self.piece = tiles.Piece(spied, 2, tf.float32, in_factor, out_factor, halo, weight)

  def check(self, batch, height, width, max_pixels):
    """Compares with the whole; returns the sizes of the tiles in cells."""
    self.cells.clear()
    features = (
      np.random.default_rng(height)
      .normal(size=(batch, height * self.in_factor, width * self.in_factor, 2))
      .astype(np.float32)
    )
    expected = self.function(features).numpy()
    actual = tiles.evaluate(self.piece, features, tf.constant(max_pixels))
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())
    return self.cells


@pytest.mark.parametrize("name", _PIECES)
@pytest.mark.parametrize(
  "batch, height, width, max_cells",
  [
    (2, 53, 61, 26 * 26),  # Odd counts of tiles, the last of which begins inside the one before.
    (1, 40, 90, 40 * 24),
    (1, 9, 130, 500),  # Less high than a tile.
    (1, 130, 9, 600),  # Narrower.
    (1, 1, 300, 40),
    (1, 300, 1, 40),
    (2, 16, 16, 300),  # One fits, both do not.
  ],
)
def test_tiles_equal_the_whole_within_the_bound(name, batch, height, width, max_cells):
  spied = _Spied(name, weight=3)
  cells = spied.check(batch, height, width, 3 * max_cells)
  smallest = np.prod([min(16 + 2 * spied.halo, side) for side in (height, width)])
  assert len(cells) > 1 and max(cells) <= max(max_cells, smallest)


@pytest.mark.parametrize("name", _PIECES)
def test_what_fits_is_evaluated_at_once(name):
  spied = _Spied(name, weight=2)
  assert spied.check(2, 17, 12, 2 * 2 * 17 * 12) == [2 * 17 * 12]
  assert len(spied.check(2, 17, 12, 2 * 2 * 17 * 12 - 1)) > 1
  spied.cells.clear()
  tiles.evaluate(spied.piece, np.zeros((2, 34, 34, 2), np.float32), None)
  assert len(spied.cells) == 1


@pytest.mark.parametrize("name", _PIECES)
def test_smaller_bounds_are_exceeded_by_the_smallest_tile(name):
  spied = _Spied(name, weight=1)
  cells = spied.check(1, 50, 50, 1)
  assert max(cells) == (16 + 2 * spied.halo) ** 2 and len(cells) == 16


@pytest.mark.parametrize("name", _PIECES)
def test_a_smaller_halo_would_show(name):
  """The halos above are no larger than needed: so the tests of equality see a wrong one."""
  spied = _Spied(name, weight=1)
  spied.piece = tiles.dataclasses.replace(spied.piece, halo=spied.halo - 1)
  with pytest.raises(AssertionError, match="Not equal to tolerance"):
    spied.check(1, 50, 50, 1)


def test_graphs_know_the_channels():
  piece = _Spied("1:2", weight=1).piece
  piece = tiles.dataclasses.replace(piece, function=_enlarging)

  @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, None, 2]), tf.TensorSpec([], tf.int32)])
  def run(features, max_pixels):
    output = tiles.evaluate(piece, features, max_pixels)
    assert output.shape.as_list() == [None, None, None, 2]
    return output

  features = _RNG.normal(size=(2, 40, 33, 2)).astype(np.float32)
  np.testing.assert_allclose(run(features, 1), run(features, 10**9), atol=1e-4)

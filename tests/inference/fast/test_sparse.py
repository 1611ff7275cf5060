"""Convolutions at listed pixels are those of the whole image there."""

import numpy as np
import pytest
import tensorflow as tf

from z2i_tf.inference.fast import sparse

_NEIGHBOURHOOD = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
_SHAPE = tf.constant([3, 7, 9])
_RNG = np.random.default_rng(0)
_IMAGE = _RNG.normal(size=(3, 7, 9, 2)).astype(np.float32)
_KERNEL = _RNG.normal(size=(3, 3, 2, 4)).astype(np.float32)
_CONVOLVED = tf.nn.conv2d(_IMAGE, _KERNEL, 1, "SAME").numpy()


def _listed(density, seed=1):
  """Pixels at random, all corners, and none in the second example."""
  needed = (np.random.default_rng(seed).random((3, 7, 9, 1)) < density).astype(np.float32)
  needed[:, ::6, ::8] = 1
  needed[1] = 0
  return needed


def _layer(rows):
  return rows @ _KERNEL.reshape(18, 4)


def test_pixels_are_listed_example_by_example_row_by_row():
  needed = _listed(0.3)
  pixels = sparse.listed(needed)
  assert pixels.dtype == tf.int32
  np.testing.assert_array_equal(pixels, np.argwhere(needed[..., 0] == 1))


def test_neighbours_are_found_by_position_and_missing_ones_numbered_n():
  pixels = sparse.listed(_listed(0.4)).numpy()
  rows = {tuple(pixel): number for number, pixel in enumerate(pixels)}
  expected = [
    [rows.get((example, y + row, x + column), len(pixels)) for row, column in _NEIGHBOURHOOD]
    for example, y, x in pixels
  ]
  np.testing.assert_array_equal(sparse.neighbours(pixels, _SHAPE), expected)


@pytest.mark.parametrize("offsets", [_NEIGHBOURHOOD, [(-1, 0), (0, 0), (-1, 1), (0, 1)], [(1, -1)]])
def test_dense_neighbourhoods_have_zeros_beyond_the_border(offsets):
  pixels = sparse.listed(_listed(0.4)).numpy()
  padded = np.pad(_IMAGE, [(0, 0), (1, 1), (1, 1), (0, 0)])
  expected = [
    np.concatenate([padded[example, 1 + y + row, 1 + x + column] for row, column in offsets])
    for example, y, x in pixels
  ]
  np.testing.assert_array_equal(sparse.gather_dense(_IMAGE, pixels, offsets), expected)


@pytest.mark.parametrize("max_rows", [None, 1, 7, 63, 64, 65, 10**9, 0])
def test_convolving_listed_pixels_is_convolving_the_image_without_the_others(max_rows):
  needed = _listed(0.5)
  pixels = sparse.listed(needed)
  expected = tf.nn.conv2d(_IMAGE * needed, _KERNEL, 1, "SAME").numpy() * needed
  table = sparse.neighbours(pixels, _SHAPE)
  seen = []

  def spied(rows):
    seen.append(len(rows))
    return _layer(rows)

  values = sparse.convolve(spied, tf.gather_nd(_IMAGE, pixels), table, max_rows)
  assert sum(seen) == len(pixels) and max(seen) <= max(1, max_rows or len(pixels))
  np.testing.assert_allclose(sparse.scatter(values, pixels, _SHAPE), expected, atol=1e-5)
  np.testing.assert_array_equal(sparse.scatter(values, pixels, _SHAPE).numpy()[needed[..., 0] == 0], 0)


def test_where_all_neighbours_are_listed_it_is_the_image_s_convolution():
  needed = np.zeros_like(_IMAGE[..., :1])
  needed[0, :4, :5] = needed[2, 3:, 4:] = 1  # Rectangles at two corners; right but for their inner border.
  pixels = sparse.listed(needed)
  dense = _layer(sparse.gather_dense(_IMAGE, pixels, _NEIGHBOURHOOD))
  listed = sparse.convolve(_layer, tf.gather_nd(_IMAGE, pixels), sparse.neighbours(pixels, _SHAPE), 6)
  np.testing.assert_allclose(dense, tf.gather_nd(_CONVOLVED, pixels), atol=1e-5)
  listed = sparse.scatter(listed, pixels, _SHAPE)
  np.testing.assert_allclose(listed[0, :3, :4], _CONVOLVED[0, :3, :4], atol=1e-5)
  np.testing.assert_allclose(listed[2, 4:, 5:], _CONVOLVED[2, 4:, 5:], atol=1e-5)
  assert np.abs(listed[0, 3, :5] - _CONVOLVED[0, 3, :5]).min() > 1e-3


@pytest.mark.parametrize("count", [0, 5])
def test_graphs_know_the_channels_and_take_empty_lists(count):
  """Layer after layer, as the decoders apply them."""
  square = np.ones([36, 4], np.float32)

  @tf.function(
    autograph=False,
    input_signature=[tf.TensorSpec([None, 4]), tf.TensorSpec([None, 3], tf.int32), tf.TensorSpec([], tf.int32)],
  )
  def twice(values, pixels, max_rows):
    table = sparse.neighbours(pixels, tf.constant([1, 4, 4]))
    for _ in range(2):
      values = sparse.convolve(lambda rows: rows @ square, values, table, max_rows)
      assert values.shape[-1] == 4
    return sparse.scatter(values, pixels, tf.constant([1, 4, 4]))

  pixels = np.array([(0, 1, column) for column in range(4)] + [(0, 3, 0)], np.int32)[:count]
  sums = twice(np.ones([count, 4], np.float32), pixels, 2).numpy()
  expected = np.zeros([4, 4])
  if count:
    expected[1], expected[3, 0] = [5 * 16, 8 * 16, 8 * 16, 5 * 16], 16
  np.testing.assert_array_equal(sums[0, ..., 0], expected)

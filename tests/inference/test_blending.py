"""The blend solves its equation: compared with a dense solver, and by what it must keep."""

import numpy as np
import pytest

from z2i_tf.inference import blending


def _dense(image, hole, fill, colours):
  """The same equation, pixel by pixel, solved densely."""
  pixels = [tuple(pixel) for pixel in np.argwhere(hole)]
  number = {pixel: index for index, pixel in enumerate(pixels)}
  matrix, right = np.zeros((len(pixels), len(pixels))), np.zeros((len(pixels), 3))
  for (row, column), index in number.items():
    matrix[index, index] += blending.ANCHOR_WEIGHT
    right[index] += blending.ANCHOR_WEIGHT * colours[row, column]
    for neighbour in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
      if not (0 <= neighbour[0] < hole.shape[0] and 0 <= neighbour[1] < hole.shape[1]):
        continue
      matrix[index, index] += 1
      if neighbour in number:
        matrix[index, number[neighbour]] -= 1
        right[index] += fill[row, column] - fill[neighbour]
      else:
        right[index] += image[neighbour]
  result = image.copy()
  result[hole] = np.clip(np.linalg.solve(matrix, right), 0, 1)
  return result


def _case(seed=0, shape=(19, 23)):
  rng = np.random.default_rng(seed)
  image, fill, colours = (0.3 + 0.4 * rng.random((*shape, 3), np.float32) for _ in range(3))
  hole = rng.random(shape) < 0.3
  hole[4:14, 5:17] = hole[0, :9] = hole[-3:, -3:] = True
  return image, hole, fill, colours


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_dense_solver(seed):
  image, hole, fill, colours = _case(seed)
  expected = _dense(image, hole, fill, colours)
  np.testing.assert_allclose(blending.blend(image, hole, fill, colours), expected, atol=5e-4)
  np.testing.assert_allclose(blending.blend(image, hole, fill), _dense(image, hole, fill, fill), atol=5e-4)


def test_a_fill_that_fits_stays():
  rows, columns = np.mgrid[:40, :50] / 100
  image = np.stack([np.full_like(rows, 0.5)] * 3, axis=-1).astype(np.float32)
  hole = (rows > 0.1) & (rows < 0.3) & (columns > 0.1)
  np.testing.assert_allclose(blending.blend(image, hole, image), image, atol=1e-6)


def test_a_step_at_the_border_disappears_and_texture_stays():
  image = np.full((80, 80, 3), 0.5, np.float32)
  hole = np.zeros((80, 80), bool)
  hole[25:55, 25:55] = True
  texture = np.random.default_rng(0).normal(0, 0.02, image.shape).astype(np.float32)
  fill = image + 0.1 + texture
  result = blending.blend(image, hole, fill)
  ring = hole.copy()
  ring[26:54, 26:54] = False
  assert abs(result[ring].mean() - 0.5) < 0.25 * abs(fill[ring].mean() - 0.5)
  inner = np.s_[30:50, 30:50]
  steps, expected = np.diff(result[inner], axis=0), np.diff(fill[inner], axis=0)
  assert np.corrcoef(steps.ravel(), expected.ravel())[0, 1] > 0.99


def test_known_pixels_are_kept_and_the_image_s_border_is_free():
  image, hole, fill, _ = _case(5)
  result = blending.blend(image, hole, fill)
  np.testing.assert_array_equal(result[~hole], image[~hole])
  flat = np.full((30, 30, 3), 0.6, np.float32)
  edge = np.zeros((30, 30), bool)
  edge[:9] = edge[:, -7:] = True
  np.testing.assert_allclose(blending.blend(flat, edge, flat * 0 + 0.6), flat, atol=1e-5)  # Not pulled to black.


def test_equal_channels_stay_equal():
  image, hole, fill, _ = _case(6)
  gray_image, gray_fill = (np.repeat(part[..., :1], 3, axis=-1) for part in (image, fill))
  result = blending.blend(gray_image, hole, gray_fill)
  assert (result[..., 0] == result[..., 1]).all() and (result[..., 1] == result[..., 2]).all()

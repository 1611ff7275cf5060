import numpy as np
import pytest
import tensorflow as tf

from z2i_tf import image_ops

_IMAGE = np.random.default_rng(0).random((2, 24, 36, 3)).astype(np.float32)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_equals_tf_image_resize(factor):
  up = tf.image.resize(_IMAGE, [24 * factor, 36 * factor], "bicubic")
  np.testing.assert_allclose(image_ops.upscale_bicubic(_IMAGE, factor), up, atol=1e-5)
  down = tf.image.resize(_IMAGE, [24 // factor, 36 // factor], "bicubic", antialias=True)
  np.testing.assert_allclose(image_ops.downscale_bicubic(_IMAGE, factor), down, atol=1e-5)


@pytest.mark.parametrize("size", [(7, 50), (224, 224), (24, 20)])
def test_bilinear_equals_tf_image_resize(size):
  expected = tf.image.resize(_IMAGE, size, antialias=True)
  np.testing.assert_allclose(image_ops.resize_bilinear_antialiased(_IMAGE, *size), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_nearest_equals_tf_image_resize(factor):
  up = tf.image.resize(_IMAGE, [24 * factor, 36 * factor], "nearest")
  np.testing.assert_array_equal(image_ops.upscale_nearest(_IMAGE, factor), up)
  down = tf.image.resize(_IMAGE, [24 // factor, 36 // factor], "nearest")
  np.testing.assert_array_equal(image_ops.downscale_nearest(_IMAGE, factor), down)


def test_halving_keeps_odd_positions():
  row = np.arange(8, dtype=np.float32).reshape(1, 1, 8, 1).repeat(2, axis=1)
  np.testing.assert_array_equal(image_ops.downscale_nearest(row, 2)[0, 0, :, 0], [1, 3, 5, 7])


def test_resizes_compile_and_know_their_static_shape():
  @tf.function(jit_compile=True)
  def there_and_back(image):
    up = image_ops.upscale_bicubic(image_ops.upscale_nearest(image, 2), 2)
    assert up.shape == [2, 96, 144, 3]
    return image_ops.downscale_bicubic(up, 4)

  assert there_and_back(_IMAGE).shape == _IMAGE.shape


def test_compose_takes_the_hole_from_the_first():
  mask = np.array([1, 0], np.float32).reshape(1, 1, 2, 1)
  np.testing.assert_array_equal(
    image_ops.compose(np.full((1, 1, 2, 1), 5.0), np.full((1, 1, 2, 1), 7.0), mask)[0, 0, :, 0], [5, 7]
  )


def test_floats_are_rounded_not_truncated():
  np.testing.assert_array_equal(
    image_ops.to_levels(np.array([-1.0, 0.6 / 255, 99.5 / 255 + 1e-6, 1.7])), [0, 1, 100, 255]
  )


@pytest.mark.parametrize("height, width", [(8, 16), (9, 15), (3, 1), (2, 33), (1, 1)])
def test_padding_reflects_to_the_multiple(height, width):
  image = np.random.default_rng(0).random((2, height, width, 2))
  expected = image
  for axis, side in ((1, height), (2, width)):  # A single row or column is repeated.
    padding = [(0, -side % 8 if axis == number else 0) for number in range(4)]
    expected = np.pad(expected, padding, "reflect" if side > 1 else "edge")
  np.testing.assert_array_equal(image_ops.pad_to_multiple(image, 8), expected)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_shrinking_looks_as_far_as_its_reach_says(factor):
  side = 12 * factor
  weights = np.stack(
    [
      image_ops.downscale_bicubic(impulse[None, :, None, None] * np.ones([1, 1, side, 1]), factor)[0, 6, 6, 0]
      for impulse in np.eye(side)
    ]
  )
  seen = np.flatnonzero(np.abs(weights) > 1e-7)
  reach = image_ops.downscale_bicubic_reach(factor)
  assert (seen[0], seen[-1]) == (6 * factor - reach, 7 * factor - 1 + reach)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_masks_grow_by_squares(radius):
  mask = np.zeros((1, 9, 11, 1), np.float32)
  mask[0, 4, 1] = 1
  expected = np.zeros_like(mask)
  expected[0, 4 - radius : 5 + radius, max(0, 1 - radius) : 2 + radius] = 1
  np.testing.assert_array_equal(image_ops.dilate(mask, radius), expected)

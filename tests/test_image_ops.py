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
      image_ops.compose(np.full((1, 1, 2, 1), 5.0), np.full((1, 1, 2, 1), 7.0), mask)[0, 0, :, 0], [5, 7])


def test_floats_are_rounded_not_truncated():
  np.testing.assert_array_equal(
      image_ops.to_levels(np.array([-1.0, 0.6 / 255, 99.5 / 255 + 1e-6, 1.7])), [0, 1, 100, 255])


@pytest.mark.parametrize("height, width", [(8, 16), (9, 15), (3, 1), (1, 1)])
def test_padding_reflects_to_the_multiple(height, width):
  image = np.random.default_rng(0).random((height, width, 2))
  padded = image_ops.pad_to_multiple(image, 8)
  assert padded.shape[0] % 8 == padded.shape[1] % 8 == 0
  assert padded.shape[0] - height < 8 and padded.shape[1] - width < 8
  np.testing.assert_array_equal(padded[:height, :width], image)
  if height > 7 and height % 8:
    np.testing.assert_array_equal(padded[height, :width], image[height - 2])

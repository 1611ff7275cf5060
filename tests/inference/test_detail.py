"""Tests that texture is copied from around the hole, repeats, and is left out where no patch fits."""

import cv2
import numpy as np
import pytest

from z2i_tf.inference import detail


def _textured(height=150, width=170, seed=0):
  """Noise with structure of a few pixels, and a hole in its middle filled with its mean."""
  noise = np.random.default_rng(seed).normal(0.0, 1.0, (height, width, 3)).astype(np.float32)
  image = np.clip(0.5 + 0.4 * cv2.GaussianBlur(noise, (0, 0), 1.0), 0, 1).astype(np.float32)
  hole = cv2.circle(np.zeros((height, width), np.uint8), (width // 2, height // 2), 25, 1, -1).astype(bool)
  fill = np.where(hole[..., np.newaxis], image[~hole].mean(axis=0), image).astype(np.float32)
  return image, hole, fill


def _sharpness(image, where):
  return np.abs(image - cv2.GaussianBlur(image, (0, 0), 2.0))[where].mean()


def test_the_hole_gets_the_sharpness_of_its_surroundings():
  image, hole, fill = _textured()
  result = detail.add_texture(image, hole, fill)
  inside = cv2.erode(hole.astype(np.uint8), np.ones((9, 9))) > 0
  assert _sharpness(fill, inside) < 0.01 * _sharpness(image, inside)
  assert _sharpness(result, inside) > 0.6 * _sharpness(image, inside)
  np.testing.assert_array_equal(result[~hole], image[~hole])
  assert result.dtype == np.float32


def test_a_period_goes_on_through_the_hole():
  rows, columns = np.mgrid[:140, :160]
  stripes = (0.5 + 0.3 * np.sin(2 * np.pi * columns / 12))[..., np.newaxis] * np.ones(3)
  image, hole = stripes.astype(np.float32), np.zeros((140, 160), bool)
  hole[50:90, 60:100] = True
  smooth = np.where(hole[..., np.newaxis], 0.5 + 0.5 * (image - 0.5), image)  # Half of the contrast.
  result = detail.add_texture(image, hole, smooth)
  assert np.abs(result - image)[hole].mean() < 0.3 * np.abs(smooth - image)[hole].mean()


def test_the_result_repeats_and_pixels_under_the_hole_do_not_matter():
  image, hole, fill = _textured()
  first = detail.add_texture(image, hole, fill)
  np.testing.assert_array_equal(detail.add_texture(image, hole, fill), first)
  under = np.where(hole[..., np.newaxis], 1.0 - image, image)
  np.testing.assert_array_equal(detail.add_texture(under, hole, fill), first)


def test_gray_stays_gray():
  image, hole, fill = (part if part.ndim == 2 else np.repeat(part[..., :1], 3, axis=-1) for part in _textured())
  result = detail.add_texture(image, hole, fill)
  assert (result == result[..., :1]).all()


def test_where_no_patch_has_the_colours_the_fill_stays():
  image, hole, fill = _textured()
  red = np.where(hole[..., np.newaxis], np.float32([1.0, 0.0, 0.0]), image).astype(np.float32)
  result = detail.add_texture(image * 0.3, hole, np.where(hole[..., np.newaxis], red, image * 0.3))
  inside = cv2.erode(hole.astype(np.uint8), np.ones((15, 15))) > 0
  np.testing.assert_allclose(result[inside], red[inside], atol=0.02)


def test_a_hole_that_vanishes_when_halved_is_searched_among_fewer_patches(monkeypatch):
  image, hole, _ = _textured()
  hole[:] = False
  hole[:, ::14] = True
  fill = np.where(hole[..., np.newaxis], np.float32(0.5), image)
  unbounded = detail.add_texture(image, hole, fill)
  monkeypatch.setattr(detail, "_MAX_SEARCH_PAIRS", 10**7)
  result = detail.add_texture(image, hole, fill)
  assert (result != unbounded).any()
  np.testing.assert_array_equal(result[~hole], image[~hole])
  assert (result[hole] != 0.5).mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 9), (5, 5), (7, 8), (6, 300)])
def test_without_a_known_patch_the_fill_stays(shape):
  image, hole = np.full((*shape, 3), 0.2, np.float32), np.zeros(shape, bool)
  hole[::3, ::3] = True
  fill = np.where(hole[..., np.newaxis], np.float32(0.7), image)
  np.testing.assert_array_equal(detail.add_texture(image, hole, fill), fill)


def test_a_narrow_margin_gives_texture_although_no_patch_survives_halving():
  image, _, _ = _textured(200, 200)
  hole = np.zeros(image.shape[:2], bool)
  hole[12:-12, 12:-12] = True
  fill = np.where(hole[..., np.newaxis], image[~hole].mean(axis=0), image).astype(np.float32)
  result = detail.add_texture(image, hole, fill)
  assert _sharpness(result, hole) > 0.5 * _sharpness(image, hole)

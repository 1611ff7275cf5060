"""Holes in smooth ground, and holes in anything else."""

import cv2
import numpy as np
import pytest

from z2i_tf.inference import smooth_ground

_ROWS, _COLUMNS = np.mgrid[:120, :160].astype(np.float32)


def _sky(noise):
  down, across = _ROWS / 120, _COLUMNS / 160
  sky = np.stack([0.2 + 0.3 * down**2, 0.3 + 0.3 * down + 0.05 * across, 0.8 - 0.1 * down], axis=-1)
  return sky, (sky + np.random.default_rng(0).normal(0, noise, sky.shape)).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_hole_in_the_sky_is_filled_better_than_by_telea(noise):
  sky, image = _sky(noise)
  hole = np.zeros(image.shape[:2], bool)
  hole[20:60, 30:120] = hole[90:100, 10:14] = True
  filled = smooth_ground.fill(image, hole, np.where(hole[..., np.newaxis], np.float32(0.9), image))
  np.testing.assert_array_equal(filled[~hole], image[~hole])
  assert np.abs(filled - sky)[hole].max() < 0.012
  levels = np.rint(image * 255).astype(np.uint8)
  telea = cv2.inpaint(levels, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA) / 255
  assert np.abs(filled - sky)[hole].mean() < np.abs(telea - sky)[hole].mean()


def test_what_is_not_smooth_stays_as_it_was_filled():
  _, image = _sky(0.0)
  image[:, 80:] *= 0.9  # An edge goes through the hole.
  hole = np.zeros(image.shape[:2], bool)
  hole[20:60, 60:100] = True
  filled = np.where(hole[..., np.newaxis], np.float32(0.5), image)
  np.testing.assert_array_equal(smooth_ground.fill(image, hole, filled), filled)
  texture = np.random.default_rng(0).random((120, 160, 3)).astype(np.float32)
  np.testing.assert_array_equal(smooth_ground.fill(texture, hole, filled), filled)


@pytest.mark.parametrize("rows, columns", [((0, 30), (0, 160)), ((90, 120), (100, 160)), ((20, 50), (130, 160))])
def test_holes_at_the_border_do_not_run_away(rows, columns):
  _, image = _sky(0.004)
  hole = np.zeros(image.shape[:2], bool)
  hole[slice(*rows), slice(*columns)] = True
  before = np.where(hole[..., np.newaxis], np.float32(0.5), image)
  filled = smooth_ground.fill(image, hole, before)
  assert (filled == before).all() or np.abs(filled - _sky(0.0)[0])[hole].max() < 0.08
  flat = np.full_like(image, 0.25)
  np.testing.assert_allclose(smooth_ground.fill(flat, hole, before)[hole], 0.25, atol=1e-5)


def test_a_hole_without_known_pixels_around_it():
  image, hole = np.zeros((20, 20, 3), np.float32), np.ones((20, 20), bool)
  hole[0, 0] = False
  assert smooth_ground.fill(image, hole, image + 0.5).min() == 0.5

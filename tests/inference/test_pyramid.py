"""What the networks see, and what comes back up."""

import cv2
import numpy as np

from z2i_tf.inference import pyramid


class _Networks:
  """Fills with a constant and remembers what it saw."""

  def __init__(self, scale=2, value=0.25):
    self.scale, self.seen, self._value = scale, [], value

  def fill(self, images, holes):
    self.seen.append((images[0], holes[0]))
    return np.full_like(images, self._value)

  def refine(self, images, holes):
    self.seen.append((images[0], holes[0]))
    return np.full((1, 2 * images.shape[1], 2 * images.shape[2], 3), self._value, np.float32)


def _case(height=101, width=90):
  image = np.random.default_rng(0).random((14, 14, 3), np.float32).repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
  hole = np.zeros((height, width), bool)
  hole[30:70, 20:71] = True
  return image, hole


def test_halving_averages_known_pixels_only():
  image, hole = _case(6, 8)
  hole[:] = False
  hole[0, 0] = hole[2:4, 2:4] = hole[4, 4] = hole[4, 5] = True
  poisoned = np.where(hole[..., np.newaxis], 100.0, image).astype(np.float32)
  half, half_hole = pyramid.halve(poisoned, hole)
  assert half.shape == (3, 4, 3) and half.dtype == np.float32
  assert [tuple(place) for place in np.argwhere(half_hole)] == [(1, 1)]
  np.testing.assert_allclose(half[0, 0], np.mean([image[0, 1], image[1, 0], image[1, 1]], axis=0), rtol=1e-6)
  np.testing.assert_allclose(half[2, 2], np.mean([image[5, 4], image[5, 5]], axis=0), rtol=1e-6)
  assert (half[1, 1] == 0).all()


def test_the_networks_see_the_halved_crop_and_known_pixels_come_back():
  image, hole = _case()
  for halvings, seen in ((0, (101, 90)), (1, (51, 45)), (2, (26, 23))):
    networks = _Networks()
    result = pyramid.fill(networks, image, hole, halvings)
    ((small, small_hole),) = networks.seen
    assert small.shape == (*seen, 3) and small_hole.shape == seen
    np.testing.assert_allclose(small_hole.mean(), hole.mean(), rtol=0.1)
    np.testing.assert_array_equal(result[~hole], image[~hole])
    # Their 0.25 is blended into the border, and moves to the known colours that are like it.
    assert abs(result[45:55, 40:50].mean() - 0.25) < 0.9 * abs(image.mean() - 0.25)


def test_other_scales_than_two_are_filled_at_the_scale_they_see():
  image, hole = _case()
  networks = _Networks(scale=3)
  result = pyramid.fill(networks, image, hole, 1)
  assert networks.seen[0][0].shape == (51, 45, 3)
  np.testing.assert_array_equal(result[~hole], image[~hole])
  assert abs(result[45:55, 40:50].mean() - 0.25) < 0.9 * abs(image.mean() - 0.25)


def test_a_hole_that_would_vanish_is_halved_less_often():
  image, hole = _case()
  hole[:] = False
  hole[50, 40] = True
  networks = _Networks()
  result = pyramid.fill(networks, image, hole, 3)
  assert networks.seen[0][1].sum() == 1
  np.testing.assert_array_equal(result[~hole], image[~hole])


def test_colours_move_to_known_ones_that_are_like_them():
  image, hole = _case()
  image = np.where(image[..., :1] < 0.5, np.float32([0.9, 0.8, 0.1]), np.float32([0.1, 0.1, 0.2]))
  result = pyramid.fill(_Networks(value=0.35), image, hole, 0)
  inside = cv2.erode(hole.astype(np.uint8), np.ones((3, 3))) > 0  # At the border a fill stays near its neighbours.
  np.testing.assert_allclose(result[inside], np.broadcast_to([0.1, 0.1, 0.2], (inside.sum(), 3)), atol=1e-3)


def test_a_fill_has_no_colours_that_are_farther_away_than_others():
  image = np.full((96, 96, 3), 0.1, np.float32)
  image[:, 20:36] = 0.35
  hole = np.zeros((96, 96), bool)
  hole[36:60, 44:68] = True
  result = pyramid.fill(_Networks(value=0.35), image, hole, 0)
  np.testing.assert_allclose(result[hole], 0.1, atol=0.01)


def test_a_smooth_picture_is_filled_smoothly_whatever_the_networks_say():
  rows, columns = np.mgrid[:101, :90].astype(np.float32)
  image = np.stack([0.4 + rows / 1000, 0.6 - columns / 1000, 0 * rows + 0.5], axis=-1)
  for halvings in (0, 1):
    result = pyramid.fill(_Networks(value=0.9), image, _case()[1], halvings)
    assert np.abs(result - image).max() < 0.1
    assert np.abs(result[..., 2] - 0.5).max() < 1e-3

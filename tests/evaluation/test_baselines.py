import numpy as np
import pytest

from z2i_tf.evaluation import baselines


@pytest.mark.parametrize("method", baselines.METHODS.values(), ids=baselines.METHODS)
def test_baselines_fill_a_hole_in_a_ramp(method):
  image = np.repeat(np.linspace(40, 200, 32, dtype=np.uint8)[None, :, None], 32, axis=0).repeat(3, axis=2)
  mask = np.zeros((32, 32), np.uint8)
  mask[12:18, 12:18] = 1
  filled = method(image * (1 - mask[..., None]), mask)
  np.testing.assert_array_equal(filled[mask == 0], image[mask == 0])
  assert np.abs(filled.astype(int) - image).max() < 30


def test_mean_fill_is_the_mean_of_the_known():
  image = np.zeros((2, 2, 3), np.uint8)
  image[0] = [[10, 20, 30], [13, 40, 31]]
  mask = np.array([[0, 0], [1, 1]], np.uint8)
  np.testing.assert_array_equal(baselines.mean_fill(image, mask)[1], [[12, 30, 30]] * 2)
  np.testing.assert_array_equal(baselines.mean_fill(image, np.ones_like(mask)), image)

import numpy as np
import pytest

from z2i_tf.inference.windows import fill_order


@pytest.mark.parametrize("height, width", [(100, 90), (33, 200), (64, 65), (70, 20)])
def test_cores_cover_the_hole_once_with_margin_and_bounded_crops(height, width):
  mask = (np.random.default_rng(0).random((height, width)) < 0.3).astype(np.uint8)
  covered = np.zeros(mask.shape, int)
  for window in fill_order(mask, side=32, margin=6):
    covered[window.core] += 1
    for core, crop, length in zip(window.core, window.crop, mask.shape):
      assert crop.stop - crop.start == min(32, length) and 0 <= crop.start and crop.stop <= length
      assert core.start - crop.start >= min(6, core.start) or crop.start == 0
      assert crop.stop - core.stop >= min(6, length - core.stop)
  assert covered.max() == 1 and (covered[mask == 1] == 1).all()


def test_windows_without_hole_are_left_out():
  mask = np.zeros((200, 200), np.uint8)
  mask[150:155, 10:14] = 1
  windows = list(fill_order(mask, side=64, margin=10))
  assert len(windows) <= 2


@pytest.mark.parametrize("known", [(slice(0, 10), slice(None)), (slice(215, 220), slice(210, 220))])
def test_a_hole_larger_than_a_window_is_closed_from_its_edges(known):
  mask = np.ones((220, 220), np.uint8)
  mask[known] = 0
  hole = mask.astype(bool)
  for window in fill_order(mask, side=64, margin=10):
    assert not hole[window.crop].all()  # There is always something known to fill from.
    hole[window.core] = False
  assert not hole.any()

import numpy as np
import pytest

from z2i_tf.analyses import picture_rows


def _mask(height, width, *boxes):
  mask = np.zeros((height, width), np.uint8)
  for top, bottom, left, right in boxes:
    mask[top:bottom, left:right] = 1
  return mask


@pytest.mark.parametrize(
  "box, factor",
  [
    ((40, 60, 50, 70), 4),
    ((0, 10, 0, 10), 4),
    ((90, 96, 100, 120), 4),
    ((40, 68, 40, 50), 3),
    ((30, 70, 40, 80), 2),
    ((5, 90, 5, 20), 2),
  ],
)
def test_crop_is_the_smallest_with_room_around_the_largest_hole(box, factor):
  rows, columns = picture_rows.crop_around_largest_hole(_mask(96, 120, box, (90, 94, 2, 6)))
  assert (rows.stop - rows.start, columns.stop - columns.start) == (96 // factor, 120 // factor)
  assert 0 <= rows.start and rows.stop <= 96 and 0 <= columns.start and columns.stop <= 120
  if box[1] - box[0] < 48:
    assert rows.start <= box[0] and rows.stop >= box[1] and columns.start <= box[2] and columns.stop >= box[3]


def test_rows_show_the_same_place_at_every_resolution():
  rng = np.random.default_rng(0)
  low = rng.integers(0, 200, (256, 256, 3), np.uint8)
  high = low.repeat(2, 0).repeat(2, 1)
  mask = _mask(256, 256, (100, 120, 60, 90))
  whole, crops = picture_rows.rows_of([low, high, low], mask, "auto")
  assert [picture.shape for picture in whole] == [(256, 256, 3)] * 3
  np.testing.assert_array_equal(whole[2], low)
  rows, columns = picture_rows.crop_around_largest_hole(mask)
  np.testing.assert_array_equal(crops[0], low[rows, columns].repeat(4, 0).repeat(4, 1))
  np.testing.assert_array_equal(crops[1], crops[0])
  changed = (whole[0] != low).any(axis=-1)
  assert changed[rows, columns].sum() == changed.sum() > 0
  assert len(picture_rows.rows_of([low, high], mask, "none")) == 1
  np.testing.assert_array_equal(picture_rows.rows_of([low], mask, "none")[0][0], low)


@pytest.mark.parametrize("shape", [(20, 31), (1000, 500), (3, 4)])
def test_pictures_of_any_size(shape):
  mask = _mask(*shape, (0, 2, 0, 2))
  whole, crops = picture_rows.rows_of([np.zeros((*shape, 3), np.uint8)] * 2, mask, "auto")
  assert 128 <= max(whole[1].shape) <= 384
  assert max(whole[1].shape) / 2 < max(crops[1].shape) <= max(whole[1].shape)

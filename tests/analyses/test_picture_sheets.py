import numpy as np
import pytest

from z2i_tf.analyses import picture_sheets


def _images(*shapes):
  rng = np.random.default_rng(0)
  return [rng.integers(0, 256, (height, width, 3), np.uint8) for height, width in shapes]


def _place(sheet, image):
  """Returns (top, left) of an image that is in the sheet once."""
  windows = np.lib.stride_tricks.sliding_window_view(sheet, image.shape)[:, :, 0]
  found = np.argwhere((windows == image).all(axis=(2, 3, 4)))
  assert len(found) == 1
  return tuple(found[0])


def test_sheet_holds_every_image_whole():
  rows = [_images((10, 20), (10, 20)), _images((15, 8), (15, 8))[::-1]]
  rows[1] = [255 - image for image in rows[1]]
  sheet = picture_sheets.draw_sheet(["a", "b"], rows)
  (top, left), (other_top, right) = (_place(sheet, image) for image in rows[0])
  assert top == other_top and right > left + 20
  assert _place(sheet, rows[1][0]) > (top + 10, 0) and _place(sheet, rows[1][0])[1] == left


def test_columns_are_as_wide_as_their_texts_and_texts_are_where_they_belong():
  images = _images((9, 9), (9, 9), (9, 9), (9, 9))
  rows = [images[:2], images[2:]]
  sheet = picture_sheets.draw_sheet(["a", "b"], rows, captions=[["a long caption", "b"], ()], labels=["label", ""])
  (top, left), (_, right) = (_place(sheet, image) for image in rows[0])
  assert right - left > 60
  below = _place(sheet, rows[1][0])[0]
  assert (sheet[top + 9 : below, left:right] == 0).any() and (sheet[:top, left:right] == 0).any()
  assert below - top - 9 > 20
  tight = picture_sheets.draw_sheet(["a", "b"], rows)
  assert _place(tight, rows[1][0])[0] - _place(tight, rows[0][0])[0] - 9 < 10
  untitled = picture_sheets.draw_sheet(["", ""], rows)
  assert len(tight) - len(untitled) == _place(tight, rows[0][0])[0] - _place(untitled, rows[0][0])[0] > 10


def test_sizes_at_which_images_are_shown():
  assert picture_sheets.display_shape(256, 200) == (256, 200)
  assert picture_sheets.display_shape(1920, 1080) == (384, 216)
  assert picture_sheets.display_shape(40, 30) == (160, 120)
  (image,) = _images((2, 3))
  np.testing.assert_array_equal(picture_sheets.resize(image, (4, 6)), image.repeat(2, 0).repeat(2, 1))
  assert picture_sheets.resize(np.full((20, 20, 3), 7, np.uint8), (5, 5)).tolist() == [[[7] * 3] * 5] * 5


def test_frame_is_drawn_inside_its_box():
  image = np.zeros((12, 12, 3), np.uint8)
  framed = picture_sheets.draw_frame(image, (slice(2, 10), slice(1, 9)))
  red = framed[..., 0] > 0
  assert not image.any() and red.sum() == 8 * 8 - 4 * 4
  assert red[2:10, 1:9].sum() == red.sum() and not red[4:8, 3:7].any()


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
  rows, columns = picture_sheets.crop_around_largest_hole(_mask(96, 120, box, (90, 94, 2, 6)))
  assert (rows.stop - rows.start, columns.stop - columns.start) == (96 // factor, 120 // factor)
  assert 0 <= rows.start and rows.stop <= 96 and 0 <= columns.start and columns.stop <= 120
  if box[1] - box[0] < 48:
    assert rows.start <= box[0] and rows.stop >= box[1] and columns.start <= box[2] and columns.stop >= box[3]


def test_rows_show_the_same_place_at_every_resolution():
  rng = np.random.default_rng(0)
  low = rng.integers(0, 200, (256, 256, 3), np.uint8)
  high = low.repeat(2, 0).repeat(2, 1)
  mask = _mask(256, 256, (100, 120, 60, 90))
  whole, crops = picture_sheets.photo_rows([low, high, low], mask, "auto")
  assert [picture.shape for picture in whole] == [(256, 256, 3)] * 3
  np.testing.assert_array_equal(whole[2], low)
  rows, columns = picture_sheets.crop_around_largest_hole(mask)
  np.testing.assert_array_equal(crops[0], low[rows, columns].repeat(4, 0).repeat(4, 1))
  np.testing.assert_array_equal(crops[1], crops[0])
  changed = (whole[0] != low).any(axis=-1)
  assert changed[rows, columns].sum() == changed.sum() > 0
  assert len(picture_sheets.photo_rows([low, high], mask, "none")) == 1
  np.testing.assert_array_equal(picture_sheets.photo_rows([low], mask, "none")[0][0], low)


@pytest.mark.parametrize("shape", [(20, 31), (1000, 500), (3, 4)])
def test_pictures_of_any_size(shape):
  mask = _mask(*shape, (0, 2, 0, 2))
  whole, crops = picture_sheets.photo_rows([np.zeros((*shape, 3), np.uint8)] * 2, mask, "auto")
  assert 128 <= max(whole[1].shape) <= 384
  assert max(whole[1].shape) / 2 < max(crops[1].shape) <= max(whole[1].shape)

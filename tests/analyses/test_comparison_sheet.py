import numpy as np

from z2i_tf.analyses import comparison_sheet


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
  sheet = comparison_sheet.draw_sheet(["a", "b"], rows)
  (top, left), (other_top, right) = (_place(sheet, image) for image in rows[0])
  assert top == other_top and right > left + 20
  assert _place(sheet, rows[1][0]) > (top + 10, 0) and _place(sheet, rows[1][0])[1] == left


def test_columns_are_as_wide_as_their_texts_and_texts_are_where_they_belong():
  images = _images((9, 9), (9, 9), (9, 9), (9, 9))
  rows = [images[:2], images[2:]]
  sheet = comparison_sheet.draw_sheet(["a", "b"], rows, captions=[["a long caption", "b"], ()], labels=["label", ""])
  (top, left), (_, right) = (_place(sheet, image) for image in rows[0])
  assert right - left > 60
  below = _place(sheet, rows[1][0])[0]
  assert (sheet[top + 9 : below, left:right] == 0).any() and (sheet[:top, left:right] == 0).any()
  assert below - top - 9 > 20
  tight = comparison_sheet.draw_sheet(["a", "b"], rows)
  assert _place(tight, rows[1][0])[0] - _place(tight, rows[0][0])[0] - 9 < 10
  untitled = comparison_sheet.draw_sheet(["", ""], rows)
  assert len(tight) - len(untitled) == _place(tight, rows[0][0])[0] - _place(untitled, rows[0][0])[0] > 10


def test_sizes_at_which_images_are_shown():
  assert comparison_sheet.display_shape(256, 200) == (256, 200)
  assert comparison_sheet.display_shape(1920, 1080) == (384, 216)
  assert comparison_sheet.display_shape(40, 30) == (160, 120)
  (image,) = _images((2, 3))
  np.testing.assert_array_equal(comparison_sheet.at_size(image, (4, 6)), image.repeat(2, 0).repeat(2, 1))
  assert comparison_sheet.at_size(np.full((20, 20, 3), 7, np.uint8), (5, 5)).tolist() == [[[7] * 3] * 5] * 5


def test_frame_is_drawn_inside_its_box():
  image = np.zeros((12, 12, 3), np.uint8)
  framed = comparison_sheet.draw_frame(image, (slice(2, 10), slice(1, 9)))
  red = framed[..., 0] > 0
  assert not image.any() and red.sum() == 8 * 8 - 4 * 4
  assert red[2:10, 1:9].sum() == red.sum() and not red[4:8, 3:7].any()

"""The rows that one photograph fills in a sheet: whole pictures, and below them a crop around its largest hole."""

from collections.abc import Sequence

import cv2
import numpy as np

from z2i_tf.analyses import comparison_sheet

# How many times smaller than the picture the crop may be: the largest that leaves room around the hole.
_CROP_FACTORS = (4, 3, 2)
_MARGIN_SHARE = 0.06


def crop_around_largest_hole(mask: np.ndarray) -> tuple[slice, slice]:
  """Returns rows and columns of a crop of the mask's proportions, a quarter, third or half of it along a side.

  The crop's middle is that of the largest connected hole, as far as the border allows; a hole larger than half of the
  picture is cut.

  Args:
    mask: (H, W) uint8, 1 = hole, with a hole.
  """
  _, _, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
  left, top, width, height, _ = max(boxes[1:].tolist(), key=lambda box: box[cv2.CC_STAT_AREA])
  extents = [(top, height), (left, width)]
  room = 1 + 2 * _MARGIN_SHARE
  for factor in _CROP_FACTORS:
    sides = [max(1, side // factor) for side in mask.shape]
    if all(extent * room <= side for (_, extent), side in zip(extents, sides)):
      break
  starts = [
    min(max(0, first + extent // 2 - side // 2), whole - side)
    for (first, extent), side, whole in zip(extents, sides, mask.shape)
  ]
  return tuple(slice(start, start + side) for start, side in zip(starts, sides))


def rows_of(pictures: Sequence[np.ndarray], mask: np.ndarray, zoom_crop: str) -> list[list[np.ndarray]]:
  """Returns one row of pictures at display size, and with `zoom_crop` "auto" a second one of enlarged crops.

  A red frame in the first picture shows where the crop is from. Pictures at high resolution are shrunk in the first row
  only.

  Args:
    pictures: (H * n, W * n, 3) uint8, n = 1 or, at high resolution, more.
    mask: (H, W) uint8, 1 = hole.
    zoom_crop: "auto" or "none".
  """
  height, width = mask.shape
  shape = comparison_sheet.display_shape(height, width)
  whole = [comparison_sheet.at_size(picture, shape) for picture in pictures]
  if zoom_crop == "none":
    return [whole]
  box = crop_around_largest_hole(mask)
  crops = [picture[tuple(_scaled(side, picture.shape[0] / height) for side in box)] for picture in pictures]
  whole[0] = comparison_sheet.draw_frame(whole[0], tuple(_scaled(side, shape[0] / height) for side in box))
  crop_shape = crops[0].shape[:2]
  # A whole factor, so that pixels stay squares of one size; large pictures are shrunk, and so are their crops.
  factor = min(side // of_crop for side, of_crop in zip(shape, crop_shape))
  shown = tuple(factor * side for side in crop_shape) if factor else shape
  return [whole, [comparison_sheet.at_size(crop, shown) for crop in crops]]


def _scaled(side: slice, factor: float) -> slice:
  return slice(round(side.start * factor), round(side.stop * factor))

"""Lays out pictures in labelled grids, and prepares a photograph's pictures and enlarged crops for them."""

from collections.abc import Iterable
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

_GAP_PX = 8
_FONT_PX = 15
_LINE_PX = 22
_BACKGROUND = (255, 255, 255)
_INK = (0, 0, 0)
_FRAME = (255, 40, 40)
# Larger images are shrunk and smaller ones enlarged, so that they can be compared side by side.
_MAX_SIDE_PX, _MIN_SIDE_PX = 384, 128
# Ratios of picture to crop; the first that leaves room around the hole is used.
_CROP_FACTORS = (4, 3, 2)
_MARGIN_SHARE = 0.06


def draw_sheet(
  titles: Sequence[str],
  rows: Sequence[Sequence[np.ndarray]],
  captions: Sequence[Sequence[str]] = (),
  labels: Sequence[str] = (),
) -> np.ndarray:
  """Draws images in a grid; a column is as wide as its widest image or text.

  Args:
    titles: one above each column; all "" for none.
    rows: (H, W, 3) uint8 images.
    captions: for each row, a text under each of its images, or an empty sequence.
    labels: for each row, a text above it; "" for none, which takes no space.
  Returns: (H', W', 3) uint8.
  """
  captions, labels = captions or [()] * len(rows), labels or [""] * len(rows)
  font = ImageFont.load_default(_FONT_PX)
  widths = [
    max([image.shape[1] for image in column] + [int(font.getlength(text)) + 1 for text in texts])
    for column, texts in zip(zip(*rows), _texts_of_columns(titles, captions))
  ]
  lefts = np.cumsum([_GAP_PX] + [width + _GAP_PX for width in widths])
  heights = [max(image.shape[0] for image in row) for row in rows]
  lines = any(titles) + sum(map(bool, captions)) + sum(map(bool, labels))
  sheet_width = max([lefts[-1]] + [int(font.getlength(label)) + 2 * _GAP_PX for label in labels])
  sheet = Image.new("RGB", (int(sheet_width), sum(heights) + lines * _LINE_PX + (len(rows) + 1) * _GAP_PX), _BACKGROUND)
  draw = ImageDraw.Draw(sheet)

  def write(left, top, text):
    draw.text((int(left), top + _LINE_PX - _GAP_PX // 2), text, fill=_INK, font=font, anchor="ls")

  top = _GAP_PX // 2
  if any(titles):
    for left, title in zip(lefts, titles):
      write(left, top, title)
    top += _LINE_PX
  for row, height, texts, label in zip(rows, heights, captions, labels):
    if label:
      write(_GAP_PX, top, label)
      top += _LINE_PX
    for left, image in zip(lefts, row):
      sheet.paste(Image.fromarray(image), (int(left), top))
    top += height
    if texts:
      for left, text in zip(lefts, texts):
        write(left, top, text)
      top += _LINE_PX
    top += _GAP_PX
  return np.asarray(sheet)


def _texts_of_columns(titles: Sequence[str], captions: Sequence[Sequence[str]]) -> Iterable[tuple[str, ...]]:
  return zip(*[titles, *(row for row in captions if row)])


def photo_rows(pictures: Sequence[np.ndarray], mask: np.ndarray, zoom_crop: str) -> list[list[np.ndarray]]:
  """Prepares the rows of a sheet that show one photograph.

  The first row shows whole pictures at display size, high-resolution ones shrunk. With `zoom_crop` "auto", a second
  row shows enlarged crops around the largest hole, and a red frame in the first picture marks the crop.

  Args:
    pictures: (H * n, W * n, 3) uint8; n = 1, or more at high resolution.
    mask: (H, W) uint8, 1 = hole.
    zoom_crop: "auto" or "none".
  Returns: one row or two.
  """
  height, width = mask.shape
  shape = display_shape(height, width)
  whole = [resize(picture, shape) for picture in pictures]
  if zoom_crop == "none":
    return [whole]
  box = crop_around_largest_hole(mask)
  crops = [picture[tuple(_scaled(side, picture.shape[0] / height) for side in box)] for picture in pictures]
  whole[0] = draw_frame(whole[0], (_scaled(box[0], shape[0] / height), _scaled(box[1], shape[0] / height)))
  crop_height, crop_width = crops[0].shape[:2]
  # A whole factor keeps pixels square and equal; crops of large pictures are shrunk as those are.
  factor = min(shape[0] // crop_height, shape[1] // crop_width)
  shown = (factor * crop_height, factor * crop_width) if factor else shape
  return [whole, [resize(crop, shown) for crop in crops]]


def crop_around_largest_hole(mask: np.ndarray) -> tuple[slice, slice]:
  """Returns the rows and columns of a crop centred on the largest connected hole, as far as the border allows.

  The crop has the mask's aspect ratio and a quarter, a third or half of its sides. It cuts a hole larger than that.

  Args:
    mask: (H, W) uint8, 1 = hole, with at least one hole.
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
  rows, columns = (slice(start, start + side) for start, side in zip(starts, sides))
  return rows, columns


def _scaled(side: slice, factor: float) -> slice:
  return slice(round(side.start * factor), round(side.stop * factor))


def paint_hole(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Returns the (H, W, 3) uint8 image with its hole (mask 1) in white."""
  return np.where(mask[..., np.newaxis] == 1, np.uint8(255), image)


def mask_picture(mask: np.ndarray) -> np.ndarray:
  """Returns an (H, W) mask, 1 = hole, as an (H, W, 3) uint8 picture with a white hole."""
  return np.repeat(mask[..., np.newaxis] * np.uint8(255), 3, axis=2)


def display_shape(height: int, width: int) -> tuple[int, int]:
  """Returns the height and width at which to show an image: shrunk if large, enlarged by a whole factor if small."""
  largest = max(height, width)
  if largest > _MAX_SIDE_PX:
    return max(1, round(height * _MAX_SIDE_PX / largest)), max(1, round(width * _MAX_SIDE_PX / largest))
  factor = -(-_MIN_SIDE_PX // largest)
  return height * factor, width * factor


def resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Resizes an (H, W, 3) uint8 image to a height and width.

  Enlarging a whole number of times repeats pixels, so that they stay visible; anything else is Lanczos resampling.
  """
  if image.shape[:2] == tuple(shape):
    return image
  repeats = all(new % old == 0 for new, old in zip(shape, image.shape))
  method = Image.Resampling.NEAREST if repeats else Image.Resampling.LANCZOS
  return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), method))


def draw_frame(image: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
  """Returns a copy of an (H, W, 3) uint8 image with a red frame, 2 pixels wide, inside a box of rows and columns."""
  framed = np.array(image)
  inner = tuple(slice(side.start + 2, side.stop - 2) for side in box)
  kept = framed[inner].copy()
  framed[box] = _FRAME
  framed[inner] = kept
  return framed

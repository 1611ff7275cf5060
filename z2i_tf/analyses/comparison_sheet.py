"""One picture of many: a labelled grid of images, and what is done to an image before it is put there."""

from collections.abc import Sequence

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
# Sides that are well seen beside others: larger images are shrunk, small ones enlarged.
_LARGEST_SIDE_PX, _SMALLEST_SIDE_PX = 384, 128


def draw_sheet(
  titles: Sequence[str],
  rows: Sequence[Sequence[np.ndarray]],
  captions: Sequence[Sequence[str]] = (),
  labels: Sequence[str] = (),
) -> np.ndarray:
  """Lays images out in a grid, a title above each column; a column is as wide as its widest image or text.

  Args:
    titles: one per column; none of them if all are "".
    rows: of (H, W, 3) uint8 images.
    captions: for each row a text under each of its images; an empty row has none.
    labels: for each row a text above it; "" takes no place, so that the row belongs to the one before.
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


def _texts_of_columns(titles, captions):
  return zip(*[titles, *(row for row in captions if row)])


def paint_hole(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Returns the (H, W, 3) uint8 image with its hole (mask 1) in white."""
  return np.where(mask[..., np.newaxis] == 1, np.uint8(255), image)


def display_shape(height: int, width: int) -> tuple[int, int]:
  """Returns the size (height, width) to show an image at: shrunk if large, enlarged by a whole factor if small."""
  largest = max(height, width)
  if largest > _LARGEST_SIDE_PX:
    return tuple(max(1, round(side * _LARGEST_SIDE_PX / largest)) for side in (height, width))
  factor = -(-_SMALLEST_SIDE_PX // largest)
  return height * factor, width * factor


def at_size(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Returns an (H, W, 3) uint8 image at another size (height, width).

  Enlarging by a whole factor repeats pixels, so that they are seen as they are; anything else is Lanczos resampling.
  """
  if image.shape[:2] == tuple(shape):
    return image
  repeats = all(new % old == 0 for new, old in zip(shape, image.shape))
  method = Image.Resampling.NEAREST if repeats else Image.Resampling.LANCZOS
  return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), method))


def draw_frame(image: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
  """Returns a copy of the (H, W, 3) uint8 image with a red frame, 2 pixels, inside the box of rows and columns."""
  framed = np.array(image)
  inner = tuple(slice(side.start + 2, side.stop - 2) for side in box)
  kept = framed[inner].copy()
  framed[box] = _FRAME
  framed[inner] = kept
  return framed

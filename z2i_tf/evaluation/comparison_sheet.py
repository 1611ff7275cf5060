"""One picture of many: a labelled grid of images."""

from typing import Sequence

import numpy as np
from PIL import Image
from PIL import ImageDraw

_GAP_PX = 6
_TITLE_PX = 18
_BACKGROUND = (255, 255, 255)
_INK = (0, 0, 0)


def draw_sheet(titles: Sequence[str], rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
  """Lays images out in a grid, a title above each column.

  Args:
    titles: one per column.
    rows: of (H, W, 3) uint8 images; within a row all of one size.
  Returns: (H', W', 3) uint8.
  """
  widest = max(row[0].shape[1] for row in rows)
  column = widest + _GAP_PX
  height = _TITLE_PX + sum(row[0].shape[0] + _GAP_PX for row in rows)
  sheet = Image.new("RGB", (column * len(titles) + _GAP_PX, height), _BACKGROUND)
  draw = ImageDraw.Draw(sheet)
  for index, title in enumerate(titles):
    draw.text((_GAP_PX + index * column, 3), title, fill=_INK)
  top = _TITLE_PX
  for row in rows:
    for index, image in enumerate(row):
      sheet.paste(Image.fromarray(image), (_GAP_PX + index * column, top))
    top += row[0].shape[0] + _GAP_PX
  return np.asarray(sheet)


def paint_hole(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Returns the (H, W, 3) uint8 image with its hole (mask 1) in white."""
  return np.where(mask[..., np.newaxis] == 1, np.uint8(255), image)

"""Covers the holes of a large image with windows of bounded size, and says in which order to fill them."""

import dataclasses
from typing import Iterator, List, Tuple

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Window:
  """A piece of the image, in pixels.

  Attributes:
    crop: rows and columns that the networks see.
    core: rows and columns, inside the crop, whose hole pixels are filled from it.
  """
  crop: Tuple[slice, slice]
  core: Tuple[slice, slice]

  @property
  def core_in_crop(self) -> Tuple[slice, slice]:
    """The core's place in the crop."""
    return tuple(slice(core.start - crop.start, core.stop - crop.start) for core, crop in zip(self.core, self.crop))

  def moved(self, rows: int, columns: int) -> "Window":
    """Returns the same window of a larger image, in which this one begins at (rows, columns)."""
    return Window(*(tuple(slice(part.start + step, part.stop + step) for part, step in zip(parts, (rows, columns)))
                    for parts in (self.crop, self.core)))


def fill_order(mask: np.ndarray, side: int, margin: int) -> Iterator[Window]:
  """Yields windows until their cores have covered every hole pixel.

  The image is divided into cores; each is seen with a margin around it. The window whose crop has the
  largest share of known pixels comes first, and what it fills counts as known for those after it: holes
  larger than a window are closed from their edges inwards.

  Args:
    mask: (H, W), 1 = hole, 0 = known.
    side: longest side of a crop, pixels.
    margin: pixels between core and crop, where the image has them.
  """
  hole = mask.astype(bool)
  hole_shares = {window: hole[window.crop].mean() for window in _grid(hole.shape, side, margin)
                 if hole[window.core].any()}
  while hole_shares:
    window = min(hole_shares, key=hole_shares.get)
    del hole_shares[window]
    yield window
    hole[window.core] = False
    for other in hole_shares:
      if _overlap(other.crop, window.core):
        hole_shares[other] = hole[other.crop].mean()


def _overlap(first, second):
  return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second))


def _grid(shape: Tuple[int, int], side: int, margin: int) -> List[Window]:
  rows, columns = (_intervals(length, side, margin) for length in shape)
  return [Window(crop=(row[0], column[0]), core=(row[1], column[1])) for row in rows for column in columns]


def _intervals(length, side, margin):
  """Divides an axis; returns (crop, core) slices, all crops equally long."""
  crop_length = min(side, length)
  core_length = crop_length if length <= side else side - 2 * margin
  intervals = []
  for start in range(0, length, core_length):
    stop = min(start + core_length, length)
    first = min(max(0, start - margin), length - crop_length)
    intervals.append((slice(first, first + crop_length), slice(start, stop)))
  return intervals

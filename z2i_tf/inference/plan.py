"""How an image will be filled: whole, or in crops around its holes, within a bound of the memory.

Memory of the networks follows the pixels they see; time too, and attention's the product of pixels and hole. An image
is seen whole if that fits the bound, unless crops take clearly less time. Crops go around groups of holes, with
context; a group that is too large for the bound, or would take clearly more time than its parts, is covered by windows,
filled from the best known one inwards.
"""

import dataclasses
from typing import List, Tuple

import cv2
import numpy as np

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.inference import windows
from z2i_tf.inference.footprint import Footprint
from z2i_tf.memory import format_size

# Pixels around a hole that a crop shows: what its pixels depend on in the coarse network (78 pixels of convolutions),
# and some known ones for attention to copy from.
CONTEXT_PX = 96
# Crops are not smaller than the paper's images, which the networks were trained on.
MIN_CROP_PX = 256
# Windows below this side show too little beside their hole.
_MIN_WINDOW_PX = 128
# Predictions were up to 2% too low: so much of the bound is planned for.
_USED_SHARE = 0.95
# Less is seen where it takes at most this share of the work: seeing all is better.
_CLEARLY_LESS = 0.75
# Holes are grouped by squares of this side.
_CELL_PX = 16
_MARGIN_SHARE = 6  # A window's margin is this part of its side.
_BLEND_SHARE = 2  # This part of the margin is filled by both of two neighbouring windows, and blended.


@dataclasses.dataclass(frozen=True)
class Plan:
  """What will be done, and what it takes.

  Attributes:
    windows: pieces of the image in order; their cores cover every hole pixel.
    blend_px: width of the strip beyond a window's core that is blended with what the next window fills there.
    max_scores: of how many elements attention's score matrix may be at once.
    chunk_queries: how many queries that are, at least, in the largest window.
    peak_bytes: predicted peak of the process' resident memory.
    is_whole: whether the only window is the whole image.
  """
  windows: Tuple[windows.Window, ...]
  blend_px: int
  max_scores: int
  chunk_queries: int
  peak_bytes: int
  is_whole: bool

  def describe(self) -> str:
    """Returns the plan in one line."""
    sizes = [tuple(part.stop - part.start for part in window.crop) for window in self.windows]
    if self.is_whole:
      what = f"whole image ({sizes[0][0]}x{sizes[0][1]})"
    else:
      largest = max(sizes, key=lambda size: size[0] * size[1])
      what = f"{len(sizes)} crop{'s' * (len(sizes) > 1)}, the largest {largest[0]}x{largest[1]}"
    return (f"{what}; attention in chunks of {self.chunk_queries} queries; predicted peak memory "
            f"{format_size(self.peak_bytes)}")


def make_plan(hole: np.ndarray, footprint: Footprint, max_memory: int, resident: int,
              image_bytes: int) -> Plan:
  """Decides how to fill a hole.

  Args:
    hole: (H, W) bool, True = hole, somewhere.
    footprint: what the model takes.
    max_memory: bound of the process' resident memory, bytes.
    resident: what the process has without image and mask, before anything is filled, bytes.
    image_bytes: of the image's pixels.
  Returns: crops, or the whole image if they do not take clearly less time.
  Raises: InputError naming --max_memory if not even a small window fits.
  """
  everything = windows.Window(*[tuple(slice(0, side) for side in hole.shape)] * 2)
  base = resident + footprint.idle_bytes + footprint.image_bytes(image_bytes, hole.size)
  max_pixels = footprint.pixels_within(int(_USED_SHARE * max_memory) - base)
  smallest = min(_MIN_WINDOW_PX**2, _padded_area(everything))
  if max_pixels < smallest:
    needed = base + footprint.working_bytes(smallest)
    raise InputError(f"--max_memory={format_size(max_memory)} is too little: the smallest plan needs about "
                     f"{format_size(int(needed / _USED_SHARE))}; raise it")
  chosen, blend_px = [], 0
  for group in group_holes(hole):
    parts, blend_of_parts = _covering(hole, group, footprint, max_pixels)
    chosen += parts
    blend_px = max(blend_px, blend_of_parts)
  if _padded_area(everything) <= max_pixels and not _is_clearly_less(chosen, [everything], hole, footprint):
    chosen, blend_px = [everything], 0
  largest = max(map(_padded_area, chosen))
  return Plan(tuple(chosen), blend_px, footprint.max_scores, footprint.chunk_queries(largest),
              base + footprint.working_bytes(largest), is_whole=chosen[0].crop == everything.crop)


def _covering(hole, group, footprint, max_pixels):
  """Returns the group itself, or windows over it if it does not fit or they take clearly less; and their blend_px."""
  area = _padded_area(group)
  worthwhile = max(MIN_CROP_PX**2, footprint.pixels_worthwhile(hole[group.crop].mean()))
  if area <= min(max_pixels, worthwhile):
    return [group], 0
  side = _rounded_down(np.sqrt(min(max_pixels, worthwhile)))
  margin = side // _MARGIN_SHARE
  own = np.zeros_like(hole[group.crop])  # Other groups have crops of their own.
  own[group.core_in_crop] = hole[group.core]
  parts = [window.moved(*(part.start for part in group.crop)) for window in windows.fill_order(own, side, margin)]
  if area <= max_pixels and not _is_clearly_less(parts, [group], hole, footprint):
    return [group], 0
  return parts, margin // _BLEND_SHARE


def _is_clearly_less(some, others, hole, footprint):
  """Whether some windows take clearly less work than others."""
  some, others = (sum(footprint.work(_padded_area(window), hole[window.crop].sum()) for window in chosen)
                  for chosen in (some, others))
  return some <= _CLEARLY_LESS * others


def group_holes(hole: np.ndarray) -> List[windows.Window]:
  """Returns crops around groups of holes, largest hole share last.

  Holes whose context overlaps are one group, and groups are joined as long as that does not add pixels.

  Args:
    hole: (H, W) bool, True = hole, somewhere.
  Returns: windows whose cores (bounding boxes of the groups' holes) cover every hole pixel.
  """
  height, width = hole.shape
  cells = np.logical_or.reduceat(np.logical_or.reduceat(hole, range(0, height, _CELL_PX), axis=0),
                                 range(0, width, _CELL_PX), axis=1)
  reach = CONTEXT_PX // _CELL_PX // 2
  grown = cv2.dilate(cells.astype(np.uint8), np.ones([2 * reach + 1] * 2, np.uint8))
  count, labels = cv2.connectedComponents(grown, connectivity=8)
  rows, columns = np.nonzero(cells)
  groups_of_cells = labels[rows, columns] - 1
  cores = np.tile([height, 0, width, 0], [count - 1, 1])  # Top, bottom, left, right.
  for side, extreme, places in ((0, np.minimum, rows), (1, np.maximum, rows + 1),
                                (2, np.minimum, columns), (3, np.maximum, columns + 1)):
    extreme.at(cores[:, side], groups_of_cells, np.minimum(places * _CELL_PX, (height, width)[side // 2]))
  cores = _joined(cores, hole.shape)
  groups = [windows.Window(crop=_slices(crop), core=_slices(core))
            for crop, core in zip(_crops_around(cores, hole.shape), cores)]
  return sorted(groups, key=lambda group: hole[group.crop].mean())


def _joined(cores, shape):
  """Joins boxes (n, 4) while the crop around two is not larger than their crops together."""
  index = 0
  while index < len(cores):
    unions = np.stack([bound(cores[index], cores)[:, side] for side, bound in enumerate(
        (np.minimum, np.maximum, np.minimum, np.maximum))], axis=1)
    areas = _areas(_crops_around(cores, shape))
    saved = areas[index] + areas - _areas(_crops_around(unions, shape))
    saved[index] = -1
    best = int(np.argmax(saved))
    if saved[best] < 0:
      index += 1
      continue
    # The same box comes again: larger, it may join with others, passed ones too. Nothing changed between those.
    cores[index] = unions[best]
    cores = np.delete(cores, best, axis=0)
    index -= best < index
  return cores


def _crops_around(cores, shape):
  """Boxes (n, 4) of top, bottom, left, right with context, not smaller than `MIN_CROP_PX` unless the image is."""
  crops = []
  for axis, length in enumerate(shape):
    first, last = cores[:, 2 * axis] - CONTEXT_PX, cores[:, 2 * axis + 1] + CONTEXT_PX
    missing = np.maximum(0, MIN_CROP_PX - (last - first))
    first, last = first - missing // 2, last + missing - missing // 2
    # What lies beyond one border is given on the other side, down to the smallest crop.
    crops += [np.maximum(0, np.minimum(first, length - MIN_CROP_PX)), np.minimum(length, np.maximum(last, MIN_CROP_PX))]
  return np.stack(crops, axis=1)


def _areas(boxes):
  return (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])


def _slices(box):
  return slice(int(box[0]), int(box[1])), slice(int(box[2]), int(box[3]))


def _padded_area(window):
  """Pixels that the networks see of a window."""
  return int(np.prod([-(-(part.stop - part.start) // conventions.SIZE_MULTIPLE) * conventions.SIZE_MULTIPLE
                      for part in window.crop]))


def _rounded_down(side):
  return int(side) // conventions.SIZE_MULTIPLE * conventions.SIZE_MULTIPLE

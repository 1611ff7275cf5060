"""Divides a hole into pieces, each with a crop and the number of times to halve it.

The networks fill holes up to a certain thickness (twice the largest distance to a known pixel). The halvings of a piece
bring its hole below that thickness. Pieces are bounded in size, so small crops along a scratch fill it across a
photograph.
"""

from collections.abc import Sequence
import dataclasses

import cv2
import numpy as np

from z2i_tf.errors import InputError

# Sides and reaches below are pixels of the halved crop.
# A hole is cut where it is longer than this number of thicknesses, bounded by the minimum and the maximum.
_SPLIT_THICKNESSES, _MIN_SPLIT_PX, _MAX_CORE_PX = 8, 96, 256
_MIN_CROP_PX = 128  # The networks were trained on crops of this size.
_MAX_CONTEXT_PX = 96
_MIN_CONTEXT_PX = 32
# Context on each side, as a share of the hole's extent, which counts up to this many thicknesses.
_CONTEXT_SHARE, _CONTEXT_THICKNESSES = 0.8, 4
# Holes closer than two cells form one group.
_CELL_PX = 16


@dataclasses.dataclass(frozen=True)
class Piece:
  """A part of the hole, in pixels of the image.

  Attributes:
    crop: rows and columns that the networks and the search for texture see.
    core: rows and columns, inside the crop, whose hole pixels are filled.
    halvings: number of times the crop is halved for the networks.
    thickness_px: twice the largest distance of the core's hole pixels to a known one.
  """

  crop: tuple[slice, slice]
  core: tuple[slice, slice]
  halvings: int
  thickness_px: float

  @property
  def core_in_crop(self) -> tuple[slice, slice]:
    """The core's place in the crop."""
    return _moved(self.core, self.crop)

  def relative_to(self, region: tuple[slice, slice]) -> "Piece":
    """Returns the piece in pixels of a region of the image that contains its crop."""
    return dataclasses.replace(self, crop=_moved(self.crop, region), core=_moved(self.core, region))


def check_hole(mask: np.ndarray) -> np.ndarray:
  """Returns a mask (H, W), 0 = known, as bool; raises InputError if it has no hole or no known pixel."""
  hole = mask if mask.dtype == bool else mask != 0
  if not hole.any():
    raise InputError("the mask is empty: there is nothing to fill; mark the hole in white")
  if hole.all():
    raise InputError("the mask covers everything: no known pixel to fill from")
  return hole


def divide(hole: np.ndarray, max_thickness_px: float) -> list[Piece]:
  """Returns the pieces of a hole, the thinnest first.

  Args:
    hole: (H, W) bool, True = hole; at least one pixel of each kind.
    max_thickness_px: thickness that the networks can fill.
  """
  box = bounds(hole)
  inner = hole[box]
  distances = _distances(hole, box)
  start = [part.start for part in box]
  divider = _Divider(inner, distances, max_thickness_px)
  parts = _join([part for group in _groups(inner) for part in divider.cover(group)], start, hole.shape)
  left, found = inner.copy(), []
  for box, halvings, thickness in sorted(parts, key=lambda part: part[1:]):
    core = slice(*box[:2]), slice(*box[2:])
    if left[core].any():  # Boxes overlap: pieces before may have covered it.
      found.append(_piece(box, halvings, thickness, start, hole.shape))
      left[core] = False
  return found


def check_plan(plan: Sequence[Piece], hole: np.ndarray) -> None:
  """Checks that a plan is made for a hole: it covers the hole, and every piece fills pixels that no earlier one fills.

  Args:
    plan: the pieces, in order.
    hole: (H, W) bool, True = hole.
  Raises: InputError if it is the plan of another mask.
  """
  box = region(plan)
  left = hole[box].copy()
  is_own = all(part.stop <= side for part, side in zip(box, hole.shape))
  is_own = is_own and np.count_nonzero(left) == np.count_nonzero(hole)
  for piece in plan:
    core = piece.relative_to(box).core
    is_own = is_own and bool(left[core].any())
    left[core] = False
  if not is_own or left.any():
    raise InputError("`plan` is of another mask; leave it out, or give `plan` the same arguments")


def region(plan: Sequence[Piece]) -> tuple[slice, slice]:
  """Returns the rows and columns of the image that contain the crops of all pieces."""
  rows, columns = (
    slice(min(piece.crop[axis].start for piece in plan), max(piece.crop[axis].stop for piece in plan))
    for axis in (0, 1)
  )
  return rows, columns


def bounds(hole: np.ndarray) -> tuple[slice, slice]:
  """Returns the rows and columns of the bounding box of an (H, W) bool array that is True somewhere."""
  rows, columns = (
    slice(int(used[0]), int(used[-1]) + 1)
    for used in (np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0)))
  )
  return rows, columns


def thickness_px(hole: np.ndarray) -> float:
  """Returns twice the largest distance of an (H, W) bool hole's pixels to a known pixel."""
  return 2.0 * float(_distance_transform(hole).max())


def describe(plan: list[Piece]) -> str:
  """Describes a plan in a few words."""
  largest = max(plan, key=lambda piece: np.prod([part.stop - part.start for part in piece.crop]))
  height, width = (part.stop - part.start for part in largest.crop)
  halved = ("", ", halved once")[largest.halvings] if largest.halvings < 2 else f", halved {largest.halvings} times"
  return f"{len(plan)} piece{'s' * (len(plan) > 1)}, the largest in a crop of {height}x{width}{halved}"


class _Divider:
  """Cuts boxes (top, bottom, left, right) of one hole until each is small at its own scale."""

  def __init__(self, hole, distances, max_thickness_px):
    self._hole, self._distances, self._max_thickness_px = hole, distances, max_thickness_px

  def cover(self, box):
    """Returns (box, halvings, thickness) for the hole pixels of a box."""
    rows, columns = slice(*box[:2]), slice(*box[2:])
    if not self._hole[rows, columns].any():
      return []
    tight = bounds(self._hole[rows, columns])
    box = np.array([box[0] + tight[0].start, box[0] + tight[0].stop, box[2] + tight[1].start, box[2] + tight[1].stop])
    thickness = 2.0 * float(self._distances[box[0] : box[1], box[2] : box[3]].max())
    halvings = max(0, int(np.ceil(np.log2(thickness / self._max_thickness_px))))
    sides = box[1::2] - box[::2]
    if sides.max() <= max(_MIN_SPLIT_PX << halvings, min(_MAX_CORE_PX << halvings, _SPLIT_THICKNESSES * thickness)):
      return [(box, halvings, thickness)]
    axis = int(sides.argmax())
    halves = []
    for first, last in ((0, sides[axis] // 2), (sides[axis] // 2, sides[axis])):
      half = box.copy()
      half[2 * axis : 2 * axis + 2] = box[2 * axis] + first, box[2 * axis] + last
      halves += self.cover(half)
    return halves


def _join(parts, start, shape):
  """Joins parts of one scale as long as the crop around two is not larger than their crops together."""
  joined = []
  for halvings in sorted({part[1] for part in parts}):
    same = [part for part in parts if part[1] == halvings]
    boxes, thickness = (np.array([part[index] for part in same]) for index in (0, 2))
    index = 0
    while index < len(boxes):
      unions = np.stack(
        [
          bound(boxes[index], boxes)[:, side]
          for side, bound in enumerate((np.minimum, np.maximum, np.minimum, np.maximum))
        ],
        axis=1,
      )
      thicker = np.maximum(thickness, thickness[index])
      areas = _areas(_crops(boxes, thickness, halvings, start, shape))
      saved = areas[index] + areas - _areas(_crops(unions, thicker, halvings, start, shape))
      saved[(unions[:, 1::2] - unions[:, ::2]).max(axis=1) > _MAX_CORE_PX << halvings] = -1
      saved[index] = -1
      best = int(saved.argmax())
      if saved[best] < 0:
        index += 1
        continue
      boxes[index] = unions[best]
      thickness[index] = thicker[best]
      boxes, thickness = np.delete(boxes, best, axis=0), np.delete(thickness, best)
      index -= best < index  # The same box comes again: larger, it may join with others.
    joined += [(box, halvings, each) for box, each in zip(boxes, thickness)]
  return joined


def _distances(hole, box):
  """Returns the distances of a box's pixels to the nearest known pixel in it, or one pixel around it."""
  larger = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
  return _distance_transform(hole[larger])[
    tuple(slice(part.start - large.start, part.stop - large.start) for part, large in zip(box, larger))
  ]


def _distance_transform(hole):
  return cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)


def _moved(box, region):
  """Returns a box's slices relative to the start of a region."""
  return tuple(slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(box, region))


def _groups(hole):
  """Yields boxes (top, bottom, left, right) around groups of holes."""
  height, width = hole.shape
  cells = np.logical_or.reduceat(
    np.logical_or.reduceat(hole, range(0, height, _CELL_PX), axis=0), range(0, width, _CELL_PX), axis=1
  )
  grown = cv2.dilate(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
  _, _, boxes, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
  for left, top, columns, rows in boxes[1:, :4] * _CELL_PX:
    yield np.array([top, min(top + rows, height), left, min(left + columns, width)])


def _crops(boxes, thickness, halvings, start, shape):
  """Adds context to boxes (n, 4) of holes of some thickness (n,); aligned to the halved grid, in the image's pixels."""
  unit, crops = 1 << halvings, []
  extent = (boxes[:, 1::2] - boxes[:, ::2]).max(axis=1)
  extent = np.minimum(extent, _CONTEXT_THICKNESSES * thickness)
  reach = np.clip(_CONTEXT_SHARE * extent, _MIN_CONTEXT_PX * unit, _MAX_CONTEXT_PX * unit).astype(int)
  for axis, length in enumerate(shape):
    first, last = boxes[:, 2 * axis] + start[axis], boxes[:, 2 * axis + 1] + start[axis]
    missing = np.maximum(0, _MIN_CROP_PX * unit - (last - first) - 2 * reach)
    first, last = first - reach - missing // 2, last + reach + missing - missing // 2
    # Context beyond one border of the image is taken from the other side.
    first, last = first - np.maximum(0, last - length), last + np.maximum(0, -first)
    first, last = np.maximum(0, first), np.minimum(length, last)
    crops += [first // unit * unit, np.minimum(length, -(-last // unit) * unit)]
  return np.stack(crops, axis=1)


def _areas(boxes):
  return (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])


def _piece(box, halvings, thickness, start, shape):
  crop = _crops(box[np.newaxis], np.array([thickness]), halvings, start, shape)[0]
  core = box + np.repeat(start, 2)
  return Piece(
    *(tuple(slice(int(sides[2 * axis]), int(sides[2 * axis + 1])) for axis in (0, 1)) for sides in (crop, core)),
    halvings,
    float(thickness),
  )

"""Draws the page's strokes as a mask of the photograph.

Coordinates are those of the page: (0, 0) is the corner of the first pixel, and (0.5, 0.5) its centre.
"""

from collections.abc import Callable
import dataclasses
import sys
from typing import Any

import cv2
import numpy as np

from z2i_tf.web.application import Refusal

MAX_SHAPES, MAX_POINTS = 2000, 200_000
_KINDS = ("brush", "rectangle", "lasso", "mask")
_SUBPIXEL_BITS = 4  # OpenCV draws in sixteenths of a pixel.
_MAX_COORDINATE_PX = 1e6  # No photograph is that large.
_MIN_RADIUS_PX = 0.5

Box = tuple[slice, slice]


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
  """One stroke, rectangle, outline or loaded mask.

  Attributes:
    kind: "brush", "rectangle", "lasso" or "mask".
    erase: whether the shape removes from the shapes before it.
    points: (n, 3) float64: x, y and the brush's radius, pixels. A rectangle has two opposite corners.
    mask: name of a loaded mask; "" for other kinds.
  """

  kind: str
  erase: bool
  points: np.ndarray
  mask: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class BoxMask:
  """A mask that is 0 outside a box of the photograph.

  Attributes:
    box: rows and columns of the box.
    mask: (h, w) uint8, the box's part of the mask, 1 = hole.
  """

  box: Box
  mask: np.ndarray


def parse(value: Any) -> list[Shape]:
  """Reads shapes from a JSON list; raises Refusal if one is not valid."""
  if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
    raise Refusal(400, '"shapes" must be a list of objects.')
  if len(value) > MAX_SHAPES:
    raise Refusal(400, f"There are more than {MAX_SHAPES} shapes. Fill some of them first.")
  shapes = [_parse_one(each) for each in value]
  if sum(len(shape.points) for shape in shapes) > MAX_POINTS:
    raise Refusal(400, f"The shapes have more than {MAX_POINTS} points. Fill some of them first.")
  return shapes


def draw(shapes: list[Shape], size: tuple[int, int], loaded: Callable[[str], np.ndarray]) -> BoxMask | None:
  """Draws shapes one over the other.

  Args:
    shapes: shapes in the order of drawing.
    size: height and width of the photograph, pixels.
    loaded: function that returns a loaded mask, (H, W) uint8, by its name, or raises Refusal.
  Returns: the mask with the smallest box, or None if it is empty.
  """
  masks = {shape.mask: loaded(shape.mask) for shape in shapes if shape.kind == "mask"}
  boxes = [_extent(shape, size, masks) for shape in shapes if not shape.erase]
  boxes = [box for box in boxes if box[0] < box[1] and box[2] < box[3]]
  if not boxes:
    return None
  top, _, left, _ = np.min(boxes, axis=0)
  _, bottom, _, right = np.max(boxes, axis=0)
  box = slice(int(top), int(bottom)), slice(int(left), int(right))
  canvas = np.zeros((bottom - top, right - left), np.uint8)
  for shape in shapes:
    if shape.kind == "mask":
      canvas[masks[shape.mask][box] != 0] = 0 if shape.erase else 1
    else:
      _draw_one(canvas, shape, (left, top))
  return tight(BoxMask(box, canvas))


def tight(mask: BoxMask) -> BoxMask | None:
  """Returns the mask with the smallest box, or None if it is empty."""
  rows, columns = (np.flatnonzero(mask.mask.any(axis=axis)) for axis in (1, 0))
  if not len(rows):
    return None
  inner = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
  top, left = (part.start for part in mask.box)
  box = slice(top + inner[0].start, top + inner[0].stop), slice(left + inner[1].start, left + inner[1].stop)
  return BoxMask(box, np.ascontiguousarray(mask.mask[inner]))


def crop_to_hole(mask: np.ndarray) -> BoxMask | None:
  """Returns a photograph's mask, (H, W) uint8, with the smallest box, or None if it is empty."""
  return tight(BoxMask((slice(0, mask.shape[0]), slice(0, mask.shape[1])), mask))


def pad_box(mask: BoxMask, margin_px: int, size: tuple[int, int]) -> BoxMask:
  """Returns the same mask with a box that is `margin_px` larger on every side, but within the photograph."""
  rows, columns = (
    slice(max(0, part.start - margin_px), min(length, part.stop + margin_px)) for part, length in zip(mask.box, size)
  )
  box = rows, columns
  canvas = np.zeros([part.stop - part.start for part in box], np.uint8)
  canvas[tuple(slice(inner.start - outer.start, inner.stop - outer.start) for inner, outer in zip(mask.box, box))] = (
    mask.mask
  )
  return BoxMask(box, canvas)


def union(masks: list[BoxMask], size: tuple[int, int]) -> np.ndarray:
  """Returns the union of masks, (H, W) uint8, 1 = hole."""
  canvas = np.zeros(size, np.uint8)
  for mask in masks:
    canvas[mask.box] |= mask.mask
  return canvas


def _parse_one(fields: dict[str, Any]) -> Shape:
  kind, erase = fields.get("kind"), fields.get("erase", False)
  if kind not in _KINDS or not isinstance(erase, bool):
    raise Refusal(400, f'A shape needs a "kind", one of {", ".join(_KINDS)}. It may have "erase", true or false.')
  if kind == "mask":
    if not isinstance(fields.get("mask"), str):
      raise Refusal(400, 'A shape of kind mask needs "mask", the name of a loaded mask.')
    return Shape(kind, erase, np.zeros((0, 3)), fields["mask"])
  points, width = fields.get("points"), 3 if kind == "brush" else 2
  if (
    not isinstance(points, list)
    or not points
    or not all(isinstance(point, list) and len(point) == width and all(map(_is_number, point)) for point in points)
  ):
    raise Refusal(400, f'A shape of kind {kind} needs "points", a list of lists of {width} numbers.')
  if kind == "rectangle" and len(points) != 2:
    raise Refusal(400, "A rectangle has two points.")
  points = np.array([point + [0] * (3 - width) for point in points], np.float64)
  return Shape(kind, erase, np.clip(points, -_MAX_COORDINATE_PX, _MAX_COORDINATE_PX))


def _is_number(value):
  return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _extent(shape, size, masks):
  """Returns top, bottom, left and right of the pixels that a shape may touch."""
  if shape.kind == "mask":
    rows, columns = (np.flatnonzero(masks[shape.mask].any(axis=axis)) for axis in (1, 0))
    return (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if len(rows) else (0, 0, 0, 0)
  low = np.floor((shape.points[:, :2] - shape.points[:, 2:]).min(axis=0)).astype(int) - 1
  high = np.ceil((shape.points[:, :2] + shape.points[:, 2:]).max(axis=0)).astype(int) + 1
  return (*np.clip((low[1], high[1]), 0, size[0]), *np.clip((low[0], high[0]), 0, size[1]))


def _draw_one(canvas, shape, corner):
  value = 0 if shape.erase else 1
  places = shape.points[:, :2] - corner
  if shape.kind == "rectangle":
    (left, top), (right, bottom) = (
      np.clip(np.rint(each(places, axis=0)), 0, canvas.shape[::-1]).astype(int) for each in (np.min, np.max)
    )
    canvas[top:bottom, left:right] = value
    return
  fixed = np.rint((places - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)  # OpenCV's origin is the first pixel's centre.
  if shape.kind == "lasso":
    cv2.fillPoly(canvas, [fixed], value, cv2.LINE_8, _SUBPIXEL_BITS)
    return
  radii = np.maximum(shape.points[:, 2], _MIN_RADIUS_PX)
  for place, radius in zip(fixed, radii):
    cv2.circle(canvas, place.tolist(), int(round(radius * 2**_SUBPIXEL_BITS)), value, -1, cv2.LINE_8, _SUBPIXEL_BITS)
  for number in range(len(places) - 1):
    along = places[number + 1] - places[number]
    length = np.hypot(*along)
    if length:
      across = np.array([-along[1], along[0]]) / length
      corners = [
        places[number + end] + side * across * radii[number + end] for end, side in ((0, 1), (1, 1), (1, -1), (0, -1))
      ]
      cv2.fillConvexPoly(
        canvas,
        np.rint((np.array(corners) - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32),
        value,
        cv2.LINE_8,
        _SUBPIXEL_BITS,
      )

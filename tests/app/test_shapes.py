"""What is painted becomes a mask in pixels of the photograph."""

import numpy as np
import pytest

from z2i_tf.app import shapes
from z2i_tf.web.application import Refusal

_SIZE = (60, 90)


def _mask(*fields, size=_SIZE):
  """Returns the whole mask of shapes in JSON's form."""
  drawn = shapes.draw(shapes.parse(list(fields)), size, loaded=lambda name: {"m": np.eye(60, 90, dtype=np.uint8)}[name])
  return np.zeros(size, np.uint8) if drawn is None else shapes.union([drawn], size)


def _centres(size=_SIZE):
  rows, columns = np.mgrid[: size[0], : size[1]]
  return columns + 0.5, rows + 0.5


def test_a_rectangle_covers_its_pixels_from_any_corner():
  expected = np.zeros(_SIZE, np.uint8)
  expected[10:20, 30:50] = 1
  for points in ([[30, 10], [50, 20]], [[50, 20], [30, 10]], [[30.2, 19.8], [49.7, 9.6]]):
    np.testing.assert_array_equal(_mask({"kind": "rectangle", "points": points}), expected)


@pytest.mark.parametrize(
  "points",
  [[[40, 30, 12]], [[20.3, 30.8, 7], [70, 12, 7], [70, 50, 7]], [[20, 30, 3], [70, 30, 15]], [[2, 2, 9], [88, 58, 9]]],
)
def test_a_brush_covers_what_is_within_its_radius(points):
  """Radii between two points lie between theirs; the witness samples the way."""
  x, y = _centres()
  distance = np.full(_SIZE, np.inf)
  for (x0, y0, r0), (x1, y1, r1) in zip(points, points[1:] or points):
    for share in np.linspace(0, 1, 200):
      distance = np.minimum(
        distance, np.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0)) - r0 - share * (r1 - r0)
      )
  mask = _mask({"kind": "brush", "points": points})
  assert mask[distance < -1].all() and not mask[distance > 1].any()


def test_a_lasso_covers_its_inside():
  mask = _mask({"kind": "lasso", "points": [[10, 10], [70, 10], [70, 50]]})
  x, y = _centres()
  inside = (x - 10) * 40 / 60 - (y - 10)  # Above the diagonal.
  assert mask[(inside > 2) & (x < 69) & (y > 11)].all()
  assert not mask[(inside < -2) | (x > 71) | (y < 9)].any()


def test_later_shapes_lie_over_earlier_ones():
  stroke = {"kind": "rectangle", "points": [[0, 0], [40, 40]]}
  eraser = {"kind": "rectangle", "erase": True, "points": [[20, 0], [90, 60]]}
  assert _mask(stroke, eraser).sum() == 40 * 20
  assert _mask(eraser, stroke).sum() == 40 * 40
  assert not _mask(eraser).any() and not _mask(stroke, {**stroke, "erase": True}).any()


def test_a_loaded_mask_is_a_shape():
  mask = _mask({"kind": "mask", "mask": "m"})
  np.testing.assert_array_equal(mask, np.eye(60, 90))
  eraser = {"kind": "rectangle", "erase": True, "points": [[0, 0], [90, 30]]}
  assert _mask({"kind": "mask", "mask": "m"}, eraser).sum() == 30


def test_what_lies_outside_is_nothing():
  assert not _mask({"kind": "brush", "points": [[-50, -50, 10], [1e30, -1e30, 3]]}).any()
  assert shapes.draw(shapes.parse([{"kind": "rectangle", "points": [[-9, -9], [0, 0]]}]), _SIZE, None) is None


def test_the_box_is_tight_and_can_grow():
  drawn = shapes.draw(shapes.parse([{"kind": "rectangle", "points": [[80, 2], [85, 5]]}]), _SIZE, None)
  assert drawn.box == (slice(2, 5), slice(80, 85)) and drawn.mask.all()
  padded = shapes.pad_box(drawn, 10, _SIZE)
  assert padded.box == (slice(0, 15), slice(70, 90)) and padded.mask.sum() == 15
  np.testing.assert_array_equal(shapes.union([padded], _SIZE), shapes.union([drawn], _SIZE))


@pytest.mark.parametrize(
  "value",
  [
    None,
    {},
    ["brush"],
    [{}],
    [{"kind": "star"}],
    [{"kind": "brush"}],
    [{"kind": "brush", "points": []}],
    [{"kind": "brush", "points": [[1, 2]]}],
    [{"kind": "brush", "points": [[1, 2, True]]}],
    [{"kind": "brush", "points": [[1, 2, float("nan")]]}],
    [{"kind": "brush", "points": [[1, 2, "3"]]}],
    [{"kind": "brush", "points": [[1, 2, 3]], "erase": 1}],
    [{"kind": "rectangle", "points": [[1, 2]]}],
    [{"kind": "lasso", "points": [[1, 2, 3]]}],
    [{"kind": "mask"}],
    [{"kind": "mask", "mask": 7}],
    [{"kind": "rectangle", "points": [[1, 2], [3, 4]]}] * (shapes.MAX_SHAPES + 1),
    [{"kind": "lasso", "points": [[1, 2]] * (shapes.MAX_POINTS + 1)}],
  ],
)
def test_what_is_no_list_of_shapes_is_refused(value):
  with pytest.raises(Refusal) as refusal:
    shapes.parse(value)
  assert refusal.value.status == 400

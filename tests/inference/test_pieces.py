"""Pieces cover the hole, are bounded, and have the scale that their thickness asks for."""

import cv2
import numpy as np
import pytest

from z2i_tf.inference import pieces

_LIMIT_PX = 56.0


def _disc(shape, centre, radius):
  return cv2.circle(np.zeros(shape, np.uint8), centre, radius, 1, -1)


def _scratch():
  return cv2.line(np.zeros((3000, 4000), np.uint8), (0, 0), (3999, 2999), 1, 6)


def _specks():
  hole, rng = np.zeros((700, 900), np.uint8), np.random.default_rng(0)
  for x, y in rng.integers(0, (900, 700), (80, 2)):
    cv2.circle(hole, (int(x), int(y)), 3, 1, -1)
  return hole


def _all_but(shape, *known):
  hole = np.ones(shape, np.uint8)
  hole[known] = 0
  return hole


_HOLES = {
  "scratch": _scratch(),
  "disc": _disc((1400, 2000), (900, 700), 300),
  "specks": _specks(),
  "corner": _disc((400, 300), (0, 0), 90),
  "one pixel": _disc((50, 40), (20, 30), 0),
  "all but a pixel": _all_but((90, 70), 3, 5),
  "all but a row": _all_but((600, 500), 0),
  "rings": sum(
    (cv2.circle(np.zeros((900, 900), np.uint8), (450, 450), radius, 1, 3) for radius in (40, 200, 400)),
    np.zeros((900, 900), np.uint8),
  ),
  "a rectangle": np.pad(np.ones((200, 100), np.uint8), 60),
  "row": _all_but((1, 9), 0, 4),
}


@pytest.mark.parametrize("name", _HOLES)
def test_cores_cover_the_hole_inside_crops_inside_the_image(name):
  hole = _HOLES[name].astype(bool)
  covered = np.zeros_like(hole)
  for piece in pieces.divide(hole, _LIMIT_PX):
    assert (hole & ~covered)[piece.core].any()  # Nothing is filled twice.
    covered[piece.core] = True
    for crop, core, side in zip(piece.crop, piece.core, hole.shape):
      assert 0 <= crop.start <= core.start < core.stop <= crop.stop <= side
    assert not hole[piece.crop].all()
    # Bounded: a core of 256 pixels with 96 of context on both sides, and what aligns it, once halved.
    assert max(part.stop - part.start for part in piece.crop) <= (256 + 2 * 96 + 2) << piece.halvings
  assert covered[hole].all()


@pytest.mark.parametrize("name", ["disc", "corner", "a rectangle", "all but a row", "row"])
def test_thickness_is_twice_the_largest_distance_and_decides_the_scale(name):
  hole = _HOLES[name].astype(bool)
  (piece,) = pieces.divide(hole, _LIMIT_PX)
  known = np.argwhere(~hole)
  rows, columns = np.nonzero(hole)
  some = np.random.default_rng(0).permutation(len(rows))[:200]
  nearest = [np.sqrt(((known - (rows[number], columns[number])) ** 2).sum(axis=1).min()) for number in some]
  assert piece.thickness_px >= 2 * max(nearest) * 0.97  # OpenCV's distances are within 2%.
  assert piece.thickness_px / 2**piece.halvings <= _LIMIT_PX
  assert piece.halvings == 0 or piece.thickness_px / 2 ** (piece.halvings - 1) > _LIMIT_PX


def test_a_scratch_across_a_photograph_is_filled_in_small_crops_along_it():
  found = pieces.divide(_HOLES["scratch"].astype(bool), _LIMIT_PX)
  assert len(found) > 10
  assert {piece.halvings for piece in found} == {0}
  assert sum(np.prod([part.stop - part.start for part in piece.crop]) for piece in found) < 0.4 * 12e6


def test_near_holes_share_a_crop_and_far_ones_do_not():
  near, far = np.zeros((600, 2000), bool), np.zeros((600, 2000), bool)
  near[100:110, 100:110] = near[100:110, 140:150] = True
  far[100:110, 100:110] = far[100:110, 1800:1810] = True
  assert [len(pieces.divide(hole, _LIMIT_PX)) for hole in (near, far)] == [1, 2]


def test_the_thinnest_comes_first():
  hole = np.zeros((1500, 3000), bool)
  hole[300:1200, 300:1200] = hole[700:704, 2700:2900] = True
  found = pieces.divide(hole, _LIMIT_PX)
  assert [piece.halvings for piece in found] == [0, 5]
  assert pieces.describe(found).startswith("2 pieces, the largest in a crop of ")
  assert pieces.describe(found).endswith(", halved 5 times")

"""Plans: what they cover, how large their pieces are, and that they stay within the bound."""

import re

import numpy as np
import pytest

from z2i_tf import memory
from z2i_tf.errors import InputError
from z2i_tf.inference import plan as plans
from z2i_tf.inference.footprint import Footprint
from z2i_tf.models.zoom_inpainter import ModelConfig

_MAX_SCORES = 2**24
_PAPER = Footprint(ModelConfig(), "float32", _MAX_SCORES)
_RESIDENT = 6 * 10**8
_MUCH = 3 * 10**9


def _hole(height, width, *holes):
  hole = np.zeros((height, width), bool)
  for part in holes:
    hole[part] = True
  return hole


def _specks(height, width, count, seed=0):
  rng = np.random.default_rng(seed)
  return _hole(height, width, (rng.integers(0, height, count), rng.integers(0, width, count)))


def _plan(hole, max_memory=_MUCH, footprint=_PAPER):
  """Makes a plan and checks what must hold for every plan."""
  plan = plans.make_plan(hole, footprint, max_memory, _RESIDENT, 3 * hole.size)
  assert _RESIDENT < plan.peak_bytes <= max_memory
  covered = np.zeros(hole.shape, bool)
  largest = 0
  for window in plan.windows:
    covered[window.core] = True
    for core, crop, length in zip(window.core, window.crop, hole.shape):
      assert 0 <= crop.start <= core.start < core.stop <= crop.stop <= length
    largest = max(largest, np.prod([-(-(crop.stop - crop.start) // 8) * 8 for crop in window.crop]))
  assert covered[hole].all()
  base = _RESIDENT + footprint.idle_bytes + footprint.image_bytes(3 * hole.size, hole.size)
  assert plan.peak_bytes == base + footprint.working_bytes(largest)
  assert plan.is_whole == (plan.windows[0].crop == tuple(slice(0, side) for side in hole.shape))
  assert len(plan.windows) == 1 or not plan.is_whole
  return plan


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 300), (512, 512), (700, 300)])
def test_what_fits_and_has_holes_everywhere_is_seen_whole(shape):
  plan = _plan(_hole(*shape, np.s_[::3]), 10**10)
  assert plan.is_whole and len(plan.windows) == 1 and plan.blend_px == 0
  assert plan.windows[0].crop == plan.windows[0].core == tuple(slice(0, side) for side in shape)


def test_crops_are_used_where_they_are_clearly_fewer_pixels():
  near = _hole(400, 400, np.s_[190:210, 190:210])
  assert not _plan(near).is_whole
  assert not _plan(_hole(300, 300, np.s_[140:150, 140:150])).is_whole
  assert _plan(_hole(290, 280, np.s_[140:150, 140:150])).is_whole  # A crop of 256x256 would save a little.
  four_corners = _hole(400, 400, np.s_[:9, :9], np.s_[-9:, :9], np.s_[:9, -9:], np.s_[-9:, -9:])
  assert _plan(four_corners).is_whole  # Their crops overlap.


@pytest.mark.parametrize("hole, crop", [
    (np.s_[500:520, 700:730], np.s_[382:638, 585:841]),
    (np.s_[0:3, 1198:1200], np.s_[0:256, 944:1200]),
    (np.s_[400:560, 0:100], np.s_[304:656, 0:208]),
    (np.s_[897:900, 608:624], np.s_[644:900, 488:744]),
])
def test_a_crop_shows_the_context_and_is_not_small(hole, crop):
  plan = _plan(_hole(900, 1200, hole))
  (window,) = plan.windows
  for seen, part, length in zip(window.crop, hole, (900, 1200)):
    assert seen.start <= max(0, part.start - 96) and seen.stop >= min(length, part.stop + 96)
    assert seen.stop - seen.start >= 256
  # No larger than that and the squares by which holes are grouped make it.
  for seen, expected in zip(window.crop, crop):
    assert abs(seen.start - expected.start) <= 16 and abs(seen.stop - expected.stop) <= 48


def test_far_holes_have_their_own_crops_and_near_ones_one():
  far = _hole(1000, 3000, np.s_[100:110, 100:110], np.s_[600:640, 2500:2520])
  assert len(_plan(far).windows) == 2
  near = _hole(1000, 3000, np.s_[100:110, 100:110], np.s_[150:160, 150:260], np.s_[200, 90])
  assert len(_plan(near).windows) == 1
  # Boxes that grow towards each other are joined, also with one that was passed.
  chain = _hole(1000, 3000, *[np.s_[100:110, start:start + 10] for start in (900, 100, 500, 300, 700)])
  assert len(_plan(chain).windows) == 1


def test_holes_with_the_largest_part_unknown_come_last():
  plan = _plan(_hole(1000, 3000, np.s_[100:300, 100:300], np.s_[600, 2500], np.s_[100:140, 1500:1540]))
  shares = [np.prod([part.stop - part.start for part in window.core]) for window in plan.windows]
  assert len(shares) == 3 and shares == sorted(shares)


def test_many_specks_are_few_groups_that_are_quickly_found(monkeypatch):
  passes, crops_around = [], plans._crops_around
  monkeypatch.setattr(plans, "_crops_around", lambda *args: passes.append(1) or crops_around(*args))
  groups = plans.group_holes(_specks(3000, 4000, 2000))
  assert len(groups) < 20
  assert len(passes) < 4 * 2000
  # A lattice whose crops overlap, but not its context: one join for each, and no search that begins anew.
  passes.clear()
  lattice = _hole(2000, 3000, np.s_[::130, ::130])
  assert len(plans.group_holes(lattice)) == 1
  assert len(passes) <= 4 * lattice.sum()


def test_a_group_that_is_too_large_is_covered_by_windows_within_the_bound():
  plan = _plan(_hole(900, 1400, np.s_[100:800, 100:1300]), 17 * 10**8)
  sides = {part.stop - part.start for window in plan.windows for part in window.crop}
  assert len(plan.windows) > 4 and not plan.is_whole
  assert min(sides) >= 128 and max(sides) ** 2 <= _PAPER.pixels_within(17 * 10**8 - _RESIDENT)
  assert 0 < plan.blend_px < min(sides) // 6
  # Beside a hole of its own crop, which is not cut.
  both = _plan(_hole(900, 2400, np.s_[100:800, 100:1300], np.s_[400, 2200]), 17 * 10**8)
  assert any(window.core == np.s_[400:416, 2192:2208] for window in both.windows)


@pytest.mark.parametrize("shape, hole", [
    ((16, 8000), np.s_[:, 100:7000]), ((8000, 16), np.s_[3:9, 2:5]), ((1, 5000), np.s_[:, 2000:]),
    ((6000, 8000), np.s_[3000:3040, 5000:5100]), ((8000, 6000), np.s_[:5, -5:]), ((2, 2), np.s_[0, 1])])
@pytest.mark.parametrize("max_memory", [_MUCH, 17 * 10**8])
def test_extreme_shapes_fit(shape, hole, max_memory):
  plan = _plan(_hole(*shape, hole), max_memory)
  assert len(plan.windows) < 100


@pytest.mark.parametrize("config", [ModelConfig(width=16), ModelConfig(scale=4), ModelConfig(zoom="none", scale=1)],
                         ids=lambda config: f"{config.zoom}{config.scale}-{config.width}")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_any_bound_is_kept_or_refused(config, precision):
  footprint = Footprint(config, precision, _MAX_SCORES)
  hole = _hole(700, 900, np.s_[100:600, 100:700], np.s_[650, 850])
  counts = []
  for max_memory in np.geomspace(8e8, 2e10, 12).astype(int):
    try:
      counts.append(len(_plan(hole, int(max_memory), footprint).windows))
    except InputError as error:
      assert not counts  # Not where a smaller bound sufficed.
      assert re.search(r"--max_memory=.* is too little: .* needs about .*; raise it$", str(error))
  assert counts and counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("config", [ModelConfig(), ModelConfig(width=4), ModelConfig(zoom="none", scale=1, width=8)],
                         ids=lambda config: f"{config.scale}-{config.width}")
@pytest.mark.parametrize("shape", [(16, 16), (64, 500), (900, 900)])
def test_the_size_that_is_asked_for_suffices(config, shape):
  footprint, hole = Footprint(config, "float32", _MAX_SCORES), _hole(*shape, np.s_[4:12, 4:12])
  with pytest.raises(InputError, match="--max_memory=605 MB is too little") as caught:
    _plan(hole, 605 * 10**6, footprint)
  needed = memory.parse_size(re.search(r"about ([\d.]+ .B)", str(caught.value)).group(1))
  assert _plan(hole, int(1.05 * needed), footprint)  # Two digits are written.


@pytest.mark.parametrize("size", [1, 10**6, 10**7, 10**8, 10**9, 10**10])
@pytest.mark.parametrize("config", [ModelConfig(), ModelConfig(width=4), ModelConfig(zoom="none", scale=1)],
                         ids=lambda config: f"{config.scale}-{config.width}")
def test_pixels_within_a_size_are_the_most_that_it_holds(config, size):
  footprint = Footprint(config, "float32", _MAX_SCORES)
  pixels = footprint.pixels_within(size)
  assert footprint.working_bytes(pixels) <= size < footprint.working_bytes(pixels + 2)
  assert footprint.pixels_within(0) == footprint.pixels_within(-5) == 0


def test_a_plan_says_crops_chunk_and_peak():
  plan = _plan(_hole(1000, 3000, np.s_[100:110, 100:110], np.s_[600:650, 2500:2520]))
  text = plan.describe()
  assert "\n" not in text and text.startswith("2 crops, the largest 256x256; ")
  assert f"chunks of {plan.chunk_queries} queries" in text
  assert f"predicted peak memory {memory.format_size(plan.peak_bytes)}" in text
  assert plan.chunk_queries == 2**24 // (9 * 256 * 256 * 4 // 64)
  assert _plan(_hole(1000, 3000, np.s_[600, 2500])).describe().startswith("1 crop, the largest 256x256")
  assert _plan(_hole(200, 100, np.s_[60, 25])).describe().startswith("whole image (200x100)")

import dataclasses

import cv2
import numpy as np
import pytest

from z2i_tf.images import mask_files
from z2i_tf.masks.blobs import draw_blobs
from z2i_tf.masks.drawing import draw_mask
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.masks.specs import OwnMasks
from z2i_tf.masks.specs import SPECS
from z2i_tf.masks.specs import StrokeSpec


def _rng(*seed):
  return np.random.default_rng(seed)


@pytest.mark.parametrize("kind, mean_ratio, largest", [("small", 0.0572, 0.22), ("large", 0.1573, 0.60)])
def test_hole_ratio_over_10000_masks_is_the_release_s(kind, mean_ratio, largest):
  ratios = [draw_mask(SPECS[kind], 256, 256, _rng(0, i)).mean() for i in range(10_000)]
  assert abs(np.mean(ratios) - mean_ratio) < 0.003
  assert 0 < min(ratios) and max(ratios) < largest


@pytest.mark.parametrize("kind", SPECS)
def test_masks_are_binary_differ_and_repeat(kind):
  masks = [draw_mask(SPECS[kind], 64, 96, _rng(1, i)) for i in range(5)]
  for mask in masks:
    assert mask.shape == (64, 96) and mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
  assert len({mask.tobytes() for mask in masks}) == 5
  np.testing.assert_array_equal(draw_mask(SPECS[kind], 64, 96, _rng(1, 3)), masks[3])


@pytest.mark.parametrize("height, width", [(64, 640), (640, 64)])
@pytest.mark.parametrize("kind", ["small", "large"])
def test_long_masks_are_covered_to_their_edges(kind, height, width):
  covered = sum(draw_mask(SPECS[kind], height, width, _rng(2, i)).astype(int) for i in range(400))
  for edge in (covered[0], covered[-1], covered[:, 0], covered[:, -1]):
    assert (edge > 0).mean() > 0.9
  thirds = np.array_split(covered, 3, axis=int(width > height))
  # Strokes of "large" lean to the right (their angles are around 2 pi / 5), so the left has fewer.
  assert max(part.mean() for part in thirds) < 3 * min(part.mean() for part in thirds)


@pytest.mark.parametrize("thickness", [5, 12, 29])
def test_a_stroke_is_as_thick_as_its_spec_says(thickness):
  """One straight horizontal segment: its rows are the thickness, give or take two (OpenCV's rounding)."""
  spec = StrokeSpec(
    strokes=(1, 1),
    vertices=(1, 1),
    thickness_px=(thickness, thickness),
    sample_lengths=lambda rng, count, diagonal: np.full(count, 60.0),
    sample_angles=lambda rng, count: np.zeros(count),
  )
  masks = [draw_mask(spec, 256, 256, _rng(3, i)) for i in range(20)]
  inside = [mask for mask in masks if not mask[0].any() and not mask[-1].any()]
  assert inside
  for mask in inside:
    middle = mask[:, np.flatnonzero(mask.any(axis=0)).mean().astype(int)]
    assert abs(int(middle.sum()) - thickness) <= 2


def test_a_rectangle_has_sides_of_a_quarter_to_a_half_anywhere():
  masks = np.array([draw_mask(SPECS["rect"], 80, 120, _rng(8, i)) for i in range(400)])
  for mask in masks:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert 20 <= len(rows) <= 40 and 30 <= len(columns) <= 60 and mask.sum() == len(rows) * len(columns)
  covered = masks.any(axis=0)
  assert all(edge.mean() > 0.5 for edge in (covered[0], covered[-1], covered[:, 0], covered[:, -1]))


def _touches_border(mask):
  return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def test_a_quarter_of_object_masks_are_cut_by_the_border_anywhere():
  masks = np.array([draw_mask(SPECS["object"], 100, 160, _rng(11, i)) for i in range(2000)])
  cut = np.array([_touches_border(mask) for mask in masks])
  assert abs(cut.mean() - 0.25) < 0.03
  covered = masks.any(axis=0)
  assert all(edge.mean() > 0.95 for edge in (covered[0], covered[-1], covered[:, 0], covered[:, -1]))


def test_object_masks_are_one_or_two_blobs_of_their_sizes():
  masks = [draw_mask(SPECS["object"], 256, 256, _rng(12, i)) for i in range(1000)]
  inside = [mask for mask in masks if not _touches_border(mask)]
  counts = np.array([cv2.connectedComponents(mask)[0] - 1 for mask in inside])
  assert set(counts) == {1, 2} and 0.35 < (counts == 2).mean() < 0.5  # Some of the two overlap.
  # Diameters of circles as large as a blob, fractions of the side; waves enlarge the area a little.
  alone = dataclasses.replace(SPECS["object"], blobs=(1, 1), border_share=0.0)
  diameters = 2 * np.sqrt([draw_mask(alone, 256, 256, _rng(13, i)).mean() / np.pi for i in range(500)])
  assert 0.105 < min(diameters) and abs(np.median(np.log(diameters)) - np.log(np.sqrt(0.12 * 0.4))) < 0.12


@pytest.mark.parametrize("height, width", [(16, 16), (40, 24), (90, 33), (24, 90)])
def test_own_masks_just_cover_what_is_asked_for(height, width):
  """A hole of the left or the right third stays a band over all rows; crops have every width of it but the whole."""
  own = np.zeros((30, 60), np.uint8)
  own[:, :20] = 1
  masks = [draw_mask(OwnMasks([own, own[:, ::-1]]), height, width, _rng(9, i)) for i in range(800)]
  for mask in masks:
    assert mask.shape == (height, width) and (mask == mask[:1]).all() and np.count_nonzero(np.diff(mask[0])) == 1
  factor = max(height / 30, width / 60)
  hole, larger = round(20 * factor), round(60 * factor) - width
  widths = {hole - left for left in range(larger + 1)} & set(range(1, width))
  for border in (0, -1):
    assert {int(mask[0].sum()) for mask in masks if mask[0, border]} == widths


def test_own_masks_need_their_kind_and_the_other_way_round():
  own = OwnMasks([np.eye(8, dtype=np.uint8)])
  mixture = MaskMixture.parse("folder:1,rect:3", own_masks=own)
  diagonals = sum(np.array_equal(mixture.draw(8, 8, _rng(10, i)), own.masks[0]) for i in range(200))
  assert 20 < diagonals < 80
  with pytest.raises(ValueError, match="need a folder of masks"):
    MaskMixture.parse("small,folder")
  with pytest.raises(ValueError, match="'folder' is not among the kinds"):
    MaskMixture.parse("small", own_masks=own)


def test_even_tiny_small_masks_can_be_drawn():
  assert 0 < draw_mask(SPECS["small"], 6, 7, _rng(7)).mean() < 1


def test_blobs_fit_into_tiny_images():
  masks = [draw_blobs(SPECS["object"], 8, 8, _rng(8, i)) for i in range(300)]
  assert all(mask.shape == (8, 8) for mask in masks) and 0.05 < np.mean(masks) < 0.5


def test_a_mask_without_known_pixel_is_drawn_again():
  masks = [draw_mask(SPECS["large"], 24, 24, _rng(4, i)) for i in range(300)]
  assert all(0 < mask.mean() < 1 for mask in masks)
  with pytest.raises(ValueError, match="No usable mask of 2x2"):
    draw_mask(SPECS["large"], 2, 2, _rng(0))


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_the_mask_s_own_side_as_reference_size_changes_nothing(kind):
  """Changes neither the masks nor the numbers that the generator draws later."""
  plain, written_out = _rng(3), _rng(3)
  for _ in range(3):
    mask = draw_mask(SPECS[kind], 64, 64, plain)
    np.testing.assert_array_equal(draw_mask(SPECS[kind], 64, 64, written_out, reference_size=64), mask)
  assert plain.random() == written_out.random()


def test_reference_size_crops_a_larger_mask():
  plain = np.mean([draw_mask(SPECS["large"], 64, 64, _rng(5, i)).mean() for i in range(300)])
  crops = [draw_mask(SPECS["large"], 64, 64, _rng(5, i), reference_size=256) for i in range(300)]
  assert all(crop.shape == (64, 64) and 0 < crop.mean() < 1 for crop in crops)
  assert np.mean([crop.mean() for crop in crops]) < plain
  with pytest.raises(ValueError, match="no crop of 64x300"):
    draw_mask(SPECS["small"], 64, 300, _rng(0), reference_size=256)


@pytest.mark.parametrize(
  "name, kind, seed, number",
  [("astronaut", "small", 2, 9), ("chelsea", "large", 3, 7), ("coffee", "small", 0, 6), ("rocket", "large", 4, 6)],
)
def test_sample_masks_are_what_their_readme_says(name, kind, seed, number):
  mask = mask_files.read_binary_mask(f"data/masks/{name}.png")
  np.testing.assert_array_equal(mask, MaskMixture.parse(kind).draw(*mask.shape, _rng(seed, number)))


def test_mixture_draws_its_kinds_by_share():
  mixture = MaskMixture.parse("small:3, large:1")
  assert mixture.kinds == ("small", "large") and mixture.shares == (0.75, 0.25)
  mixed = np.mean([mixture.draw(256, 256, _rng(6, i)).mean() for i in range(2000)])
  assert abs(mixed - (0.75 * 0.0572 + 0.25 * 0.1573)) < 0.005
  assert MaskMixture.parse("large").shares == (1.0,)


@pytest.mark.parametrize("text", ["round", "small:0", "small:x", "small:0.5,huge:0.5", "", "small:-1"])
def test_unusable_mixtures_are_refused(text):
  with pytest.raises(ValueError, match="unknown kind of mask|must be a positive number"):
    MaskMixture.parse(text)

import numpy as np
import pytest
import tensorflow as tf

import z2i_tf
from tests import recordings
from z2i_tf import checkpoints
from z2i_tf import memory
from z2i_tf.errors import InputError
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.predictor import Predictor
from z2i_tf.models.zoom_inpainter import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter


@pytest.fixture(name="recorded", scope="module")
def _recorded():
  arrays = recordings.load("inference")
  model = ZoomInpainter(ModelConfig(width=8))
  checkpoints.assign_arrays(model.networks, arrays, "recording")
  return model, z2i_tf.Inpainter(Predictor(Generator(ModelConfig(width=8), arrays)))


@pytest.fixture(autouse=True)
def _resident(monkeypatch):
  """Plans follow what the process has: here, as much whichever tests ran before."""
  monkeypatch.setattr(memory, "resident_bytes", lambda: 6 * 10**8)


@pytest.fixture(name="bundled", scope="module")
def _bundled():
  return z2i_tf.Inpainter.load()


def _case(height, width, seed=0):
  rng = np.random.default_rng(seed)
  image = rng.integers(0, 256, (height, width, 3), np.uint8)
  mask = np.zeros((height, width), np.uint8)
  mask[height // 4:height // 2 + 1, width // 4:width // 2 + 1] = 1
  return image, mask


def test_is_the_model_rounded(recorded):
  model, inpainter = recorded
  image, mask = _case(24, 32)
  expected = model({"image_lr": image[None].astype(np.float32) / 255,
                    "mask_lr": mask[None, ..., None].astype(np.float32)})["result"][0]
  expected = np.rint(np.asarray(expected) * 255)
  result = inpainter(image, mask)
  assert np.abs(result.astype(int) - expected).max() <= 1
  assert (result == expected).mean() > 0.999


@pytest.mark.parametrize("height, width", [(16, 16), (17, 23), (64, 9), (3, 40), (2, 2), (1, 5)])
def test_any_size_keeps_size_and_known_pixels(recorded, height, width):
  image, mask = _case(height, width)
  mask[-1, -1] = 0
  result = recorded[1](image, mask)
  assert result.shape == image.shape and result.dtype == np.uint8
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])


def test_a_mask_may_be_bool_or_255_or_have_a_channel(recorded):
  image, mask = _case(16, 24)
  expected = recorded[1](image, mask)
  for same in (mask.astype(bool), mask * 255, mask[..., None]):
    np.testing.assert_array_equal(recorded[1](image, same), expected)


def test_what_is_under_the_hole_is_not_looked_at(recorded):
  image, mask = _case(16, 24)
  changed = np.where(mask[..., None] == 1, 255 - image, image)
  np.testing.assert_array_equal(recorded[1](changed, mask), recorded[1](image, mask))


def test_stages_have_the_image_s_size_or_the_zoomed_one(recorded):
  image, mask = _case(18, 25)
  stages = recorded[1].stages(image, mask)
  shapes = {name: stage.shape for name, stage in stages.items()}
  assert shapes == {"coarse": (18, 25, 3), "zoomed": (36, 50, 3), "refined": (36, 50, 3),
                    "zoomed_out": (18, 25, 3), "result": (18, 25, 3), "attention_sources": (6, 8)}
  result = recorded[1](image, mask)
  filled = np.rint(255 * stages["result"])[mask == 1]
  assert np.abs(filled - result[mask == 1]).max() <= 1
  np.testing.assert_array_equal(recorded[1].fill_whole(image, mask), result)


class _Fake:
  """Stands in for the networks.

  Attributes:
    calls: (images, holes, max_scores) of every call of `fill`.
  """
  model_config = ModelConfig()  # The paper's widths: a plan's bound is in its pixels.
  precision = "float32"
  max_scores = 2**24

  def __init__(self, filling=lambda images, holes, number: images * 0 + 0.5, errors=()):
    """`filling` gets images, holes and the number of the call; `errors` are raised by the first calls."""
    self.calls, self._filling, self._errors = [], filling, list(errors)

  def fill(self, images, holes, max_scores):
    assert images.dtype == np.float32 and holes.dtype == bool and images.shape == (*holes.shape, 3)
    self.calls.append((images.copy(), holes.copy(), max_scores))
    if self._errors:
      raise self._errors.pop(0)
    return self._filling(images, holes, len(self.calls) - 1)

  stages = fill


def _with_mean(images, holes, number):
  known = ~holes[0]
  assert known.any()
  return np.broadcast_to(images[0][known].mean(axis=0), images.shape)


def _zeroed(image, mask):
  return np.where(mask[..., None] == 1, 0, image).astype(image.dtype)


def test_a_large_image_is_filled_window_by_window():
  """In a ramp, the mean of a window around a hole is near what the hole should be; that of the image is not."""
  rows, columns = np.mgrid[:500, :2000]
  image = np.stack([rows / 2, columns / 8, 120 + 0 * rows], axis=-1).astype(np.uint8)
  mask = np.zeros((500, 2000), np.uint8)
  mask[0:12, 0:30] = mask[250:262, 300:420] = mask[100:480, 1200:1700] = mask[480:, 1990:] = 1
  fake = _Fake(_with_mean)
  inpainter = z2i_tf.Inpainter(fake, 13 * 10**8)
  plan = inpainter.plan(image, mask)
  result = inpainter(_zeroed(image, mask), mask, plan)
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  error = np.abs(result.astype(int) - image)[mask == 1]
  largest = max(holes.shape[2] for _, holes, _ in fake.calls)
  assert error[:, 1].max() < largest / 8 and error.mean() < 40
  assert (result[mask == 1][:, 2] == 120).all()  # Nothing of the hole's zeros came in.
  assert len(fake.calls) == len(plan.windows) > 6
  assert {call[2] for call in fake.calls} == {plan.max_scores}
  np.testing.assert_array_equal(inpainter(_zeroed(image, mask), mask), result)


def test_crops_see_what_crops_before_have_filled():
  image, mask = np.full((600, 700, 3), 255, np.uint8), np.zeros((600, 700), np.uint8)
  mask[50:550, 50:650] = 1
  fake = _Fake(lambda images, holes, number: np.full(images.shape, number / 255))
  inpainter = z2i_tf.Inpainter(fake, 13 * 10**8)
  plan = inpainter.plan(image, mask)
  inpainter(image, mask, plan)
  hole, fillings = mask.astype(bool), []
  assert len(fake.calls) == len(plan.windows) > 3
  for number, (window, (images, holes, _)) in enumerate(zip(plan.windows, fake.calls)):
    np.testing.assert_array_equal(holes[0], hole[window.crop])
    filled = mask[window.crop].astype(bool) & ~holes[0]
    assert (images[0][filled] <= (number - 1) / 255 + 1e-6).all()
    assert (images[0][mask[window.crop] == 0] == 1).all()
    fillings.append(filled.any())
    hole[window.core] = False
  assert sum(fillings) >= len(plan.windows) // 2


def _blended(filling, height=400, width=700):
  image, mask = np.full((height, width, 3), 7, np.uint16), np.zeros((height, width), np.uint8)
  mask[90:height - 90, 20:width - 20] = 1
  inpainter = z2i_tf.Inpainter(_Fake(filling), 13 * 10**8)
  plan = inpainter.plan(image, mask)
  result = inpainter(image, mask, plan)
  assert (result[mask == 0] == 7).all()
  return plan, result[..., 0] / 65535, mask.astype(bool)


def test_windows_go_over_into_each_other():
  """Each fills in another constant: the largest step is the strip's share of their difference."""
  plan, result, hole = _blended(lambda images, holes, number: np.full(images.shape, number % 2), height=300)
  assert len(plan.windows) > 2 and len({window.core[0].start for window in plan.windows}) == 1
  assert plan.blend_px >= 20
  steps = np.abs(np.diff(result, axis=1))[hole[:, 1:] & hole[:, :-1]]
  assert 1 / (plan.blend_px + 2) < steps.max() <= 1 / plan.blend_px
  # What the first window found is kept in its core.
  core = plan.windows[0].core
  assert (result[core][hole[core]] == 0).all() and result[hole].max() == 1


def test_where_windows_meet_at_corners_there_is_no_seam_either():
  plan, result, hole = _blended(lambda images, holes, number: np.full(images.shape, number % 3 / 2), height=620)
  assert len({window.core[0].start for window in plan.windows}) > 1
  for axis in (0, 1):
    both = np.take(hole, range(1, hole.shape[axis]), axis) & np.take(hole, range(hole.shape[axis] - 1), axis)
    assert np.abs(np.diff(result, axis=axis))[both].max() <= 2 / plan.blend_px


def test_16_bits_stay_16_bits(recorded):
  rng = np.random.default_rng(0)
  image, mask = rng.integers(0, 65536, (30, 40, 3), np.uint16), _case(30, 40)[1]
  fake = _Fake(lambda images, holes, number: images * 0 + 30_001 / 65535)
  result = z2i_tf.Inpainter(fake)(image, mask)
  assert result.dtype == np.uint16 and (result[mask == 1] == 30_001).all()
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  np.testing.assert_allclose(fake.calls[0][0][0], image / 65535, rtol=1e-6)
  image, mask = _case(24, 32)
  shorter, longer = recorded[1](image, mask), recorded[1](image.astype(np.uint16) * 257, mask)
  assert np.abs(longer / 257 - shorter).max() <= 0.51
  assert (longer[mask == 1] % 257 != 0).any()


def test_a_batch_is_filled_together_and_as_one_by_one(recorded, monkeypatch):
  pairs = [_case(16, 24, seed) for seed in range(3)]
  pairs[1][1][:] = np.roll(pairs[1][1], 5, axis=1)
  images, masks = (np.stack(parts) for parts in zip(*pairs))
  alone = [recorded[1](*pair) for pair in pairs]
  calls, fill = [], recorded[1]._predictor.fill
  monkeypatch.setattr(recorded[1]._predictor, "fill", lambda *args: calls.append(1) or fill(*args))
  together = recorded[1].fill_batch(images, masks)
  assert len(calls) == 1 and together.dtype == np.uint8
  assert np.abs(together.astype(int) - alone).max() <= 1
  np.testing.assert_array_equal(together[masks == 0], images[masks == 0])


@pytest.mark.parametrize("max_memory, errors, sizes", [
    (3 * 10**9, [], [3]),
    (3 * 10**9, [MemoryError()], [3, 1, 1, 1]),
    (84 * 10**7, [], [1, 1, 1])])
def test_a_batch_that_does_not_fit_is_filled_one_by_one(max_memory, errors, sizes):
  images, masks = (np.stack([part] * 3) for part in _case(64, 128))
  fake = _Fake(errors=errors)
  result = z2i_tf.Inpainter(fake, max_memory).fill_batch(images, masks)
  assert [len(holes) for _, holes, _ in fake.calls] == sizes
  assert (result[masks == 1] == 128).all() and (result[masks == 0] == images[masks == 0]).all()


def test_a_batch_needs_a_mask_for_each_image():
  images, masks = (np.stack([part] * 3) for part in _case(16, 24))
  for some in ((images, masks[:2]), (images[:0], masks[:0])):
    with pytest.raises(InputError, match="a mask for each image"):
      z2i_tf.Inpainter(_Fake()).fill_batch(*some)


_ERRORS = [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")]


@pytest.mark.parametrize("error", _ERRORS, ids=["Python", "TensorFlow"])
def test_out_of_memory_there_is_one_smaller_try(error):
  image, mask = np.zeros((500, 600, 3), np.uint8), np.zeros((500, 600), np.uint8)
  mask[100:400, 100:500] = 1
  fake = _Fake(errors=[error])
  result = z2i_tf.Inpainter(fake, 24 * 10**8)(image, mask)
  first, *others = [holes.size for _, holes, _ in fake.calls]
  assert len(others) > 1 and max(others) < first / 2
  assert (result[mask == 1] == 128).all() and (result[mask == 0] == 0).all()
  fake = _Fake(errors=[error] * 2)
  with pytest.raises(InputError, match="^out of memory at --max_memory=2.4 GB, and again at .*: .*$"):
    z2i_tf.Inpainter(fake, 24 * 10**8)(image, mask)
  assert len(fake.calls) == 2
  fake = _Fake(errors=[error] * 2)
  with pytest.raises(InputError, match="^out of memory at --max_memory=2.4 GB, and there is no plan that takes less "):
    z2i_tf.Inpainter(fake, 24 * 10**8)(image[:128, 100:228], mask[:128, 100:228])
  assert len(fake.calls) == 1
  for method in ("stages", "fill_whole"):
    with pytest.raises(InputError, match="^out of memory at --max_memory=2.4 GB: an image of 500x600 cannot .*$"):
      getattr(z2i_tf.Inpainter(_Fake(errors=[error]), 24 * 10**8), method)(image, mask)


def test_what_does_not_fit_whole_is_refused_before_it_runs():
  image, mask, fake = np.zeros((500, 600, 3), np.uint8), np.eye(500, 600), _Fake()
  for method in ("stages", "fill_whole"):
    with pytest.raises(InputError, match="^an image of 500x600 seen whole takes about 2.1 GB, more than --max_mem.*$"):
      getattr(z2i_tf.Inpainter(fake, 13 * 10**8), method)(image, mask)
  with pytest.raises(InputError, match="--max_memory=700 MB is too little"):
    z2i_tf.Inpainter(fake, 7 * 10**8)(image, mask)
  assert not fake.calls


def test_the_bundled_model_fills_better_than_the_mean_of_the_known(bundled):
  from z2i_tf import image_io
  image, mask = image_io.read_rgb("data/images/coffee.jpg"), image_io.read_mask("data/masks/coffee.png")
  result = bundled(image, mask)[mask == 1].astype(float)
  original = image[mask == 1].astype(float)
  mean = image[mask == 0].mean(axis=0)
  # Of the known colours' mean; weights in the wrong place would be far above 1.
  assert ((result - original) ** 2).mean() < 0.6 * ((mean - original) ** 2).mean()


@pytest.mark.parametrize("change, message", [
    (lambda image, mask: (image[..., 0], mask), "must be .H, W, 3. uint8"),
    (lambda image, mask: (image / 255.0, mask), "must be .H, W, 3. uint8"),
    (lambda image, mask: (image, mask[:-1]), "16x24.*15x24.*differ in size"),
    (lambda image, mask: (image, mask * 0), "empty"),
    (lambda image, mask: (image, mask * 0 + 1), "covers everything"),
    (lambda image, mask: (image, mask * np.arange(24, dtype=np.uint8)), "two values"),
])
def test_unusable_arguments_are_refused(recorded, change, message):
  with pytest.raises(InputError, match=message):
    recorded[1](*change(*_case(16, 24)))


def test_unknown_models_are_refused(tmp_path):
  with pytest.raises(InputError, match="--model=fancy: no such folder, and not a bundled model"):
    z2i_tf.Inpainter.load("fancy")
  with pytest.raises(InputError, match="no model here"):
    z2i_tf.Inpainter.load(str(tmp_path))
  checkpoints.write_model_file(str(tmp_path), {}, {"model": {"zoom": "sr", "scale": 7}})
  with pytest.raises(InputError, match="configuration cannot be used"):
    z2i_tf.Inpainter.load(str(tmp_path))
  checkpoints.write_model_file(str(tmp_path), {}, {"model": {"width": 4}})
  with pytest.raises(InputError, match="has no array coarse/"):
    z2i_tf.Inpainter.load(str(tmp_path))

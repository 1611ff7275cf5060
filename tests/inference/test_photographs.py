import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
import z2i_tf
from z2i_tf.errors import InputError
from z2i_tf.inference import bundled_models
from z2i_tf.inference import model_store
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.predictors import GeneratorPredictor
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter


@pytest.fixture(name="recorded", scope="module")
def _recorded():
  arrays = recordings.load("inference")
  model = ZoomInpainter(ModelConfig(width=8))
  model_weights.assign_arrays(model.networks, arrays, "recording")
  return model, z2i_tf.Inpainter(GeneratorPredictor(Generator(ModelConfig(width=8), arrays)))


@pytest.fixture(name="bundled", scope="module")
def _bundled(load_once):
  return z2i_tf.Inpainter(load_once(bundled_models.DEFAULT))


def _case(height, width, seed=0):
  rng = np.random.default_rng(seed)
  image = rng.integers(0, 256, (height, width, 3), np.uint8)
  mask = np.zeros((height, width), np.uint8)
  mask[height // 4 : height // 2 + 1, width // 4 : width // 2 + 1] = 1
  return image, mask


def test_is_the_model_rounded(recorded):
  model, inpainter = recorded
  image, mask = _case(24, 32)
  expected = model(
    {"image_lr": image[None].astype(np.float32) / 255, "mask_lr": mask[None, ..., None].astype(np.float32)}
  )["result"][0]
  expected = np.rint(np.asarray(expected) * 255)
  result = inpainter(image, mask, native=True)
  assert np.abs(result.astype(int) - expected).max() <= 1
  assert (result == expected).mean() > 0.999


@pytest.mark.parametrize("height, width", [(16, 16), (17, 23), (64, 9), (3, 40), (2, 2), (1, 5)])
@pytest.mark.parametrize("native", [False, True])
def test_any_size_keeps_size_and_known_pixels(recorded, height, width, native):
  image, mask = _case(height, width)
  mask[-1, -1] = 0
  result = recorded[1](image, mask, native)
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
  stages = recorded[1].outputs(image, mask)
  shapes = {name: stage.shape for name, stage in stages.items()}
  assert shapes == {
    "coarse": (18, 25, 3),
    "zoomed": (36, 50, 3),
    "refined": (36, 50, 3),
    "zoomed_out": (18, 25, 3),
    "result": (18, 25, 3),
    "attention_sources": (6, 8),
  }
  result = recorded[1](image, mask, native=True)
  filled = np.rint(255 * stages["result"])[mask == 1]
  assert np.abs(filled - result[mask == 1]).max() <= 1


class _Fake:
  """Stands in for the networks: fills with a constant, or raises.

  Attributes:
    calls: (images, holes) of every call.
  """

  scale = 2
  precision = "float32"
  max_thickness_px = 40.0

  def __init__(self, value=0.5, error=None):
    self.calls, self._value, self._error = [], value, error

  def fill(self, images, holes, zoom=1):
    assert images.dtype == np.float32 and holes.dtype == bool and images.shape == (*holes.shape, 3)
    self.calls.append((images.copy(), holes.copy()))
    if self._error:
      raise self._error
    return np.full((1, zoom * images.shape[1], zoom * images.shape[2], 3), self._value, np.float32)

  outputs = fill

  def refine(self, images, holes):
    return self.fill(images, holes, zoom=2)


def _photograph(height=700, width=900, seed=0):
  """A smooth picture with texture, and an object-sized hole."""
  rng = np.random.default_rng(seed)
  rows, columns = np.mgrid[:height, :width]
  smooth = np.stack([60 + rows / 10, 90 + columns / 12, 150 - rows / 12], axis=-1)
  image = np.clip(smooth + rng.normal(0, 8, (height, width, 1)), 0, 255).astype(np.uint8)
  mask = ((rows - height // 2) ** 2 + (columns - width // 2) ** 2 < 90**2).astype(np.uint8)
  return image, mask


def test_a_large_hole_is_seen_small_and_filled_with_texture(bundled):
  image, mask = _photograph()
  (piece,) = bundled.plan(image, mask)
  assert piece.thickness_px > 150 and piece.halvings >= 2
  smooth, textured = (bundled(image, mask, detail=detail).astype(float) for detail in ("none", "auto"))
  inside = mask == 1
  original = image.astype(float)
  grain = [np.abs(np.diff(each, axis=1))[inside[:, 1:]].mean() for each in (original, smooth, textured)]
  assert grain[1] < 0.4 * grain[0] < 0.8 * grain[2]
  for result in (smooth, textured):
    assert np.abs(result[inside].mean(axis=0) - original[inside].mean(axis=0)).max() < 6
    np.testing.assert_array_equal(result[~inside], original[~inside])


def test_what_is_done_repeats_and_tells_its_progress(bundled):
  image, mask = _photograph(400, 400)
  mask[10:16, 10:200] = 1
  plan = bundled.plan(image, mask)
  assert len(plan) == 2
  steps = []
  result = bundled(image, mask, plan=plan, advance=lambda: steps.append(1))
  assert len(steps) == bundled.count_steps(plan) == 4
  np.testing.assert_array_equal(bundled(image, mask), result)
  native_steps = []
  bundled(image, mask, native=True, advance=lambda: native_steps.append(1))
  assert len(native_steps) == bundled.count_steps(None) == 1


def test_pieces_see_what_pieces_before_have_filled():
  image, mask = np.full((300, 1200, 3), 255, np.uint8), np.zeros((300, 1200), np.uint8)
  image[0, 0] = 0
  mask[140:150, 50:1150] = 1
  fake = _Fake()
  inpainter = z2i_tf.Inpainter(fake)
  plan = inpainter.plan(image, mask)
  inpainter(image, mask, detail="none", plan=plan)
  hole = mask.astype(bool)
  assert len(fake.calls) == len(plan) > 3
  for piece, (_, holes) in zip(plan, fake.calls):
    np.testing.assert_array_equal(holes[0], hole[piece.crop])
    hole[piece.core] = False


def test_values_of_any_offset_and_range_are_filled_alike(bundled):
  image, mask = _photograph(200, 260)
  small = (image // 8).astype(np.uint16)
  results = [
    bundled(values.astype(np.uint16), mask).astype(float)
    for values in (small, small + 1000, small * 100, small * 100 + 7000)
  ]
  assert np.abs(results[1] - 1000 - results[0]).max() <= 1
  for scaled, offset in ((results[2], 0), (results[3], 7000)):
    assert np.abs((scaled - offset) / 100 - results[0]).max() <= 1.5
  known = small[mask == 0]
  assert known.min() <= results[0][mask == 1].min() and results[0][mask == 1].max() <= known.max()


def test_a_flat_image_is_filled_flat_at_all_borders_and_corners(bundled):
  for rows, columns in (
    (np.s_[:16], np.s_[:]),
    (np.s_[-16:], np.s_[:]),
    (np.s_[:], np.s_[:16]),
    (np.s_[:], np.s_[-16:]),
    (np.s_[:48], np.s_[:48]),
    (np.s_[-48:], np.s_[-48:]),
  ):
    image, mask = np.full((160, 200, 3), (150, 190, 230), np.uint8), np.zeros((160, 200), np.uint8)
    mask[rows, columns] = 1
    assert np.abs(bundled(image, mask).astype(int) - image).max() <= 6


def test_gray_stays_gray(bundled):
  image, mask = _photograph(200, 260)
  gray = np.repeat(image[..., :1], 3, axis=-1)
  coloured = np.where(mask[..., np.newaxis] == 1, np.uint8([200, 30, 90]), gray)
  result = bundled(coloured, mask)
  assert (result == result[..., :1]).all()
  assert (bundled(image, mask)[mask == 1].std(axis=-1) > 0).any()


def test_16_bits_stay_16_bits(recorded):
  rng = np.random.default_rng(0)
  image, mask = rng.integers(0, 65536, (30, 40, 3), np.uint16), _case(30, 40)[1]
  fake = _Fake(30_001 / 65535)
  result = z2i_tf.Inpainter(fake)(image, mask, native=True)
  assert result.dtype == np.uint16 and (result[mask == 1] == 30_001).all()
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  np.testing.assert_allclose(fake.calls[0][0][0], image / 65535, rtol=1e-6)
  image, mask = _case(24, 32)
  shorter, longer = (recorded[1](each, mask, native=True) for each in (image, image.astype(np.uint16) * 257))
  assert np.abs(longer / 257 - shorter).max() <= 0.51
  assert (longer[mask == 1] % 257 != 0).any()
  deep = recorded[1](image.astype(np.uint16) * 257, mask)
  assert deep.dtype == np.uint16 and (deep[mask == 1] % 257 != 0).any()


@pytest.mark.parametrize(
  "error",
  [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM"), cv2.error("OpenCV: Insufficient memory")],
  ids=["Python", "TensorFlow", "OpenCV"],
)
def test_out_of_memory_is_one_line(error):
  if isinstance(error, cv2.error):
    error.code = cv2.Error.StsNoMem
  image, mask = _case(24, 32)
  inpainter = z2i_tf.Inpainter(_Fake(error=error))
  for call in (inpainter, lambda *pair: inpainter(*pair, native=True), inpainter.outputs):
    with pytest.raises(InputError, match="^out of memory: an image of 24x32; close other programs, or give a smaller"):
      call(image, mask)


def test_the_bundled_model_fills_better_than_the_mean_of_the_known(bundled):
  from z2i_tf.images import image_files
  from z2i_tf.images import mask_files

  image, mask = image_files.read_rgb("data/images/coffee.jpg"), mask_files.read_binary_mask("data/masks/coffee.png")
  result = bundled(image, mask)[mask == 1].astype(float)
  original = image[mask == 1].astype(float)
  mean = image[mask == 0].mean(axis=0)
  # Of the known colours' mean; weights in the wrong place would be far above 1.
  assert ((result - original) ** 2).mean() < 0.6 * ((mean - original) ** 2).mean()


def test_an_unknown_detail_is_refused(recorded):
  with pytest.raises(ValueError, match="`detail`=much.*auto, patches, none"):
    recorded[1](*_case(16, 24), detail="much")


def test_the_thickness_that_networks_fill_is_stored_with_the_model(tmp_path):
  arrays, config = recordings.load("inference"), {"model": {"width": 8, "sr_width": 8}}
  arrays = {name: array for name, array in arrays.items() if name.split("/")[0] in ("coarse", "sr", "refine")}
  model_weights.write_model_file(str(tmp_path), arrays, config)
  image, mask = _photograph(200, 260)
  plans = [z2i_tf.Inpainter.load(str(tmp_path)).plan(image, mask)]
  model_store.store_max_thickness(str(tmp_path), 12)
  plans.append(z2i_tf.Inpainter.load(str(tmp_path)).plan(image, mask))
  assert plans[1][0].halvings > plans[0][0].halvings
  kept = model_weights.read_model_file(str(tmp_path))[0]
  assert all((kept[name] == array).all() for name, array in arrays.items())
  with pytest.raises(ValueError, match="`max_thickness_px` must be at least 1. Received: 0"):
    model_store.store_max_thickness(str(tmp_path), 0)
  model_weights.write_model_file(str(tmp_path), arrays, {**config, "max_thickness_px": 0})
  with pytest.raises(InputError, match="max_thickness_px is 0.0, not a finite number of at least 1"):
    z2i_tf.Inpainter.load(str(tmp_path))
  with pytest.raises(ValueError, match="max_thickness_px is inf, not a finite number"):
    architecture.read_description({**config, "max_thickness_px": 1e999})


def test_unknown_models_are_refused(tmp_path):
  with pytest.raises(InputError, match="^`model`=fancy: no such folder, and not a bundled model"):
    z2i_tf.Inpainter.load("fancy")
  with pytest.raises(InputError, match="no model here"):
    z2i_tf.Inpainter.load(str(tmp_path))
  model_weights.write_model_file(str(tmp_path), {}, {"model": {"zoom": "sr", "scale": 7}})
  with pytest.raises(InputError, match="configuration cannot be used"):
    z2i_tf.Inpainter.load(str(tmp_path))
  model_weights.write_model_file(str(tmp_path), {}, {"pretrained": {"network": "coarse"}})
  with pytest.raises(InputError, match="the model's file has no weights$"):
    z2i_tf.Inpainter.load(str(tmp_path))
  model_weights.write_model_file(str(tmp_path), {}, {"model": {"width": 4}})
  with pytest.raises(InputError, match="has no array coarse/"):
    z2i_tf.Inpainter.load(str(tmp_path))


@pytest.mark.parametrize("dtype, detail", [(np.uint8, "auto"), (np.uint16, "none")])
def test_patches_put_into_the_image_are_the_whole_result(bundled, dtype, detail):
  """Of pieces of several scales, at the border too; the brightest and the darkest known pixel lie far from the hole."""
  rng = np.random.default_rng(1)
  coarse = rng.integers(40, 200, (30, 44, 3), np.uint8)
  image = cv2.resize(coarse, (431, 297), interpolation=cv2.INTER_CUBIC).astype(dtype)
  image[280, 20], image[285, 30] = 1, 250
  mask = np.zeros((297, 431), bool)
  mask[60:140, 250:335] = mask[10:16, 5:120] = mask[100:110, 425:] = True
  image[mask] = 255  # Under the hole: does not count.
  expected = bundled(image, mask, detail=detail)
  patches = bundled.patches(image, mask, detail=detail)
  result = image.copy()
  for patch in patches:
    assert patch.pixels.dtype == dtype
    result[patch.box] = patch.pixels
  np.testing.assert_array_equal(result, expected)
  np.testing.assert_array_equal(result[~mask], image[~mask])
  assert sum(patch.pixels.size for patch in patches) < image.size / 2

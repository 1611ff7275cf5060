import numpy as np
import pytest
import tensorflow as tf

import z2i_tf
from tests import recordings
from z2i_tf import checkpoints
from z2i_tf.errors import InputError
from z2i_tf.models.zoom_inpainter import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter


@pytest.fixture(name="recorded", scope="module")
def _recorded():
  model = ZoomInpainter(ModelConfig(width=8))
  checkpoints.assign_arrays(model.networks, recordings.load("inference"), "recording")
  return model, z2i_tf.Inpainter(model)


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
                    "zoomed_out": (18, 25, 3), "result": (18, 25, 3)}


class _MeanFill(tf.Module):
  """Stands in for the networks: fills a hole with the mean of what is known in the picture it is shown."""

  model_config = ModelConfig(width=2)

  def __call__(self, inputs):
    image, mask = inputs["image_lr"], inputs["mask_lr"]
    tf.debugging.assert_less_equal(tf.shape(image)[1:3], 384)
    known = tf.reduce_sum(1 - mask, axis=[1, 2], keepdims=True)
    tf.debugging.assert_positive(known)
    mean = tf.reduce_sum(image * (1 - mask), axis=[1, 2], keepdims=True) / known
    return {"result": image * (1 - mask) + mean * mask}


def test_a_large_image_is_filled_window_by_window():
  """In a ramp, the mean of a window around a hole is near what the hole should be; that of the image is not."""
  rows, columns = np.mgrid[:500, :2000]
  image = np.stack([rows / 2, columns / 8, 120 + 0 * rows], axis=-1).astype(np.uint8)
  mask = np.zeros((500, 2000), np.uint8)
  mask[0:12, 0:30] = mask[250:262, 300:420] = mask[100:480, 1200:1700] = mask[480:, 1990:] = 1
  result = z2i_tf.Inpainter(_MeanFill())(np.where(mask[..., None] == 1, 0, image).astype(np.uint8), mask)
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  error = np.abs(result.astype(int) - image)[mask == 1]
  assert error[:, 1].max() < 384 / 8 and error.mean() < 40
  assert (result[mask == 1][:, 2] == 120).all()  # Nothing of the hole's zeros came in.


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

import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
from z2i_tf import conventions
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter


@pytest.fixture(name="recorded_model", scope="module")
def _recorded_model():
  recorded = recordings.load("inference")
  model = ZoomInpainter(ModelConfig(width=8))
  model_weights.assign_arrays(model.networks, recorded, "recording")
  return model, recorded


def test_every_stage_matches_the_recording(recorded_model):
  model, recorded = recorded_model
  stages = model({"image_lr": recorded["lr"], "mask_lr": recorded["mask"]})
  for stage, name in (("coarse", "y_coarse"), ("zoomed", "y_sr"), ("refined", "y_refine"), ("zoomed_out", "y_lr")):
    recordings.assert_matches(stages[stage], recorded[name])
  recordings.assert_matches(stages["result"], np.clip(recorded["y_final"], 0, 1))


def test_each_network_matches_the_recording_on_recorded_inputs(recorded_model):
  model, recorded = recorded_model
  recordings.assert_matches(model.coarse_net(recorded["coarse_input"]), recorded["y_coarse"])
  recordings.assert_matches(model.sr_net(recorded["y_coarse"]), recorded["y_sr"])
  refine_input = np.concatenate([recorded["y_sr"], recorded["mask_hr"]], axis=-1)
  recordings.assert_matches(model.refinement_net(refine_input), recorded["y_refine"])


def test_training_mode_matches_the_recording_and_moves_the_averages():
  recorded, training = recordings.load("inference"), recordings.load("training_mode")
  model = ZoomInpainter(ModelConfig(width=8))
  model_weights.assign_arrays(model.networks, recorded, "recording")
  recordings.assert_matches(model.coarse_net(recorded["coarse_input"], training=True), training["y_coarse"])
  refine_input = np.concatenate([recorded["y_sr"], recorded["mask_hr"]], axis=-1)
  recordings.assert_matches(model.refinement_net(refine_input, training=True), training["y_refine"])
  # 0.99 of the former average and 0.01 of the batch's, which the first layer's input gives by hand.
  variables = model_weights.network_variables(model.coarse_net)
  conv = tf.nn.conv2d(recorded["coarse_input"], variables["conv00/kernel"], 1, "SAME")
  features, gates = tf.split(conv + variables["conv00/bias"], 2, axis=-1)
  batch = (tf.nn.elu(features) * tf.sigmoid(gates)).numpy()
  for name, statistic in (("mean", batch.mean((0, 1, 2))), ("var", batch.var((0, 1, 2)))):
    former = recorded[f"coarse/bn00/{name}"]
    np.testing.assert_allclose(variables[f"bn00/{name}"], 0.99 * former + 0.01 * statistic, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
  "zoom, scale, sr_width",
  [("none", 1, None), ("bicubic", 2, None), ("bicubic", 3, None), ("sr", 2, 6), ("sr", 4, None)],
)
def test_zooms_and_scales_on_a_rectangle(zoom, scale, sr_width):
  model = ZoomInpainter(ModelConfig(zoom=zoom, scale=scale, width=4, sr_width=sr_width))
  assert sorted(model.networks) == (["coarse", "refine", "sr"] if zoom == "sr" else ["coarse", "refine"])
  rng = np.random.default_rng(0)
  image = rng.random((2, 16, 24, 3)).astype(np.float32)
  mask = np.zeros((2, 16, 24, 1), np.float32)
  mask[0, 2:9, 3:10] = 1
  mask[1, 8:, 20:] = 1
  stages = {name: stage.numpy() for name, stage in model({"image_lr": image, "mask_lr": mask}).items()}
  assert set(stages) == set(conventions.OUTPUTS) - {conventions.COMPOSED_HR}
  for name, stage in stages.items():
    side = scale if name in ("zoomed", "refined") else 1
    assert stage.shape == (2, 16 * side, 24 * side, 3)
  known = mask == 0
  np.testing.assert_allclose(np.where(known, stages["result"], 0), np.where(known, image, 0), atol=1e-6)
  np.testing.assert_allclose(np.where(known, stages["coarse"], 0), np.where(known, image, 0), atol=1e-6)
  assert stages["result"].min() >= 0 and stages["result"].max() <= 1
  if zoom == "none":
    np.testing.assert_array_equal(stages["zoomed"], stages["coarse"])
  if zoom == "bicubic":
    expected = tf.image.resize(stages["coarse"], [16 * scale, 24 * scale], "bicubic")
    np.testing.assert_allclose(stages["zoomed"], expected, atol=1e-5)


def test_what_is_under_the_hole_is_not_looked_at():
  model = ZoomInpainter(ModelConfig(width=4))
  mask = np.zeros((1, 16, 16, 1), np.float32)
  mask[:, 4:10, 4:10] = 1
  image = np.random.default_rng(0).random((1, 16, 16, 3)).astype(np.float32)
  results = [model({"image_lr": image * (1 - mask) + mask * fill, "mask_lr": mask})["result"] for fill in (0.0, 0.7)]
  np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
  "arguments, message",
  [
    ({"zoom": "sr", "scale": 1}, "scale=1"),
    ({"zoom": "none", "scale": 2}, "scale=2"),
    ({"zoom": "bicubic", "scale": 5}, "scale=5"),
    ({"zoom": "linear"}, "linear"),
    ({"width": 7}, "Received: 7"),
    ({"sr_width": 3}, "Received: 3"),
  ],
)
def test_impossible_configurations_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    ModelConfig(**arguments)

"""The generator of inference against the Keras model and the recordings: everywhere, or around the hole alone."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.inference.fast import sparse
from z2i_tf.inference.fast.networks import GatedNet
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.fast.networks import weights_in_order
from z2i_tf.inference.generator import ATTENTION_SOURCES
from z2i_tf.inference.generator import Generator
from z2i_tf.keras_api import keras
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.super_resolution_net import super_resolution_net
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_FREE = Limits(None, 2**24)
_TIGHT = Limits(tf.constant(6000), tf.constant(20_000))
_OUTPUTS = (conventions.COARSE, conventions.ZOOMED, conventions.REFINED, conventions.ZOOMED_OUT, conventions.RESULT)
_ALWAYS = (conventions.COARSE, conventions.ZOOMED, conventions.RESULT)


@pytest.fixture(name="model", scope="module")
def _model():
  """The authors' networks as the Keras model."""
  model = ZoomInpainter(ModelConfig(width=8))
  model_weights.assign_arrays(model.networks, recordings.load("inference"), "recording")
  return model


@pytest.fixture(name="generator", scope="module")
def _generator():
  return Generator(ModelConfig(width=8), recordings.load("inference"))


@pytest.fixture(name="around_hole", scope="module")
def _around_hole(generator):
  """A graph without tiles, traced once for images of any size: (image, mask, max_scores) -> stages."""

  @tf.function(
    autograph=False,
    input_signature=[
      tf.TensorSpec([None, None, None, 3]),
      tf.TensorSpec([None, None, None, 1]),
      tf.TensorSpec([], tf.int32),
    ],
  )
  def run(image, mask, max_scores):
    return generator(image, mask, Limits(None, max_scores), whole=False)

  return lambda image, mask, max_scores=2**24: _numpy(run(image, mask, max_scores))


def _image(height, width, batch=1):
  return np.random.default_rng(height).random((batch, height, width, 3)).astype(np.float32)


def _mask(height, width, *holes):
  mask = np.zeros((1, height, width, 1), np.float32)
  for hole in holes:
    mask[0][hole] = 1
  return mask


def _numpy(stages):
  return {name: stage.numpy() for name, stage in stages.items()}


def _keras(model, image, mask):
  return _numpy(model({"image_lr": image, "mask_lr": mask}))


def _padded(*images):
  return [
    np.pad(image, [(0, 0), (0, -image.shape[1] % 8), (0, -image.shape[2] % 8), (0, 0)], "reflect") for image in images
  ]


def _cropped(stages, height, width):
  zooms = {name: 2 if name in (conventions.ZOOMED, conventions.REFINED) else 1 for name in stages}
  return {name: stage[:, : zooms[name] * height, : zooms[name] * width] for name, stage in stages.items()}


def _assert_equal(actual, expected, names):
  for name in names:
    assert actual[name].shape == expected[name].shape
    assert np.abs(actual[name] - expected[name]).max() <= 1e-4 * np.abs(expected[name]).max(), name


@pytest.mark.parametrize("limits", [_FREE, Limits(tf.constant(1500), tf.constant(20_000))])
def test_every_stage_matches_the_recording(generator, limits):
  recorded = recordings.load("inference")
  stages = _numpy(generator(recorded["lr"], recorded["mask"], limits, whole=True))
  for stage, name in (("coarse", "y_coarse"), ("zoomed", "y_sr"), ("refined", "y_refine"), ("zoomed_out", "y_lr")):
    recordings.assert_matches(stages[stage], recorded[name])
  recordings.assert_matches(stages["result"], np.clip(recorded["y_final"], 0, 1))


# Sides of the image, the hole, and how many levels are evaluated at listed pixels: of the coarse network's two and the
# refinement network's three.
_HOLES = {
  "specks": (64, 96, [np.s_[30, 40], np.s_[31:33, 44], np.s_[24, 43]], 5),
  "corners": (64, 96, [np.s_[0, 0], np.s_[-1, -1]], 5),
  "other corners": (64, 96, [np.s_[:3, -4:], np.s_[-2:, :3]], 5),
  "borders": (64, 96, [np.s_[37:40, :2], np.s_[-1, 40]], 5),
  "most": (32, 40, [np.s_[:, 4:], np.s_[5:, :]], 0),
  "all but one": (32, 40, [np.s_[:31], np.s_[:, 1:]], 0),
}


@pytest.mark.parametrize("name", _HOLES)
def test_around_the_hole_it_is_the_keras_model(model, around_hole, name):
  height, width, holes, _ = _HOLES[name]
  image, mask = _image(height, width), _mask(height, width, *holes)
  expected = _keras(model, image, mask)
  stages = around_hole(image, mask)
  _assert_equal(stages, expected, _ALWAYS)
  hole = mask[..., 0] == 1
  np.testing.assert_array_equal(stages["result"][~hole], image[~hole])
  assert np.abs(stages["result"][hole] - expected["result"][hole]).max() < 0.1 / 255
  assert 0 < expected["result"][hole].mean() < 1


@pytest.mark.parametrize("name", ["specks", "other corners", "most"])
def test_within_tight_bounds_it_is_the_same(generator, around_hole, name, monkeypatch):
  height, width, holes, expected_lists = _HOLES[name]
  image, mask = _image(height, width), _mask(height, width, *holes)
  listed, calls = sparse.listed, []
  monkeypatch.setattr(sparse, "listed", lambda needed: calls.append(1) or listed(needed))
  stages = _numpy(generator(image, mask, _TIGHT, whole=False))
  assert len(calls) == expected_lists
  _assert_equal(stages, around_hole(image, mask), _ALWAYS)


def test_the_smallest_tiles_have_the_halo_that_each_piece_needs(model, generator):
  """So narrow an image that all levels, down to the bottleneck, have several tiles."""
  image, mask = _image(16, 160), _mask(16, 160, np.s_[4:11, 30:90])
  _assert_equal(
    _numpy(generator(image, mask, Limits(tf.constant(1), 2**24), whole=True)), _keras(model, image, mask), _OUTPUTS
  )


def test_nothing_that_a_needed_pixel_depends_on_is_left_out():
  """Far ends of what a pixel depends on change it very little; so the tolerance is that of rounding."""
  weights = weights_in_order(recordings.load("inference"), conventions.REFINE_NET, ModelConfig(width=8))
  net = GatedNet(weights, 8, tf.float32, with_attention=True)
  mask = _mask(96, 96, np.s_[44:54, 40:50])
  inputs = np.concatenate([_image(96, 96), mask], axis=-1)
  everywhere = net(inputs, mask, None, _FREE)[0].numpy()[0]
  needed = np.zeros((4, 96, 96, 1), np.float32)
  places = [(number, 44 + number, 44 + number) for number in range(4)]  # In every position of the coarsest cells.
  for place in places:
    needed[place] = 1
  found, _ = net(np.repeat(inputs, 4, axis=0), np.repeat(mask, 4, axis=0), needed, _FREE)
  assert not found[0, 0, 0].numpy().any()  # It was not computed everywhere.
  for place in places:
    assert np.abs(found[place] - everywhere[place[1:]]).max() < 1e-6 * np.abs(everywhere).max()


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda arrays: arrays.pop("refine/bn19/var"), "somewhere has no array refine/bn19/var"),
    (
      lambda arrays: arrays.update({"coarse/conv18/bias": 0}),
      "somewhere has an array with no place.* coarse/conv18/bias",
    ),
    (
      lambda arrays: arrays.update({"sr/conv09/kernel": np.zeros((3, 3, 8, 12))}),
      r"somewhere: sr/conv09/kernel has shape \(3, 3, 8, 12\), the model needs \(3, 3, 8, 32\)",
    ),
  ],
)
def test_arrays_that_are_not_the_model_s_are_refused(change, message):
  arrays = recordings.load("inference")
  change(arrays)
  with pytest.raises(InputError, match=message):
    Generator(ModelConfig(width=8), arrays, source="somewhere")


def test_attention_says_where_it_copied_from(around_hole):
  sources = around_hole(_image(61, 96), _mask(61, 96, np.s_[20:30, 40:60]))[ATTENTION_SOURCES]
  assert sources.shape == (1, 16, 24)
  known = np.ones((16, 24), bool)
  known[5:8, 10:15] = False  # A position has 4x4 pixels.
  assert (sources[0][known] == -1).all()
  known = ~cv2.dilate((~known).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
  assert known.reshape(-1)[sources[0, 5:7, 10:15]].all()


@pytest.mark.parametrize("zoom, scale", [("none", 1), ("bicubic", 2), ("bicubic", 3), ("sr", 3)])
def test_every_zoom_and_scale(model, zoom, scale, monkeypatch):
  config, arrays = ModelConfig(zoom=zoom, scale=scale, width=8, sr_width=4), recordings.load("inference")
  monkeypatch.setattr(model, "model_config", config)
  if zoom == "sr":
    keras.utils.set_random_seed(0)
    network = super_resolution_net(4, scale)
    monkeypatch.setattr(model, "sr_net", network)
    arrays = {**arrays, **model_weights.read_arrays({conventions.SR_NET: network})}
  image, mask = _image(32, 40), _mask(32, 40, np.s_[30:, 36:], np.s_[4, 11])
  expected = _keras(model, image, mask)
  generator = Generator(config, arrays)
  _assert_equal(_numpy(generator(image, mask, _FREE, whole=True)), expected, _OUTPUTS)
  _assert_equal(_numpy(generator(image, mask, _TIGHT, whole=False)), expected, _ALWAYS)


@pytest.mark.parametrize("height, width", [(16, 16), (19, 30), (41, 9), (5, 33), (1, 17), (2, 1)])
def test_any_size_is_padded_by_reflection(model, generator, around_hole, height, width):
  image, mask = _image(height, width), _mask(height, width, np.s_[height // 2 :, width // 2 : width // 2 + 3])
  expected = _cropped(_keras(model, *_padded(image, mask)), height, width)
  _assert_equal(around_hole(image, mask), expected, _ALWAYS)
  if height == 19:
    _assert_equal(_numpy(generator(image, mask, _FREE, whole=True)), expected, _OUTPUTS)


@pytest.mark.parametrize("max_scores", [2**24, 1])
def test_examples_do_not_see_each_other(model, around_hole, max_scores):
  image = _image(33, 64, batch=3)
  mask = np.concatenate([_mask(33, 64, hole) for hole in (np.s_[:2, 60:], np.s_[8:30, 5:40], np.s_[:0, :0])])
  together = around_hole(image, mask, max_scores)
  _assert_equal(together, _cropped(_keras(model, *_padded(image, mask)), 33, 64), _ALWAYS)
  for example in range(3):  # The last one has no hole.
    alone = around_hole(image[example : example + 1], mask[example : example + 1], max_scores)
    np.testing.assert_allclose(alone["result"][0], together["result"][example], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(alone[ATTENTION_SOURCES][0], together[ATTENTION_SOURCES][example])
  np.testing.assert_array_equal(together["result"][2], image[2])


def test_bfloat16_is_above_45_db(generator):
  recorded = recordings.load("inference")
  exact, short = (
    chosen(recorded["lr"], recorded["mask"], _FREE, whole=False)["result"].numpy()
    for chosen in (generator, Generator(ModelConfig(width=8), recorded, "bfloat16"))
  )
  assert exact.dtype == short.dtype == np.float32
  hole = recorded["mask"][..., 0] == 1
  assert 0 < ((exact - short)[hole] ** 2).mean() < 10**-4.5

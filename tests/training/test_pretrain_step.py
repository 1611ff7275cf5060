"""Each network alone, against the same computation written out."""

import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
from tests.training import stand_ins
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.models import model_weights
from z2i_tf.models.coarse_net import coarse_net
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import super_resolution_net
from z2i_tf.training import steps
from z2i_tf.training.pretrain import PretrainStep

_BUILD = {
  "coarse": lambda: coarse_net(4),
  "refine": lambda: refinement_net(4),
  "sr": lambda: super_resolution_net(4, 2),
}
_ADAM_RATE = 1e-3
_STAGE = {"coarse": "coarse", "refine": "refined", "sr": "zoomed"}


def _batch():
  rng = np.random.default_rng(0)
  image_hr = tf.image.resize(rng.random((2, 8, 8, 3)).astype(np.float32), [64, 64], "bicubic").numpy()
  return {
    "image_hr": image_hr,
    "image_lr": tf.image.resize(image_hr, [32, 32], "bicubic", antialias=True).numpy(),
    "mask_lr": recordings.load("joint_step")["mask"],
  }


def _features():
  """Stands in for VGG19."""
  inputs = layers.Input([None, None, 3])
  return Model(inputs, layers.Conv2D(5, 3, kernel_initializer="glorot_normal")(inputs), trainable=False)


@pytest.mark.parametrize("name", _BUILD)
@pytest.mark.parametrize("weight_vgg", [0.0, 0.25])
def test_one_update_is_what_the_paper_says(name, weight_vgg):
  network, features = _BUILD[name](), _features()
  batch = {key: tf.constant(value) for key, value in _batch().items()}
  image, mask = batch["image_lr"], batch["mask_lr"]
  before = [variable.numpy() for variable in network.trainable_variables]
  with tf.GradientTape() as tape:
    if name == "sr":
      output, label = network(image), batch["image_hr"]
    else:
      output, label = network(tf.concat([image * (1 - mask), mask], -1), training=True), image
    l1 = tf.reduce_mean(tf.abs(output - label))
    vgg = tf.reduce_mean(tf.abs(features(output) - features(label)))
    total = l1 + weight_vgg * vgg
  gradients = tape.gradient(total, network.trainable_variables)
  step = PretrainStep(name, network, features, weight_vgg, optimizers.SGD(0.1), 2)
  scalars = {key: float(value) for key, value in step(batch).items()}
  assert scalars[f"loss/l1_{name}"] == pytest.approx(float(l1), rel=1e-5)
  assert scalars["loss/generator"] == pytest.approx(float(total), rel=1e-5)
  assert scalars[f"gradient_norm/{name}"] == pytest.approx(float(tf.linalg.global_norm(gradients)), rel=1e-4)
  assert (f"loss/vgg_{name}" in scalars) == (weight_vgg > 0)
  if weight_vgg:
    assert scalars[f"loss/vgg_{name}"] == pytest.approx(float(vgg), rel=1e-5)
  mse = tf.reduce_mean((tf.clip_by_value(output, 0, 1) - label) ** 2, axis=[1, 2, 3])
  assert scalars[f"psnr/{_STAGE[name]}"] == pytest.approx(float(tf.reduce_mean(-10 * np.log10(mse))), abs=1e-3)
  for variable, former, gradient in zip(network.trainable_variables, before, gradients):
    np.testing.assert_allclose(variable, former - 0.1 * gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", _BUILD)
def test_l1_may_be_that_of_the_hole_alone(name):
  network = _BUILD[name]()
  batch = {key: tf.constant(value) for key, value in _batch().items()}
  image, mask = batch["image_lr"], batch["mask_lr"].numpy()
  step = PretrainStep(name, network, None, 0.0, optimizers.SGD(0.0), 2, l1_normalization="hole")
  if name == "sr":  # There is no hole.
    expected = np.abs(network(image) - batch["image_hr"]).mean()
  else:
    output = network(tf.concat([image * (1 - mask), mask], -1), training=True).numpy()
    expected = np.mean([np.abs(output - image)[number][mask[number, ..., 0] == 1].mean() for number in range(2)])
  assert float(step(batch)[f"loss/l1_{name}"]) == pytest.approx(expected, rel=1e-5)


def test_evaluation_does_not_train():
  network = _BUILD["refine"]()
  step = PretrainStep("refine", network, None, 0.0, optimizers.SGD(0.1), 2)
  batch = {key: tf.constant(value) for key, value in _batch().items()}
  before = model_weights.read_arrays({"refine": network})
  stages, values = step.evaluate(batch)
  assert set(stages) == {"refined"} and values["psnr/refined"].shape == (2,)
  known = batch["image_lr"] * (1 - batch["mask_lr"])
  np.testing.assert_array_equal(stages["refined"], network(tf.concat([known, batch["mask_lr"]], -1), training=False))
  for key, value in model_weights.read_arrays({"refine": network}).items():
    np.testing.assert_array_equal(value, before[key])


def test_two_replicas_make_adam_s_step_of_one(two_devices):
  """Where a gradient is next to nothing, rounding decides about Adam's direction; all in all about little."""
  scalars, weights = [], []
  keras.utils.set_random_seed(0)
  initial = model_weights.read_arrays({"coarse": _BUILD["coarse"]()})
  batch = stand_ins.smooth_batch(4, 16)
  for strategy in (tf.distribute.get_strategy(), two_devices):
    with strategy.scope():
      network = _BUILD["coarse"]()
      model_weights.assign_arrays({"coarse": network}, initial, "initial weights")
      step = PretrainStep("coarse", network, None, 0.0, optimizers.Adam(_ADAM_RATE), 4, gradient_clip_norm=0.05)
    scalars.append(stand_ins.run_step(strategy, step, batch))
    weights.append(model_weights.read_arrays({"coarse": network}))
  for name, value in scalars[0].items():
    assert scalars[1][name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
  for name, value in weights[0].items():
    largest = np.abs(weights[1][name] - value).max()
    assert largest <= (1e-4 * np.abs(value).max() if name.endswith(("mean", "var")) else 0.5 * _ADAM_RATE), name


def test_a_positive_vgg_weight_needs_features():
  with pytest.raises(ValueError, match="feature model"):
    PretrainStep("coarse", None, None, 0.01, None, 1)


def test_an_example_without_error_leaves_means_finite():
  image = tf.fill([2, 16, 16, 3], 0.5)
  batch = {"image_lr": image, "mask_lr": tf.ones([2, 16, 16, 1])}
  values = steps.validation_quality({"coarse": "image_lr"}, {"coarse": image + [[[[0.0]]], [[[0.1]]]]}, batch)
  np.testing.assert_allclose(values["psnr/coarse"], [100.0, 20.0], rtol=1e-5)
  np.testing.assert_allclose(values["hole_psnr/coarse"], [100.0, 20.0], rtol=1e-5)

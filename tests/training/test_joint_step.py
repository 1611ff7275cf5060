"""One joint step beside recorded numbers, on several replicas, and with each of its options."""

import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
from tests.training import stand_ins
from z2i_tf import conventions
from z2i_tf.keras_api import is_bundled_with_tensorflow
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.perceptual import vgg19_features
from z2i_tf.losses.terms import LossWeights
from z2i_tf.models import model_weights
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.training.skip_nonfinite import skip_nonfinite
from z2i_tf.training.skip_nonfinite import SKIPPED

_GRADIENT_TOLERANCE = 1e-3
# Rounding: one replica whose four examples change places moves weights by up to 1.0e-4 of the largest (TensorFlow 2.15)
# or 2.0e-4 (2.21); four replicas by 1.0e-4. A gradient that is summed wrongly is wrong by a half or more.
_ORDER_TOLERANCE = 5e-4
_RECORDED_WEIGHTS = LossWeights(weight_vgg_coarse=0.0, weight_vgg_refine=0.0)
_VGG_BLOCKS = ((1, 2), (2, 2), (3, 4), (4, 1))  # Block number, convolutions up to block4_conv1.
_IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)


def _batch(recorded):
  return {"image_hr": recorded["hr"], "image_lr": recorded["lr"], "mask_lr": recorded["mask"]}


def _assert_losses_match(scalars, recorded):
  for name, key in (
    ("l1_coarse", "l1_coarse"),
    ("l1_sr", "l1_sr"),
    ("l1_refine", "l1_refine"),
    ("gradient", "gradient_refine"),
    ("adversarial", "gan_g"),
    ("adversarial_discriminator", "gan_d"),
    ("generator", "total_g"),
  ):
    assert scalars["loss/" + name] == pytest.approx(float(recorded[key]), rel=recordings.TOLERANCE), name


def test_compiled_step_matches_the_recording():
  recorded = recordings.load("joint_step")
  step, networks = stand_ins.build_step(recorded, lambda: optimizers.SGD(1e-4), _RECORDED_WEIGHTS, batch_size=2)
  variables = [variable for network in networks.values() for variable in network.variables]
  train_step = skip_nonfinite(step, tf.distribute.get_strategy(), variables, jit_compile=False)
  batch = {name: tf.constant(value) for name, value in _batch(recorded).items()}
  scalars = {name: float(value) for name, value in train_step(batch, tf.constant(0.0)).items()}
  assert scalars[SKIPPED] == 0
  _assert_losses_match(scalars, recorded)
  for name in ("coarse", "sr", "refine", "disc"):
    assert scalars["gradient_norm/" + name] == pytest.approx(
      float(recorded["grad_norm_" + name]), rel=_GRADIENT_TOLERANCE
    ), name
  # Plain SGD: the change of the weights is the gradient.
  arrays = model_weights.read_arrays(networks)
  for key, name in (
    ("coarse/conv00/kernel", "grad_first_coarse_kernel"),
    ("refine/conv20/kernel", "grad_last_refine_kernel"),
  ):
    recordings.assert_matches((recorded[key] - arrays[key]) / 1e-4, recorded[name], 5e-3)
  scalars = train_step({**batch, "image_hr": batch["image_hr"] * np.nan}, tf.constant(0.0))
  assert float(scalars[SKIPPED]) == 1
  for name, array in model_weights.read_arrays(networks).items():
    np.testing.assert_array_equal(array, arrays[name], err_msg=name)


def test_mirrored_step_matches_the_recording(two_devices):
  recorded = recordings.load("joint_step")
  with two_devices.scope():
    step, _ = stand_ins.build_step(recorded, lambda: optimizers.SGD(0.0), _RECORDED_WEIGHTS, batch_size=2)
  scalars = stand_ins.run_step(two_devices, step, _batch(recorded))
  _assert_losses_match(scalars, recorded)
  assert scalars["gradient_norm/disc"] == pytest.approx(float(recorded["grad_norm_disc"]), rel=_GRADIENT_TOLERANCE)
  # The recorded weights are random and their gradients ill-conditioned: changing the input by 1e-7 already
  # moves the norms by 3e-4, so another order of summation cannot come closer than this. (With ordinary
  # weights the replicas agree far better: see the next test.)
  for name in ("coarse", "sr", "refine"):
    assert scalars["gradient_norm/" + name] == pytest.approx(
      float(recorded["grad_norm_" + name]), rel=5 * _GRADIENT_TOLERANCE
    ), name


@pytest.mark.slow
def test_eight_replicas_make_the_step_of_one(eight_devices):
  """Losses, gradients, batch norms' statistics and spectral norms' vectors."""
  batch = stand_ins.smooth_batch(8, 16)
  keras.utils.set_random_seed(0)
  arrays, gradients = None, {}
  for strategy in (tf.distribute.get_strategy(), eight_devices):
    with strategy.scope():
      step, networks = stand_ins.build_step(
        arrays, lambda: optimizers.SGD(1.0), _RECORDED_WEIGHTS, batch_size=8, width=4
      )
    arrays = arrays or model_weights.read_arrays(networks)
    scalars, weights = stand_ins.run_step(strategy, step, batch), model_weights.read_arrays(networks)
    # With this rate the change of a weight is its gradient. That of a batch norm's statistic is the statistic.
    changes = {name: array - arrays[name] for name, array in weights.items()}
    if not gradients:
      expected_scalars, expected, gradients = scalars, weights, changes
      assert not [name for name, change in changes.items() if not np.any(change) and not name.endswith("gamma")]
    for tag, value in expected_scalars.items():
      assert scalars[tag] == pytest.approx(value, rel=1e-4, abs=1e-6), tag
    for name, value in expected.items():
      recordings.assert_matches(weights[name], value, _ORDER_TOLERANCE)
      network = name.split("/", maxsplit=1)[0]
      largest = max(
        np.abs(change).max()
        for other, change in gradients.items()
        if other.startswith(network) and other.rsplit("/")[-1] == name.rsplit("/")[-1]
      )
      np.testing.assert_allclose(
        changes[name], gradients[name], rtol=0, atol=_ORDER_TOLERANCE * largest + 1e-7, err_msg=name
      )


def test_outputs_match_the_recording():
  recorded = recordings.load("joint_step")
  step, _ = stand_ins.build_step(recorded, lambda: optimizers.SGD(0.0), _RECORDED_WEIGHTS, batch_size=2)
  batch = {name: tf.constant(value) for name, value in _batch(recorded).items()}
  stages = step.forward(batch)
  for stage, name in (
    (conventions.COARSE, "pred_coarse"),
    (conventions.ZOOMED, "pred_sr"),
    (conventions.REFINED, "pred_hr"),
    (conventions.COMPOSED_HR, "composed_hr"),
  ):
    # By batches' statistics the refinement enlarges differences of rounding some 60 times: measured 4e-5 of the largest
    # value with TensorFlow 2.15, 3e-4 with 2.21, where those of its inputs are larger.
    tolerance = recordings.TOLERANCE if is_bundled_with_tensorflow else 5e-4
    recordings.assert_matches(stages[stage], recorded[name], tolerance)


def test_discriminator_matches_the_recording():
  recorded = recordings.load("joint_step")
  step, _ = stand_ins.build_step(recorded, lambda: optimizers.SGD(0.0), _RECORDED_WEIGHTS, batch_size=2)
  mask_hr = tf.repeat(tf.repeat(recorded["mask"], 2, axis=1), 2, axis=2)
  for image, name in (("hr", "d_real"), ("composed_hr", "d_fake")):  # In this order: each call is an iteration.
    scores = step.discriminator(tf.concat([recorded[image], mask_hr], -1), training=True)
    recordings.assert_matches(scores, recorded[name])


def _vgg_by_hand(weights, image):
  """block4_conv1 from bare convolutions; the weights in file order."""
  weights = iter(weights)
  x = tf.image.resize(image, [224, 224], "bilinear", antialias=True)
  x = x[..., ::-1] * 255.0 - _IMAGENET_MEAN_BGR
  for block, convolutions in _VGG_BLOCKS:
    if block > 1:
      x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    for _ in range(convolutions):
      x = tf.nn.relu(tf.nn.conv2d(x, next(weights), 1, "SAME") + next(weights))
  return x


def test_step_with_vgg_matches_a_separate_computation(random_vgg_weights):
  from z2i_tf.keras_api import VGG19

  recorded = recordings.load("joint_step")
  step, networks = stand_ins.build_step(
    recorded, lambda: optimizers.SGD(0.0), LossWeights(), 2, vgg19_features(random_vgg_weights)
  )
  judge = patch_discriminator(8)
  model_weights.assign_arrays({conventions.DISCRIMINATOR: judge}, recorded, "recording")
  vgg_weights = VGG19(include_top=False, weights=random_vgg_weights).get_weights()
  batch = {name: tf.constant(value) for name, value in _batch(recorded).items()}
  x, x_hr, mask = batch["image_lr"], batch["image_hr"], batch["mask_lr"]
  mask_hr = tf.repeat(tf.repeat(mask, 2, axis=1), 2, axis=2)
  features = [_vgg_by_hand(vgg_weights, label) for label in (x, x_hr)]
  with tf.GradientTape() as tape:
    coarse = networks["coarse"](tf.concat([x * (1 - mask), mask], -1), training=True)
    zoomed = networks["sr"](coarse)
    refined = networks["refine"](tf.concat([zoomed, mask_hr], -1), training=True)
    composed = refined * mask_hr + x_hr * (1 - mask_hr)
    vgg = [
      tf.reduce_mean(tf.abs(_vgg_by_hand(vgg_weights, image) - label))
      for image, label in zip((coarse, composed), features)
    ]
    judge(tf.concat([x_hr, mask_hr], -1), training=True)
    fooled = -tf.reduce_mean(judge(tf.concat([composed, mask_hr], -1), training=True))
    down, right = tf.image.image_gradients(composed - x_hr)
    total = (
      tf.reduce_mean(tf.abs(coarse - x))
      + 0.01 * vgg[0]
      + tf.reduce_mean(tf.abs(zoomed - x_hr))
      + tf.reduce_mean(tf.abs(composed - x_hr))
      + tf.reduce_mean(down**2 + right**2)
      + 1e-5 * vgg[1]
      + 0.5 * fooled
    )
  gradients = tape.gradient(total, {name: net.trainable_variables for name, net in step.inpainter.networks.items()})
  scalars = {name: float(value) for name, value in step(batch).items()}
  assert scalars["loss/vgg_coarse"] == pytest.approx(float(vgg[0]), rel=recordings.TOLERANCE)
  assert scalars["loss/vgg_refine"] == pytest.approx(float(vgg[1]), rel=recordings.TOLERANCE)
  assert scalars["loss/generator"] == pytest.approx(float(total), rel=recordings.TOLERANCE)
  for name, gradient in gradients.items():
    assert scalars["gradient_norm/" + name] == pytest.approx(
      float(tf.linalg.global_norm(gradient)), rel=_GRADIENT_TOLERANCE
    ), name


def test_terms_of_weight_0_are_not_computed_and_need_no_discriminator():
  recorded = recordings.load("joint_step")
  weights = LossWeights(
    weight_l1_sr=0.0, weight_gradient=0.0, weight_vgg_coarse=0.0, weight_vgg_refine=0.0, weight_adversarial=0.0
  )
  step, networks = stand_ins.build_step(recorded, lambda: optimizers.SGD(0.0), weights, batch_size=2)
  assert conventions.DISCRIMINATOR not in networks
  scalars = step({name: tf.constant(value) for name, value in _batch(recorded).items()})
  assert {name for name in scalars if name.startswith("loss/")} == {
    "loss/l1_coarse",
    "loss/l1_refine",
    "loss/generator",
  }
  assert float(scalars["loss/generator"]) == pytest.approx(
    float(recorded["l1_coarse"] + recorded["l1_refine"]), rel=recordings.TOLERANCE
  )


def test_l1_over_the_hole_is_the_mean_of_hole_pixels():
  recorded = recordings.load("joint_step")
  step, _ = stand_ins.build_step(
    recorded, lambda: optimizers.SGD(0.0), _RECORDED_WEIGHTS, batch_size=2, l1_normalization="hole"
  )
  scalars = step({name: tf.constant(value) for name, value in _batch(recorded).items()})
  mask_hr = recorded["mask"].repeat(2, 1).repeat(2, 2)
  for term, stage, label, mask in (
    ("l1_coarse", "pred_coarse", "lr", recorded["mask"]),
    ("l1_refine", "composed_hr", "hr", mask_hr),
  ):
    errors = np.abs(recorded[stage] - recorded[label])
    expected = np.mean([errors[number][mask[number, ..., 0] == 1].mean() for number in range(2)])
    assert float(scalars["loss/" + term]) == pytest.approx(expected, rel=recordings.TOLERANCE), term
  assert float(scalars["loss/l1_sr"]) == pytest.approx(float(recorded["l1_sr"]), rel=recordings.TOLERANCE)


def test_a_warm_up_trains_the_discriminator_alone():
  recorded = recordings.load("joint_step")
  step, networks = stand_ins.build_step(recorded, lambda: optimizers.SGD(1e-2), _RECORDED_WEIGHTS, batch_size=2)
  batch = {name: tf.constant(value) for name, value in _batch(recorded).items()}
  before = model_weights.read_arrays(networks)
  losses = [step.warm_up(batch) for _ in range(5)]
  assert {name for name in losses[0] if name.startswith(("loss/", "gradient_norm/"))} == {
    "loss/adversarial_discriminator",
    "gradient_norm/disc",
  }
  values = [float(scalars["loss/adversarial_discriminator"]) for scalars in losses]
  assert values[-1] < values[0]
  for name, array in model_weights.read_arrays(networks).items():
    assert np.array_equal(array, before[name]) == (not name.startswith("disc/")), name


def test_clipping_scales_the_gradient_to_the_norm():
  recorded = recordings.load("joint_step")
  weights = LossWeights(weight_vgg_coarse=0.0, weight_vgg_refine=0.0, weight_adversarial=0.0)
  step, networks = stand_ins.build_step(recorded, lambda: optimizers.SGD(1.0), weights, batch_size=2)
  step._gradient_clip_norm = 0.5
  before = [variable.numpy() for net in networks.values() for variable in net.trainable_variables]
  step({name: tf.constant(value) for name, value in _batch(recorded).items()})
  after = [variable.numpy() for net in networks.values() for variable in net.trainable_variables]
  moved = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(after, before)))
  assert moved == pytest.approx(0.5, rel=1e-3)


def test_a_loss_weight_without_its_model_is_refused():
  from z2i_tf.training.joint_step import JointStep

  with pytest.raises(ValueError, match="discriminator"):
    JointStep(None, None, None, _RECORDED_WEIGHTS, None, None, 1)
  with pytest.raises(ValueError, match="feature model"):
    JointStep(None, None, None, LossWeights(weight_adversarial=0.0), None, None, 1)

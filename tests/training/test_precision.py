"""Steps, networks and checkpoints in 16 bits, and the parts that stay float32."""

import numpy as np
import pytest
import tensorflow as tf

from tests.training import stand_ins
from z2i_tf.keras_api import layers
from z2i_tf.layers.contextual_attention import ContextualAttention
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.losses.terms import LossWeights
from z2i_tf.models import model_weights
from z2i_tf.training import devices
from z2i_tf.training import joint
from z2i_tf.training import pretrain
from z2i_tf.training.checkpoints import Checkpoints
from z2i_tf.training.checkpoints import RunState
from z2i_tf.training.optimizers import loss_scales


def _stage(name, perceptual_weights=None):
  config = joint.JointConfig(
    work_dir="",
    width=4,
    loss_weights=LossWeights(weight_vgg_refine=0.0),
    perceptual_weights=perceptual_weights or "none",
    seed=3,
    batch_size=2,
    precision=name,
  )
  return joint.build(config, tf.distribute.get_strategy())


def _leaves(model):
  """All layers, those within layers included."""
  return [layer for layer in model._flatten_layers(include_self=False)]


@pytest.mark.usefixtures("eager_functions")
def test_losses_and_gradients_in_16_bits_are_near_those_in_32():
  batch = {name: tf.constant(value) for name, value in stand_ins.smooth_batch(2, 16).items()}
  results = {}
  for name in devices.PRECISIONS:
    stage = _stage(name)
    if name == devices.FLOAT16:  # Keras begins with 32768 and would halve it in the first steps.
      stage.optimizers["generator"]._loss_scale._current_loss_scale.assign(64.0)
    assert {value.dtype for value in stage.step.forward(batch).values()} == {tf.float32}
    known = len(stage.variables)
    results[name] = {tag: value.numpy() for tag, value in stage.step(batch).items()}
    assert len(stage.variables) == known  # A traced step may not create any, and those created late are not guarded.
    assert {value.dtype for value in results[name].values()} == {np.dtype(np.float32)}
    assert {array.dtype for array in model_weights.read_arrays(stage.networks).values()} == {np.dtype(np.float32)}
    compute = name.replace("mixed_", "")
    gated = [
      layer
      for network in ("coarse", "refine")
      for layer in _leaves(stage.networks[network])
      if isinstance(layer, GatedConv2D)
    ]
    assert gated and {layer.compute_dtype for layer in gated} == {compute}
    assert bool(loss_scales(stage.optimizers["generator"])) == (name == devices.FLOAT16)
    assert not loss_scales(stage.optimizers["discriminator"])
  exact = results[devices.FLOAT32]
  for name, tolerance in ((devices.BFLOAT16, 0.05), (devices.FLOAT16, 0.01)):
    for tag, value in exact.items():
      assert results[name][tag] == pytest.approx(value, rel=10 * tolerance if "norm" in tag else tolerance), (name, tag)
      if tag.startswith("loss/l1"):
        assert results[name][tag] != value, (name, tag)  # It really is another arithmetic.


@pytest.mark.parametrize("name", [devices.BFLOAT16, devices.FLOAT16])
def test_the_discriminator_stays_float32_and_vgg_follows_the_networks(random_vgg_weights, name):
  stage = _stage(name, random_vgg_weights)
  vgg = stage.step._features
  assert {layer.compute_dtype for layer in _leaves(stage.networks["disc"])} == {"float32"}
  convolutions = [layer for layer in _leaves(vgg) if isinstance(layer, layers.Conv2D)]
  assert len(convolutions) == 9 and {layer.compute_dtype for layer in convolutions} == {name.replace("mixed_", "")}
  assert vgg.output.dtype == name.replace("mixed_", "") and {weight.dtype for weight in vgg.weights} == {tf.float32}


def test_the_loss_scale_is_in_the_checkpoint(tmp_path):
  def run():
    config = pretrain.PretrainConfig(
      work_dir="", network="sr", width=2, seed=1, batch_size=2, precision=devices.FLOAT16
    )
    stage = pretrain.build(config, tf.distribute.get_strategy())
    optimizer = stage.optimizers["sr"]
    return (
      stage.networks["sr"],
      optimizer,
      Checkpoints(str(tmp_path), {"sr_optimizer": optimizer}, RunState(step=1), is_chief=True, say=print),
    )

  network, optimizer, saved = run()
  optimizer.apply_gradients([(tf.fill(variable.shape, np.inf), variable) for variable in network.trainable_variables])
  saved.save()
  _, again, restored = run()
  assert loss_scales(again) == [32768.0] and restored.restore()
  assert loss_scales(again) == loss_scales(optimizer) == [16384.0]


def test_attention_weights_are_float32_and_features_keep_their_type():
  rng = np.random.default_rng(0)
  features, mask = rng.normal(size=(1, 8, 8, 4)).astype(np.float32), np.zeros((1, 8, 8, 1), np.float32)
  mask[:, 2:5, 3:6] = 1
  layer, half = ContextualAttention(), ContextualAttention(dtype="mixed_bfloat16")
  rounded = tf.cast(features, tf.bfloat16)
  assert half.attention_map(rounded[:, 1::2, 1::2], tf.constant(mask[:, 1::2, 1::2])).dtype == tf.float32
  filled = half([rounded, mask])
  assert filled.dtype == tf.bfloat16
  exact = layer([tf.cast(rounded, tf.float32), mask])
  np.testing.assert_allclose(tf.cast(filled, tf.float32), exact, rtol=0.02, atol=0.02)


def test_an_unknown_precision_is_refused():
  with pytest.raises(ValueError, match="`precision`='float8'"):
    devices.check_precision("float8")

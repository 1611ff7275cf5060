"""DeepFill-v2: parameters of the publication, and its published checkpoint's graph, computed again in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tests import battery
from z2i_tf import image_ops
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.layers.overlapping_attention import OverlappingAttention
from z2i_tf.models import complexity
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.models.deepfill_nets import deepfill_coarse_net
from z2i_tf.models.deepfill_nets import deepfill_refinement_net
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter


def test_parameters_are_those_of_the_publication():
  counts = complexity.count_parameters(ModelConfig("none", 1, 48, architecture="deepfill_v2"))
  assert counts == {"coarse": 1_631_151, "refine": 2_421_327}
  assert f"{sum(counts.values()) / 1e6:.1f}M" == "4.1M"
  kernels = [weight for weight in patch_discriminator(64, "deepfill_v2").trainable_weights if "kernel" in weight.name]
  assert [weight.shape[-1] for weight in kernels] == [64, 128, 256, 256, 256, 256]


@pytest.mark.parametrize("build", [deepfill_coarse_net, deepfill_refinement_net])
def test_battery(build):
  inputs = np.random.default_rng(0).random((2, 16, 24, 4)).astype(np.float32)
  inputs[..., 3] = 0
  inputs[:, 4:9, 5:12, 3] = 1
  battery.check_network(lambda: build(4), inputs, (16, 24, 3), [(8, 40)])


def test_battery_of_the_layers():
  rng = np.random.default_rng(0)
  features = rng.normal(size=(2, 8, 12, 3)).astype(np.float32)
  mask = np.zeros((2, 8, 12, 1), np.float32)
  mask[0, 2:5, 4:8] = mask[1, :3, :2] = 1
  assert battery.check_layer(OverlappingAttention(), [features, mask]).shape == features.shape
  strided = GatedConv2D(8, kernel_size=5, strides=2, activation="relu")
  assert battery.check_layer(strided, features).shape == (2, 4, 6, 4)


@pytest.mark.parametrize(
  "arguments, message",
  [
    ({"activation": "tanh"}, "one of elu, relu. Received: activation='tanh'"),
    ({"upscaled": True, "strides": 2}, "3x3 without strides. Received: kernel_size=3, strides=2"),
  ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    GatedConv2D(4, **arguments)


@pytest.mark.parametrize("side, factor, kept", [(8, 2, [0, 2, 5, 7]), (8, 4, [0, 7]), (4, 4, [0]), (6, 2, [0, 3, 5])])
def test_shrinking_keeps_the_outer_pixels(side, factor, kept):
  row = np.arange(side, dtype=np.float32).reshape(1, 1, side, 1).repeat(side, axis=1)
  result = image_ops.downscale_nearest_aligned(tf.constant(row), factor)
  np.testing.assert_array_equal(result[0, 0, :, 0], kept)
  reference = tf.raw_ops.ResizeNearestNeighbor(images=row, size=[side // factor] * 2, align_corners=True)
  np.testing.assert_array_equal(result, reference)


def test_the_zoom_goes_around_it():
  model = ZoomInpainter(ModelConfig("sr", 2, 4, architecture="deepfill_v2"))
  batch = {"image_lr": tf.random.stateless_uniform([1, 16, 16, 3], [0, 1]), "mask_lr": tf.ones([1, 16, 16, 1])}
  assert model(batch)["refined"].shape == (1, 32, 32, 3)
  assert not any("batch_norm" in variable.name for variable in model.variables)
  assert ModelConfig(**model.get_config()["config"]) == model.model_config
  with pytest.raises(ValueError, match="'coarse' has no batch norms"):
    freeze_batch_norms(model.coarse_net)


@pytest.mark.parametrize(
  "arguments, message",
  [({"width": 6}, "multiple of 4. Received: 6"), ({"architecture": "other"}, "Unknown architecture. Expected one of")],
)
def test_a_configuration_that_cannot_be_is_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    ModelConfig(**{"architecture": "deepfill_v2", "width": 8, **arguments})

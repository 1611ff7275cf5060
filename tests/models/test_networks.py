"""All networks: the battery, the recorded outputs, the parameter counts."""

import numpy as np
import pytest

from tests import battery
from tests import recordings
from z2i_tf.models import complexity
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.coarse_net import coarse_net
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import super_resolution_net


def _masked_image(height, width):
  rng = np.random.default_rng(0)
  image = rng.random((2, height, width, 3)).astype(np.float32)
  mask = np.zeros((2, height, width, 1), np.float32)
  mask[0, 4:12, 8:16] = 1
  mask[1, :6, :4] = 1
  return np.concatenate([image * (1 - mask), mask], axis=-1)


@pytest.mark.parametrize(
  "build, inputs, output_shape, other_sizes",
  [
    (lambda: coarse_net(4), _masked_image(16, 24), (16, 24, 3), [(8, 32)]),
    (lambda: refinement_net(4), _masked_image(24, 16), (24, 16, 3), [(8, 32)]),
    (lambda: super_resolution_net(4, 2), _masked_image(9, 7)[..., :3], (18, 14, 3), [(5, 1)]),
    (lambda: super_resolution_net(4, 3), _masked_image(8, 9)[..., :3], (24, 27, 3), []),
    (lambda: patch_discriminator(4), _masked_image(33, 64), (2 * 2 * 16,), []),
  ],
  ids=["coarse", "refine", "sr_x2", "sr_x3", "disc"],
)
def test_battery(build, inputs, output_shape, other_sizes):
  battery.check_network(build, inputs, output_shape, other_sizes)


def test_parameter_counts_of_the_paper():
  """test_complexity.py compares the counts with the Keras networks'."""
  recorded = recordings.load("parameter_counts")
  full, wide = (complexity.count_parameters(ModelConfig(width=width, sr_width=64)) for width in (64, 70))
  for counts, suffix in ((full, "ch64"), (wide, "ch70")):
    for name, count in counts.items():
      assert count == recorded[f"{name}_{suffix}"]
  discriminator = patch_discriminator(64).trainable_variables
  assert sum(int(np.prod(variable.shape)) for variable in discriminator) == recorded["disc_ch64"] == 4_308_160
  assert full == {"coarse": 1_426_659, "sr": 446_659, "refine": 2_607_843}
  assert sum(full.values()) == 4_481_161 and sum(full.values()) - full["sr"] == 4_034_502
  assert sum(complexity.count_parameters(ModelConfig(zoom="bicubic", width=70)).values()) == 4_824_756


@pytest.mark.parametrize("scale", [3, 4])
def test_super_resolution_matches_the_recording(scale):
  recorded = recordings.load(f"sr_x{scale}")
  network = super_resolution_net(8, scale)
  model_weights.assign_arrays({"sr": network}, recorded, "recording")
  recordings.assert_matches(network(recorded["x"]), recorded["y"])


def test_initialisers():
  coarse, sr = coarse_net(32), super_resolution_net(32, 2)
  kernel = model_weights.network_variables(coarse)["conv07/kernel"].numpy()
  fan_sum = 9 * (kernel.shape[2] + kernel.shape[3])
  assert np.abs(kernel).max() <= np.sqrt(6 / fan_sum) * (1 + 1e-6)  # Glorot uniform is bounded,
  assert abs(kernel.std() / np.sqrt(2 / fan_sum) - 1) < 0.05
  kernel = model_weights.network_variables(sr)["conv03/kernel"].numpy()
  fan_sum = 9 * (kernel.shape[2] + kernel.shape[3])
  assert np.abs(kernel).max() > np.sqrt(6 / fan_sum)  # Glorot normal goes beyond that bound.
  assert abs(kernel.std() / np.sqrt(2 / fan_sum) - 1) < 0.05


@pytest.mark.parametrize("width", [0, 7, -2])
def test_odd_or_empty_widths_are_refused(width):
  for build in (coarse_net, refinement_net, lambda w: super_resolution_net(w, 2)):
    with pytest.raises(ValueError, match=f"even number. Received: {width}"):
      build(width)

import numpy as np
import pytest
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.losses.terms import LossWeights
from z2i_tf.training import joint
from z2i_tf.training import optimizers
from z2i_tf.training import pretrain
from z2i_tf.training import work_dir
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.optimizers import OptimizerConfig


def test_learning_rates_begin_where_their_fraction_says():
  rate = optimizers.piecewise_learning_rate(OptimizerConfig(iterations=1000))
  for step, expected in ((0, 1e-3), (799, 1e-3), (800, 1e-4), (899, 1e-4), (900, 1e-5), (999, 1e-5)):
    np.testing.assert_allclose(rate(step), expected, rtol=1e-6)


def test_adam_is_the_paper_s():
  settings = optimizers.build_adam(OptimizerConfig(iterations=10), []).get_config()
  assert (settings["beta_1"], settings["beta_2"], settings["epsilon"]) == (0.9, 0.999, 1e-7)


@pytest.mark.parametrize(
  "record, arguments, message",
  [
    (OptimizerConfig, {"iterations": 0}, "`iterations`=0"),
    (OptimizerConfig, {"iterations": 9, "learning_rates": (1e-3,)}, "one learning rate more"),
    (OptimizerConfig, {"iterations": 9, "decay_fractions": (0.9, 0.8)}, "ascend"),
    (OptimizerConfig, {"iterations": 9, "decay_fractions": (0.5, 1.0)}, "ascend"),
    (OptimizerConfig, {"iterations": 9, "learning_rates": (1e-3, 0.0, 1e-5)}, "positive"),
    (OptimizerConfig, {"iterations": 9, "gradient_clip_norm": -1.0}, "negative"),
    (LossWeights, {"weight_gradient": -1.0}, "`weight_gradient`=-1.0"),
    (LossWeights, {"weight_l1_sr": float("nan")}, "`weight_l1_sr`=nan"),
    (
      LoopConfig,
      {"iterations": 1, "batch_size": 1, "save_every": 0, "log_every": 1, "evaluate_every": 1},
      "save_every",
    ),
  ],
)
def test_impossible_settings_are_refused(record, arguments, message):
  with pytest.raises(ValueError, match=message):
    record(**arguments)


@pytest.mark.parametrize(
  "record, given, written_out, other, message",
  [
    (joint.JointConfig, {}, {"scale": 2, "sr_width": 64}, {"scale": 3}, "`scale` was 2, is 3"),
    (joint.JointConfig, {}, {"discriminator_width": 64}, {"sr_width": 32}, "`sr_width` was 64, is 32"),
    (
      joint.JointConfig,
      {"crop_size": 64},
      {"mask_reference_size": 64, "deterministic": True},
      {"mask_reference_size": 128},
      "`mask_reference_size` was 64, is 128",
    ),
    (joint.JointConfig, {}, {"deterministic": True}, {"deterministic": False}, "`deterministic` was True, is False"),
    (
      joint.JointConfig,
      {"jit_compile": True},
      {"deterministic": False},
      {"seed": 1, "deterministic": False},
      "settings: `seed` was 0, is 1;",
    ),
    (joint.JointConfig, {"zoom": "none"}, {"scale": 1}, {"scale": 2, "zoom": "sr"}, "`zoom` was 'none', is 'sr'"),
    (pretrain.PretrainConfig, {"network": "sr"}, {"scale": 2, "weight_vgg": 0.0}, {"scale": 4}, "`scale` was 2, is 4"),
    (
      pretrain.PretrainConfig,
      {"network": "coarse"},
      {"weight_vgg": 0.01, "split": "train"},
      {"weight_vgg": 0.02},
      "`weight_vgg` was 0.01, is 0.02",
    ),
  ],
)
def test_a_default_that_is_written_out_continues_a_run(monkeypatch, record, given, written_out, other, message):
  monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])  # No GPU.
  former = record(work_dir="run", **given)

  def compare(config):
    return work_dir.compare_settings(
      "run", former.settings(), config.settings(), config.default_settings(), config.implied_settings(), False
    )

  assert compare(record(work_dir="run", **{**given, **written_out})) == []
  with pytest.raises(InputError, match=message):
    compare(record(work_dir="run", **{**given, **other}))

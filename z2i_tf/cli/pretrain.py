"""Trains one network alone: coarse and refine fill holes at low resolution, sr enlarges (paper section 4.1).

Running the same command again continues from the last checkpoint in --work_dir. The finished --work_dir serves as
--init_coarse, --init_sr or --init_refine of `z2i train`.
"""

import shlex
from typing import TYPE_CHECKING

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli.flags import model_flags
from z2i_tf.cli.flags import training_flags
from z2i_tf.cli.progress import training_reporter

if TYPE_CHECKING:
  from z2i_tf.training.pretrain import PretrainConfig
  from z2i_tf.training.trainer import RunResult

HEADINGS = {"Model": ("architecture", "width", "scale")}

_DEFAULT_ARCHITECTURE = "zoom_inpaint"
_NETWORKS = (conventions.COARSE_NET, conventions.REFINE_NET, conventions.SR_NET)


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_enum("network", None, list(_NETWORKS), "The network to train.", flag_values=values)
  training_flags.define_stage_flags(values)
  model_flags.define_architecture_flag(values)
  flags.DEFINE_integer(
    "width", 64, "Width of the network: channels of its first convolution, even.", flag_values=values
  )
  flags.DEFINE_integer(
    "scale",
    None,
    f"Zoom factor of sr: 2, 3 or 4. Default: {conventions.DEFAULT_SCALE}. The "
    "other networks are trained at low resolution.",
    flag_values=values,
  )
  flags.DEFINE_float(
    "weight_vgg", None, "Weight of the perceptual loss beside L1. Default: 0.01 (paper), 0 for sr.", flag_values=values
  )
  training_flags.define_initial_weights_flags(values, _NETWORKS)


def run(values: flags.FlagValues) -> None:
  config = training_flags.pretrain_config(values)
  from z2i_tf.training import pretrain

  with training_reporter(config.iterations) as reporter:
    result = pretrain.train(config, reporter)
  if result.is_chief:
    print(next_command(config, result))


def next_command(config: "PretrainConfig", result: "RunResult") -> str:
  """Returns where the weights are, and the command that uses them."""
  where, folder = result.work_dir, shlex.quote(result.best_dir or result.work_dir)
  if result.best_dir:
    where = f"{result.work_dir} (last step), {result.best_dir} (best on the validation images)"
  shape = f"--width={config.width}"
  if config.network == conventions.SR_NET:
    shape = f"--sr_width={config.width} --scale={config.zoom_factor}"
  elif config.architecture != _DEFAULT_ARCHITECTURE:
    shape = f"--architecture={config.architecture} {shape}"
  return (
    f"{config.network} network: {where}\nit cannot fill holes alone; z2i train makes a model of it and the "
    f"others:\n  z2i train {shape} --init_{config.network}={folder} --work_dir=DIR"
  )

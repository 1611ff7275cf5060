"""Trains one network alone: coarse and refine fill holes at low resolution, sr enlarges (paper section 4.1).

Running the same command again continues from the last checkpoint in --work_dir. The finished --work_dir serves as
--init_coarse, --init_sr or --init_refine of `z2i train`.
"""

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli import stage_runs
from z2i_tf.cli.flags import flag_groups
from z2i_tf.cli.flags import training_flags
from z2i_tf.errors import InputError

_NETWORKS = (conventions.COARSE_NET, conventions.REFINE_NET, conventions.SR_NET)
_DEFAULT_WEIGHT_VGG = 0.01


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_enum("network", None, list(_NETWORKS), "The network to train.", flag_values=values)
  stage_runs.define_flags(values)
  flags.DEFINE_integer(
    "width", 64, "Width of the network: channels of its first convolution, even.", flag_values=values
  )
  flags.DEFINE_integer(
    "scale",
    None,
    f"Zoom factor of sr: 2, 3 or 4. Default: {flag_groups.DEFAULT_SCALE}. The "
    "others are trained at low resolution alone.",
    flag_values=values,
  )
  flags.DEFINE_float(
    "weight_vgg",
    None,
    f"Weight of the perceptual loss beside L1. Default: {_DEFAULT_WEIGHT_VGG} (paper), 0 for sr.",
    flag_values=values,
  )
  training_flags.define_initial_weights_flags(values, _NETWORKS)


def stage_config(values: flags.FlagValues):
  """Returns the PretrainStageConfig of the flags; raises InputError for flags that do not make one."""
  flag_groups.require(values, "network")
  stage_runs.check_flags(values)
  is_sr = values.network == conventions.SR_NET
  if values.scale is not None and not is_sr:
    raise InputError(f"--scale={values.scale}: only --network={conventions.SR_NET} zooms")
  if values["l1_normalization"].present and is_sr:
    raise InputError(f"--l1_normalization={values.l1_normalization}: there are no masks here")
  initial_weights = training_flags.initial_weights(values)
  for name in initial_weights:
    if name != values.network:
      raise InputError(
        f"--init_{name}={initial_weights[name]}: --network={values.network} can only start from --init_{values.network}"
      )
  optimizer = training_flags.optimizer_config(values)
  scale = (values.scale if values.scale is not None else flag_groups.DEFAULT_SCALE) if is_sr else 1
  weight_vgg = values.weight_vgg if values.weight_vgg is not None else (0.0 if is_sr else _DEFAULT_WEIGHT_VGG)
  from z2i_tf.training import pretrain_stage

  with flag_groups.usage_errors():
    return pretrain_stage.PretrainStageConfig(
      network=values.network,
      width=values.width,
      scale=scale,
      weight_vgg=0.0 if values.perceptual_weights == training_flags.NO_WEIGHTS else weight_vgg,
      perceptual_network=values.perceptual_network,
      perceptual_weights=values.perceptual_weights,
      optimizer=optimizer,
      seed=values.seed,
      initial_weights=initial_weights,
      precision=values.precision,
      jit_compile=values.jit_compile,
      freeze_batch_norm=tuple(values.freeze_batch_norm),
      l1_normalization=values.l1_normalization,
    )


def run(values: flags.FlagValues) -> None:
  config = stage_config(values)
  from z2i_tf.training import pretrain_stage

  stage_runs.run(values, config, pretrain_stage.pretrain_stage)

"""Trains the coarse, the SR and the refinement network and the discriminator jointly.

Running the same command again continues from the last checkpoint in --work_dir. TensorBoard reads
--work_dir/events; --work_dir itself serves as --model of `z2i inpaint`.
"""

from absl import flags

from z2i_tf.cli import stage_runs
from z2i_tf.cli.flags import flag_groups
from z2i_tf.cli.flags import training_flags


def define_flags(values: flags.FlagValues) -> None:
  stage_runs.define_flags(values)
  flag_groups.define_model_flags(values)
  training_flags.define_initial_weights_flags(values)
  training_flags.define_loss_flags(values)


def stage_config(values: flags.FlagValues):
  """Returns the JointStageConfig of the flags; raises InputError for flags that do not make one."""
  stage_runs.check_flags(values)
  weights = training_flags.loss_weights(values)
  optimizer = training_flags.optimizer_config(values)
  initial_weights = training_flags.initial_weights(values)
  model = flag_groups.model_config(values)
  from z2i_tf.training import joint_stage

  width = values.width if values.discriminator_width is None else values.discriminator_width
  with flag_groups.usage_errors():
    return joint_stage.JointStageConfig(
      model=model,
      discriminator_width=width,
      loss_weights=weights,
      optimizer=optimizer,
      perceptual_network=values.perceptual_network,
      perceptual_weights=values.perceptual_weights,
      seed=values.seed,
      initial_weights=initial_weights,
      precision=values.precision,
      jit_compile=values.jit_compile,
      freeze_batch_norm=tuple(values.freeze_batch_norm),
      l1_normalization=values.l1_normalization,
      discriminator_warmup_steps=values.discriminator_warmup_steps,
    )


def run(values: flags.FlagValues) -> None:
  config = stage_config(values)
  from z2i_tf.training import joint_stage

  stage_runs.run(values, config, joint_stage.joint_stage)

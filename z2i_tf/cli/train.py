"""Trains the coarse, the SR and the refinement network and the discriminator jointly.

Running the same command again continues from the last checkpoint in --work_dir. TensorBoard reads
--work_dir/events; --work_dir itself serves as --model of `z2i inpaint`.
"""

import shlex
from typing import TYPE_CHECKING

from absl import flags

from z2i_tf.cli.flags import model_flags
from z2i_tf.cli.flags import training_flags
from z2i_tf.cli.progress import training_reporter

if TYPE_CHECKING:
  from z2i_tf.training.joint import JointConfig
  from z2i_tf.training.trainer import RunResult


def define_flags(values: flags.FlagValues) -> None:
  training_flags.define_stage_flags(values)
  model_flags.define_model_flags(values)
  model_flags.define_discriminator_width_flag(values)
  training_flags.define_initial_weights_flags(values)
  training_flags.define_loss_flags(values)


def run(values: flags.FlagValues) -> None:
  config = training_flags.joint_config(values)
  from z2i_tf.training import joint

  with training_reporter(config.iterations) as reporter:
    result = joint.train(config, reporter)
  if result.is_chief:
    print(next_command(config, result))


def next_command(config: "JointConfig", result: "RunResult") -> str:
  """Returns where the model is, and the command that uses it."""
  del config
  where = result.work_dir
  if result.best_dir:
    where = f"{result.work_dir} (last step), {result.best_dir} (best on the validation images)"
  folder = shlex.quote(result.best_dir or result.work_dir)
  return f"model: {where}\nfill holes with it:\n  z2i inpaint photo.png mask.png -o filled.png --model={folder}"

"""Runs several stages of training, one after the other, each from its flagfile and in its own folder.

--work_dir/NAME is the folder of the stage of NAME.cfg. A flagfile that says --network is run as by `z2i pretrain`, any
other as by `z2i train`. Every network starts from the latest stage of the recipe that trained it (weights only),
whatever --init_* its flagfile names; networks that no earlier stage trained start from what the flagfile says. All
stages are checked before the first begins. Running the same command again skips finished stages and continues an
interrupted one. The flags below, where they are given, override those of all stages.
"""

import gc

from absl import flags

from z2i_tf.cli import recipe_plan
from z2i_tf.cli import stage_runs
from z2i_tf.cli.flags import flag_groups
from z2i_tf.errors import InputError


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_list("stages", None, "Flagfiles of the stages, in order, separated by commas.", flag_values=values)
  flags.DEFINE_string(
    "work_dir",
    None,
    "Folder for the folders of the stages, created if missing. Recipes of one "
    "--work_dir share stages of the same name.",
    flag_values=values,
  )
  stage_runs.define_common_flags(values)


def run(values: flags.FlagValues) -> None:
  flag_groups.require(values, "work_dir")
  flagfiles = [name for name in values.stages or () if name]
  if not flagfiles:
    raise InputError("--stages is missing: the flagfiles of the stages, in order, separated by commas")
  stages = recipe_plan.plan(flagfiles, values.work_dir, _given(values))
  recipe_plan.check_folders(stages, values.work_dir)
  recipe_plan.check_inputs(stages)
  print(recipe_plan.describe(stages), flush=True)
  from z2i_tf.training.work_dir import make_folder

  make_folder(values.work_dir)
  for number, stage in enumerate(stages, start=1):
    title = f"stage {number} of {len(stages)}, {stage.name}"
    if stage.is_finished:
      print(f"{title}: {stage.folder} has its {stage.values.iterations} steps already", flush=True)
      continue
    print(f"{title}: {stage.command_name} in {stage.folder}", flush=True)
    with stage.errors():
      stage.command.run(stage.values)
    _forget_networks()


def _given(values: flags.FlagValues) -> list[str]:
  """The flags common to all stages that were given, as arguments."""
  common = flags.FlagValues()
  stage_runs.define_common_flags(common)
  return [values[name].serialize() for name in common if values[name].present]


def _forget_networks():
  """Frees what a stage leaves in memory."""
  from z2i_tf.keras_api import keras

  keras.backend.clear_session()
  gc.collect()

"""Runs several stages of training, one after the other, each from its flagfile and in its own folder.

--work_dir/NAME is the folder of the stage of NAME.cfg. A flagfile with --network runs as `z2i pretrain`, any other as
`z2i train`. Every network starts from the weights of the latest stage of the recipe that trained it, whatever --init_*
its flagfile names. Networks that no earlier stage trained start from the --init_* of their flagfile. All stages are
checked before the first begins. Running the same command again skips finished stages and continues an interrupted one.
The flags below override those of all stages.
"""

from collections.abc import Sequence
import contextlib
import os
import re
from typing import TYPE_CHECKING

from absl import flags

from z2i_tf.cli import pretrain
from z2i_tf.cli import train
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import training_flags
from z2i_tf.cli.progress import training_reporter
from z2i_tf.errors import InputError

if TYPE_CHECKING:
  from z2i_tf.training.recipe import RecipeStage

_EXTENSION = ".cfg"


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_list("stages", None, "Flagfiles of the stages, in order, separated by commas.", flag_values=values)
  flags.DEFINE_string(
    "work_dir",
    None,
    "Folder for the stages' folders, created if missing. Recipes with the same --work_dir share stages of the same "
    "name.",
    flag_values=values,
  )
  training_flags.define_shared_flags(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "work_dir")
  flagfiles = [name for name in values.stages or () if name]
  if not flagfiles:
    raise InputError("--stages is missing: the flagfiles of the stages, in order, separated by commas")
  stages = planned(flagfiles, values.work_dir, _given(values))
  from z2i_tf.training import recipe
  from z2i_tf.training.work_dir import make_folder

  recipe.check(stages, values.work_dir)
  print(recipe.describe(stages), flush=True)
  make_folder(values.work_dir)
  for stage, result in recipe.train(stages, training_reporter):
    if result.is_chief:
      print(_command_of(stage.config).next_command(stage.config, result), flush=True)


def planned(flagfiles: Sequence[str], work_dir: str, overriding: Sequence[str]) -> list["RecipeStage"]:
  """Reads the stages from their flagfiles and joins them; opens no data and writes nothing.

  Args:
    flagfiles: one per stage, in order.
    work_dir: folder of the stages' folders.
    overriding: arguments for every stage; they override the flagfiles.
  Returns: the stage of each flagfile.
  Raises: InputError naming the flagfile that is missing or unusable, or that does not fit an earlier one.
  """
  commands_and_values = [_read(flagfile, work_dir, overriding) for flagfile in flagfiles]
  configs = []
  for flagfile, (command, stage_values) in zip(flagfiles, commands_and_values):
    with _errors_of(flagfile):
      read = training_flags.pretrain_config if command is pretrain else training_flags.joint_config
      configs.append(read(stage_values))
  from z2i_tf.training import recipe

  stages = [recipe.RecipeStage(flagfile, config) for flagfile, config in zip(flagfiles, configs)]
  recipe.plan(stages)
  return stages


def _given(values: flags.FlagValues) -> list[str]:
  """Returns the common flags that were given, as arguments."""
  common = flags.FlagValues()
  training_flags.define_shared_flags(common)
  return [values[name].serialize() for name in common if values[name].present]


def _command_of(config):
  from z2i_tf.training.pretrain import PretrainConfig

  return pretrain if isinstance(config, PretrainConfig) else train


def _read(flagfile, work_dir, overriding):
  """Returns the command of a flagfile, and the values of all its flags."""
  if not os.path.isfile(flagfile):
    raise InputError(f"--stages: {flagfile}: no such file (paths of flagfiles are relative to the current folder)")
  name = os.path.basename(flagfile).removesuffix(_EXTENSION)
  values = flags.FlagValues()
  with _errors_of(flagfile):
    lines = values.read_flags_from_files([f"--flagfile={flagfile}"])
    command = pretrain if any(re.match("--?network(=|$)", line) for line in lines) else train
    command.define_flags(values)
    rest = values([f"z2i {flagfile}", *lines, *overriding, f"--work_dir={os.path.join(work_dir, name)}"])[1:]
    if rest:
      raise InputError(f"unexpected line {rest[0]!r}; every option is a flag, as --name=value")
  return command, values


@contextlib.contextmanager
def _errors_of(flagfile):
  try:
    yield
  except (InputError, flags.Error) as error:
    raise InputError(f"{flagfile}: {error}") from error
  except UnicodeDecodeError as error:
    raise InputError(f"{flagfile}: it, or a --flagfile in it, is not UTF-8 text: {error}") from error

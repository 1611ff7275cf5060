"""The stages of a recipe: read from their flagfiles, joined by the weights they hand over, checked before any runs."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import os
import re
from typing import Any

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli import pretrain
from z2i_tf.cli import stage_runs
from z2i_tf.cli import train
from z2i_tf.cli.flags import training_flags
from z2i_tf.errors import InputError

_EXTENSION = ".cfg"
_ALL = conventions.ALL_NETWORKS


@dataclasses.dataclass
class PlannedStage:
  """A stage of a recipe.

  Attributes:
    name: of its folder: the flagfile's base name.
    flagfile: where its flags come from.
    command: the module of `z2i pretrain` or `z2i train`.
    values: of all its flags.
    config: the record that the command makes of them.
    handed_over: network -> the earlier stage of the recipe that it takes its weights from.
    is_finished: whether nothing is left to be done.
    has_begun: whether there is a checkpoint to continue from.
    epochs: how often its steps go through the images, None before they are looked at.
  """

  name: str
  flagfile: str
  command: Any
  values: flags.FlagValues
  config: Any = None
  handed_over: dict[str, "PlannedStage"] = dataclasses.field(default_factory=dict)
  is_finished: bool = False
  has_begun: bool = False
  epochs: float | None = None

  @property
  def command_name(self) -> str:
    return "z2i " + self.command.__name__.rsplit(".", maxsplit=1)[-1]

  @property
  def folder(self) -> str:
    return self.values.work_dir

  @contextlib.contextmanager
  def errors(self) -> Iterator[None]:
    """Makes whatever the user can mend in this stage name its flagfile."""
    with _errors_of(self.flagfile):
      yield


def plan(flagfiles: Sequence[str], work_dir: str, overriding: Sequence[str]) -> list[PlannedStage]:
  """Reads the stages and joins them; looks at no data and no folder, and writes nothing.

  Args:
    flagfiles: one per stage, in order.
    work_dir: folder of the stages' folders.
    overriding: arguments for every stage, which have the last word.
  Raises: InputError naming the flagfile that is missing or unusable, or two that do not go together.
  """
  stages: list[PlannedStage] = []
  for flagfile in flagfiles:
    stage = _read(flagfile, work_dir, overriding)
    for former in stages:
      if former.name == stage.name:
        raise InputError(
          f"--stages: {former.flagfile} and {flagfile} would both train in {stage.folder}; rename one of them"
        )
    stages.append(stage)
  latest: dict[str, PlannedStage] = {}
  for stage in stages:
    with stage.errors():
      _name_handed_over_statistics(stage, latest)
      stage.config = stage.command.stage_config(stage.values)
      _take_over(stage, latest)
    latest.update(dict.fromkeys(stage.config.networks, stage))
  return stages


def check_folders(stages: Sequence[PlannedStage], work_dir: str) -> None:
  """Looks at what is left of an earlier run of the recipe; sets `is_finished` and `has_begun`, writes nothing.

  Raises: InputError if a folder cannot be used, or belongs to something else.
  """
  from z2i_tf.training import checkpoints
  from z2i_tf.training.work_dir import check_work_dir

  check_work_dir(work_dir)
  if checkpoints.has_checkpoint(work_dir):
    raise InputError(
      f"--work_dir={work_dir}: the folder of a single run; a recipe needs one of its own, in which its "
      "stages get folders"
    )
  for stage in stages if os.path.isdir(work_dir) else ():
    with stage.errors():
      check_work_dir(stage.folder)
      stage.has_begun = checkpoints.has_checkpoint(stage.folder)
      stage.is_finished = stage.has_begun and checkpoints.saved_steps(stage.folder) >= stage.values.iterations
  for stage in stages:
    for former in stage.handed_over.values():
      if stage.has_begun and not former.is_finished:
        raise InputError(
          f"{former.folder} has steps to be done, but {stage.folder}, which starts from its weights, has begun "
          f"already; remove {stage.folder} (or leave --iterations of {former.flagfile} as it was), or give another "
          "--work_dir"
        )
  for stage in stages:
    if stage.has_begun:
      with stage.errors():
        stage_runs.check_former_run(stage.values, stage_runs.recorded_settings(stage.values))


def check_inputs(stages: Sequence[PlannedStage]) -> None:
  """Looks at what the stages that are not finished need, other than folders: images, devices, weights; writes nothing.

  Sets `epochs`.
  Raises: InputError for what would stop one of them.
  """
  first = stages[0].values
  for stage in stages:
    for name in ("deterministic", "jit_compile"):  # Determinism is for the whole process.
      if stage.values[name].value != first[name].value:
        raise InputError(
          f"{stage.flagfile}: --{name} must be the same for all stages of a recipe; give it to the recipe"
        )
  from z2i_tf.training import devices
  from z2i_tf.training.stage import check_initial_weights

  strategy = devices.make_strategy()
  known_networks = set()
  for stage in stages:
    if stage.is_finished:
      continue
    with stage.errors():
      inputs = stage_runs.open_inputs(stage.values, stage.config.scale, stage.config.with_masks)
      devices.check_batch_size(inputs.loop.batch_size, strategy, stage.values.jit_compile)
      stage.epochs = inputs.epochs
      if stage.has_begun:
        stage_runs.check_former_run(stage.values, inputs.settings)
      else:
        own, networks = stage.config.initial_weights, stage.config.networks
        check_initial_weights(
          networks,
          {
            name: own.get(name, own.get(_ALL))
            for name in networks
            if name not in stage.handed_over and own.get(name, own.get(_ALL))
          },
        )
      perceptual_weights = stage.config.used_perceptual_weights
      network = stage.config.perceptual_network, perceptual_weights, stage.config.precision
      if perceptual_weights is not None and network not in known_networks:
        from z2i_tf.training.perceptual_networks import perceptual_network

        perceptual_network(*network)  # Downloads weights, if need be, while somebody is still looking.
        known_networks.add(network)


def describe(stages: Sequence[PlannedStage]) -> str:
  """Returns the plan, a line per stage."""
  lines = []
  for number, stage in enumerate(stages, start=1):
    sources = []
    own = stage.config.initial_weights
    for network in stage.config.networks:
      folder = own.get(network, own.get(_ALL))
      source = stage.handed_over[network].name if network in stage.handed_over else folder
      sources.append(f"{network} from {source}" if source else f"{network} new")
    state = " (finished)" if stage.is_finished else " (begun)" if stage.has_begun else ""
    epochs = "" if stage.epochs is None else f" ({stage.epochs:.1f} epochs)"
    lines.append(
      f"{number}. {stage.folder}: {stage.command_name}, {stage.values.iterations} steps{epochs}, "
      f"{', '.join(sources)}{state}"
    )
  return "\n".join(lines)


@contextlib.contextmanager
def _errors_of(flagfile: str) -> Iterator[None]:
  try:
    yield
  except (InputError, flags.Error) as error:
    raise InputError(f"{flagfile}: {error}") from error
  except UnicodeDecodeError as error:
    raise InputError(f"{flagfile}: it, or a --flagfile in it, is not UTF-8 text: {error}") from error


def _read(flagfile, work_dir, overriding) -> PlannedStage:
  if not os.path.isfile(flagfile):
    raise InputError(f"--stages: {flagfile}: no such file (paths of flagfiles are seen from the current folder)")
  name = os.path.basename(flagfile)
  name = name[: -len(_EXTENSION)] if name.endswith(_EXTENSION) else name
  values = flags.FlagValues()
  with _errors_of(flagfile):
    lines = values.read_flags_from_files([f"--flagfile={flagfile}"])
    command = pretrain if any(re.match("--?network(=|$)", line) for line in lines) else train
    command.define_flags(values)
    rest = values([f"z2i {flagfile}", *lines, *overriding, f"--work_dir={os.path.join(work_dir, name)}"])[1:]
    if rest:
      raise InputError(f"unexpected line {rest[0]!r}; every option is a flag, as --name=value")
  return PlannedStage(name, flagfile, command, values)


def _name_handed_over_statistics(stage, latest: dict[str, PlannedStage]) -> None:
  """Sets --init_* of networks that keep the statistics an earlier stage leaves: a stage by hand must name it."""
  values = stage.values
  own = training_flags.initial_weights(values)
  for name in set(values.freeze_batch_norm) & set(latest) - set(own):
    if _ALL not in own and (stage.command is train or values.network == name):
      values[f"init_{name}"].value = latest[name].folder


def _take_over(stage, latest: dict[str, PlannedStage]) -> None:
  """Lets the stage start from what earlier stages leave, and otherwise from what its flagfile names."""
  own, networks = stage.config.initial_weights, stage.config.networks
  for name in own:
    if name != _ALL and name not in networks:
      raise InputError(f"--init_{name}={own[name]}: the stage trains no such network")
  by_flagfile = {name: own.get(name, own.get(_ALL)) for name in networks}
  folders = dict(by_flagfile)
  for name, size in networks.items():
    if name in latest:
      _check_sizes(stage, latest[name], name, size)
      stage.handed_over[name], folders[name] = latest[name], latest[name].folder
  if _real(folders) == _real(by_flagfile):
    return  # As by hand: so a stage may be begun by hand and continued by a recipe.
  for name in (*networks, _ALL):
    if f"init_{name}" in stage.values:
      stage.values[f"init_{name}"].value = folders.get(name)
  stage.config = stage.command.stage_config(stage.values)


def _real(folders: dict[str, str | None]) -> dict[str, str]:
  return {name: os.path.realpath(folder) for name, folder in folders.items() if folder}


def _check_sizes(stage, former, network, size):
  left = former.config.networks[network]
  for what in size:
    if size[what] != left[what]:
      raise InputError(
        f"the network {network!r} has {what} {size[what]} here, but {left[what]} in {former.flagfile}, "
        "which hands it over; they must be the same"
      )

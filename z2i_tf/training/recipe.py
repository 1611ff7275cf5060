"""Runs several stages of training one after the other: links, checks and trains them.

Every network starts from the latest stage of the recipe that trained it (weights only). Networks that no earlier stage
trained start from their own `initial_weights`.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import gc
import os

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.keras_api import keras
from z2i_tf.training import checkpoints
from z2i_tf.training import devices
from z2i_tf.training import inputs
from z2i_tf.training import joint
from z2i_tf.training import perceptual_networks
from z2i_tf.training import pretrain
from z2i_tf.training import run_stage
from z2i_tf.training import work_dir as work_dirs
from z2i_tf.training.reporters import Reporter
from z2i_tf.training.stage import check_initial_weights
from z2i_tf.training.stage_config import check_frozen_batch_norm
from z2i_tf.training.stage_config import StageConfig
from z2i_tf.training.trainer import RunResult


@dataclasses.dataclass
class RecipeStage:
  """A stage of a recipe.

  Attributes:
    origin: where its settings come from, such as the path of a flagfile; begins its error messages.
    config: its settings; `work_dir` is a folder in the recipe's own.
    predecessors: network -> earlier stage of the recipe whose weights it starts from.
    is_finished: whether its last checkpoint has all its steps.
    has_begun: whether it has a checkpoint.
    epochs: number of times that its steps visit each image, None until `check` opens its images.
  """

  origin: str
  config: StageConfig
  predecessors: dict[str, "RecipeStage"] = dataclasses.field(default_factory=dict)
  is_finished: bool = False
  has_begun: bool = False
  epochs: float | None = None

  @property
  def name(self) -> str:
    """Name of its folder."""
    return os.path.basename(self.folder)

  @property
  def folder(self) -> str:
    """Its work folder."""
    return self.config.work_dir

  @contextlib.contextmanager
  def errors(self) -> Iterator[None]:
    """Puts the origin in front of the message of every InputError of the block."""
    try:
      yield
    except InputError as error:
      raise InputError(f"{self.origin}: {error}") from error


def plan(stages: Sequence[RecipeStage]) -> None:
  """Links the stages: sets `predecessors` and the initial weights that follow from them. Opens no file.

  Raises: InputError naming the origin of a stage that does not fit the ones before it.
  """
  folders: dict[str, RecipeStage] = {}
  latest: dict[str, RecipeStage] = {}
  for stage in stages:
    former = folders.setdefault(stage.folder, stage)
    if former is not stage:
      raise InputError(f"{former.origin} and {stage.origin} would both train in {stage.folder}; rename one of them")
    with stage.errors():
      _link(stage, latest)
      check_frozen_batch_norm(stage.config)
    latest.update(dict.fromkeys(stage.config.networks, stage))


def train(
  stages: Sequence[RecipeStage], reporting: Callable[[int], contextlib.AbstractContextManager[Reporter]]
) -> Iterator[tuple[RecipeStage, RunResult]]:
  """Trains all stages that are not finished, in order, after `plan` and `check`.

  Args:
    stages: of the recipe.
    reporting: iterations of a stage -> context manager that yields its reporter.
  Yields: each stage that was trained, with its result.
  Raises: as `joint.train`, with the origin of the stage.
  """
  for number, stage in enumerate(stages, start=1):
    title = f"stage {number} of {len(stages)}, {stage.name}"
    with stage.errors(), reporting(stage.config.iterations) as reporter:
      if stage.is_finished:
        steps = stage.config.iterations
        reporter.say(f"{title}: {stage.folder} is finished (step {steps} of {steps})")
        continue
      reporter.say(f"{title}: {stage.config.command} in {stage.folder}")
      result = _train(stage.config, reporter)
    yield stage, result
    # Free the memory of the stage.
    keras.backend.clear_session()
    gc.collect()


def _train(config, reporter) -> RunResult:
  module = pretrain if isinstance(config, pretrain.PretrainConfig) else joint
  return module.train(config, reporter)


def check(stages: Sequence[RecipeStage], work_dir: str) -> None:
  """Checks everything that the stages need before the first begins; writes nothing.

  It sets `is_finished`, `has_begun` and, for unfinished stages, `epochs`. It downloads missing weights of perceptual
  networks.

  Args:
    stages: of the recipe, after `plan`.
    work_dir: folder of the stages' folders.
  Raises: InputError for an unusable folder, image, device or weight, and for settings that must be the same for all.
  """
  _check_folders(stages, work_dir)
  for stage in stages:
    for name in ("deterministic", "jit_compile"):  # Determinism is set for the whole process.
      if getattr(stage.config, name) != getattr(stages[0].config, name):
        raise InputError(f"{stage.origin}: `{name}` must be the same for all stages of a recipe; give it to the recipe")
  strategy = devices.make_strategy()
  known_networks: set[tuple[str, str, str]] = set()
  for stage in stages:
    if not stage.is_finished:
      with stage.errors():
        _check_inputs(stage, strategy, known_networks)


def describe(stages: Sequence[RecipeStage]) -> str:
  """Returns the plan as text, one line per stage."""
  lines = []
  for number, stage in enumerate(stages, start=1):
    sources = []
    for network in stage.config.networks:
      former = stage.predecessors.get(network)
      source = former.name if former else stage.config.initial_weights_of(network)
      sources.append(f"{network} from {source}" if source else f"{network} new")
    state = " (finished)" if stage.is_finished else " (begun)" if stage.has_begun else ""
    epochs = "" if stage.epochs is None else f" ({stage.epochs:.1f} epochs)"
    lines.append(
      f"{number}. {stage.folder}{state}: {stage.config.command}, {stage.config.iterations} steps{epochs}, "
      f"{', '.join(sources)}"
    )
  return "\n".join(lines)


def _link(stage, latest) -> None:
  """Sets the predecessors and the initial weights of a stage from the latest stages that trained its networks."""
  config = stage.config
  for name, folder in config.initial_weights.items():
    if name != conventions.ALL_NETWORKS and name not in config.networks:
      raise InputError(f"`init_{name}`={folder}: the stage trains no such network")
  own = {name: config.initial_weights_of(name) for name in config.networks}
  folders = dict(own)
  for name, size in config.networks.items():
    if name in latest:
      _check_sizes(latest[name], name, size)
      stage.predecessors[name], folders[name] = latest[name], latest[name].folder
  # Equal folders leave the settings unchanged, so that a recipe continues a stage that was begun by hand.
  if _real_paths(folders) != _real_paths(own):
    initial_weights = {name: folder for name, folder in folders.items() if folder}
    stage.config = dataclasses.replace(config, initial_weights=initial_weights)


def _real_paths(folders: dict[str, str | None]) -> dict[str, str]:
  return {name: os.path.realpath(folder) for name, folder in folders.items() if folder}


def _check_sizes(former, network, size):
  expected = former.config.networks[network]
  for name in size:
    if size[name] != expected[name]:
      raise InputError(
        f"the network {network!r} has {name} {size[name]} here, but {expected[name]} in {former.origin}, "
        "from which it starts; they must be the same"
      )


def _check_folders(stages, work_dir) -> None:
  work_dirs.check_work_dir(work_dir)
  if checkpoints.has_checkpoint(work_dir):
    raise InputError(
      f"`work_dir`={work_dir}: the folder of a single run; a recipe needs a folder of its own, for "
      "the folders of its stages"
    )
  for stage in stages if os.path.isdir(work_dir) else ():
    with stage.errors():
      work_dirs.check_work_dir(stage.folder)
      stage.has_begun = checkpoints.has_checkpoint(stage.folder)
      stage.is_finished = stage.has_begun and checkpoints.saved_steps(stage.folder) >= stage.config.iterations
  for stage in stages:
    for former in stage.predecessors.values():
      if stage.has_begun and not former.is_finished:
        raise InputError(
          f"{former.folder} is not finished, but {stage.folder}, which starts from its weights, has begun; "
          f"remove {stage.folder} (or leave `iterations` of {former.origin} as it was), or give another "
          "`work_dir`"
        )
  for stage in stages:
    with stage.errors():
      run_stage.check_former_run(stage.config)


def _check_inputs(stage, strategy, known_networks) -> None:
  config = stage.config
  opened = inputs.open_inputs(config)
  devices.check_batch_size(config.batch_size, strategy, config.jit_compile)
  stage.epochs = opened.epochs
  if stage.has_begun:
    run_stage.check_former_run(config, opened.fingerprints)
  else:
    own = {name: config.initial_weights_of(name) for name in config.networks if name not in stage.predecessors}
    check_initial_weights(config.networks, {name: folder for name, folder in own.items() if folder})
  network = config.perceptual_network, config.used_perceptual_weights, config.precision
  if config.used_perceptual_weights is not None and network not in known_networks:
    perceptual_networks.perceptual_network(*network)
    known_networks.add(network)

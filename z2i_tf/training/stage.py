"""What a stage of training is made of, whatever its networks."""

from collections.abc import Collection
from collections.abc import Mapping
import dataclasses
from typing import Any, Protocol

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.models import model_weights
from z2i_tf.training.devices import check_batch_size
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.weight_averages import WeightAverages

Tensors = dict[str, tf.Tensor]


class Step(Protocol):
  """One update of some networks."""

  # The stage, of `conventions.OUTPUTS`, whose PSNR decides which weights are the best.
  main_stage: str
  # Outputs that TensorBoard shows between the masked image and the original.
  shown: tuple[str, ...]

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates them with a replica's share of a batch; returns scalars whose sum over the replicas is the global one."""

  def evaluate(self, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Returns what the networks make of a batch, by names of `conventions.OUTPUTS`, and quality, per image."""


@dataclasses.dataclass(frozen=True)
class Stage:
  """The parts of a stage, built under its strategy.

  Attributes:
    step: the update.
    networks: what is saved, by name in weight files.
    optimizers: by name in checkpoints, with all their variables.
    loop: how long, and when to do what.
    strategy: devices.
    description: what the networks are, for the model file; JSON-compatible.
    initial_weights: network name, or "all" for every network -> model folder whose weights a new run starts from;
      weights only, no optimizer state.
    jit_compile: whether the step is compiled with XLA.
    averages: of the weights of the networks, None if none are kept. The discriminator, which serves training alone, has
      none.
    warmup_steps: in the first steps of the stage `step.warm_up` takes the place of `step`: same arguments, and the
      networks whose averages are kept do not change.
  """

  step: Step
  networks: Mapping[str, Model]
  optimizers: Mapping[str, optimizers.Optimizer]
  loop: LoopConfig
  strategy: tf.distribute.Strategy
  description: Mapping[str, Any]
  initial_weights: Mapping[str, str]
  jit_compile: bool = False
  averages: WeightAverages | None = None
  warmup_steps: int = 0

  @property
  def variables(self) -> list[tf.Variable]:
    """All that a step changes."""
    parts = [*self.networks.values(), *self.optimizers.values(), *([self.averages] if self.averages else [])]
    return [variable for part in parts for variable in part.variables]

  def train(self, batch: Tensors) -> Tensors:
    """Calls the step, then updates the averages; returns what the step returns."""
    scalars = self.step(batch)
    if self.averages:
      self.averages.update()
    return scalars

  def load_initial_weights(self) -> None:
    """Loads what a new run starts from; raises InputError if any of it cannot be had, or is of other networks."""
    for name, folder in _by_network(self.initial_weights, self.networks).items():
      arrays, _ = model_weights.read_model_file(folder)
      model_weights.assign_arrays({name: self.networks[name]}, arrays, folder)


def check_initial_weights(networks: Mapping[str, Mapping[str, int]], initial_weights: Mapping[str, str]) -> None:
  """Looks at the files of initial weights before any network is built.

  Args:
    networks: those to be trained, by name: "width" and, for "sr", "scale".
    initial_weights: as `Stage` has them.
  Raises: InputError if a file is missing or damaged, or of networks of another size.
  """
  files = {}
  for name, folder in _by_network(initial_weights, networks).items():
    if folder not in files:
      files[folder] = model_weights.read_model_file(folder)[0]
    arrays = {key: array for key, array in files[folder].items() if key.startswith(name + "/")}
    if not arrays:
      raise InputError(f"--init_{name}: {folder} has no network {name!r}")
    size = networks[name]
    for layer, filters in (("conv00", size["width"]), ("conv09", size["width"] * size.get("scale", 0) ** 2)):
      kernel = arrays.get(f"{name}/{layer}/kernel")
      if filters and (kernel is None or kernel.shape[-1] != filters):
        raise InputError(
          f"--init_{name}: {folder}: {name}/{layer}/kernel has "
          f"{'no' if kernel is None else kernel.shape[-1]} filters, the network to train has {filters}: "
          "another width or scale"
        )


def _by_network(folders: Mapping[str, str], networks: Collection[str]) -> dict[str, str]:
  """Returns network -> folder; raises InputError for one that is not there."""
  if conventions.ALL_NETWORKS in folders:
    return dict.fromkeys(networks, folders[conventions.ALL_NETWORKS])
  for name, folder in folders.items():
    if name not in networks:
      raise InputError(f"--init_{name}={folder}: the model to train has no such network")
  return dict(folders)


def begin(loop: LoopConfig, strategy: tf.distribute.Strategy, seed: int, jit_compile: bool) -> None:
  """To be called before networks are built: seeds their initial weights.

  Raises: InputError if the devices cannot do what is asked, see `devices.check_batch_size`.
  """
  check_batch_size(loop.batch_size, strategy, jit_compile)
  keras.utils.set_random_seed(seed)

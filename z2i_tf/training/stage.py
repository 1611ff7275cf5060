"""Holds the networks, optimizers and step of a training stage; loads initial weights."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
import dataclasses
from typing import Any

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import kernel_name
from z2i_tf.models.architecture import SHUFFLE_KERNEL
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.steps import Step
from z2i_tf.training.steps import Tensors
from z2i_tf.training.weight_averages import WeightAverages


@dataclasses.dataclass(frozen=True)
class Stage:
  """Networks, optimizers and step of a stage, built under its strategy.

  Attributes:
    step: the update.
    networks: to save, by name in weight files.
    optimizers: by name in checkpoints, with all their variables.
    loop: number of steps, and intervals of saving, logging and measuring.
    strategy: devices.
    description: the networks' configuration for the model file; JSON-compatible.
    initial_weights: see `StageConfig`.
    jit_compile: whether XLA compiles the step.
    averages: moving averages of the networks' weights, None if there are none. They leave out the discriminator, which
      serves training alone.
    warmup_steps: number of steps, at the beginning, that call `warm_up` instead of `step`.
    warm_up: takes the arguments of `step`; must not change networks with averages. Needed if `warmup_steps` is above 0.
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
  warm_up: Callable[[Tensors], Tensors] | None = None

  def __post_init__(self):
    if self.warmup_steps and self.warm_up is None:
      raise ValueError(f"`warmup_steps`={self.warmup_steps} needs `warm_up`")

  @property
  def variables(self) -> list[tf.Variable]:
    """All variables that a step changes."""
    parts = [*self.networks.values(), *self.optimizers.values(), *([self.averages] if self.averages else [])]
    return [variable for part in parts for variable in part.variables]

  def train(self, batch: Tensors) -> Tensors:
    """Calls the step, then updates the averages; returns the step's scalars."""
    scalars = self.step(batch)
    if self.averages:
      self.averages.update()
    return scalars

  def load_initial_weights(self) -> None:
    """Loads the initial weights of a new run; raises InputError if they are missing or of other networks."""
    for name, folder in _by_network(self.initial_weights, self.networks).items():
      arrays, _ = model_weights.read_model_file(folder)
      model_weights.assign_arrays({name: self.networks[name]}, arrays, folder)


def check_initial_weights(networks: Mapping[str, Mapping[str, int]], initial_weights: Mapping[str, str]) -> None:
  """Checks the files of initial weights before any network is built.

  Args:
    networks: see `StageConfig.networks`.
    initial_weights: see `StageConfig`.
  Raises: InputError if a file is missing or damaged, or holds networks of another size.
  """
  files = {}
  for name, folder in _by_network(initial_weights, networks).items():
    if folder not in files:
      files[folder] = model_weights.read_model_file(folder)[0]
    arrays = {key: array for key, array in files[folder].items() if key.startswith(name + "/")}
    if not arrays:
      raise InputError(f"`init_{name}`: {folder} has no network {name!r}")
    size = networks[name]
    expected = {kernel_name(name, 0): size["width"]}
    if "scale" in size:
      expected[SHUFFLE_KERNEL] = size["width"] * size["scale"] ** 2
    for kernel_key, filters in expected.items():
      kernel = arrays.get(kernel_key)
      if kernel is None or kernel.shape[-1] != filters:
        raise InputError(
          f"`init_{name}`: {folder}: {kernel_key} has "
          f"{'no' if kernel is None else kernel.shape[-1]} filters, the network to train has {filters}: "
          "another width or scale"
        )


def _by_network(folders: Mapping[str, str], networks: Collection[str]) -> dict[str, str]:
  """Returns network -> folder; raises InputError for a network that the stage does not train."""
  if conventions.ALL_NETWORKS in folders:
    return dict.fromkeys(networks, folders[conventions.ALL_NETWORKS])
  for name, folder in folders.items():
    if name not in networks:
      raise InputError(f"`init_{name}`={folder}: the stage trains no such network")
  return dict(folders)

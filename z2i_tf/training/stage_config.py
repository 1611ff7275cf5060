"""Settings that all training stages share."""

import abc
from collections.abc import Collection
from collections.abc import Mapping
import dataclasses
import os
from typing import Any, ClassVar

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.losses.terms import IMAGENET
from z2i_tf.losses.terms import NO_WEIGHTS
from z2i_tf.models.architecture import check_architecture
from z2i_tf.models.architecture import ZOOM_INPAINT
from z2i_tf.training.devices import check_precision
from z2i_tf.training.devices import is_deterministic
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.optimizers import OptimizerConfig
from z2i_tf.training.perceptual_networks import check_perceptual_network

# Pixels that the L1 terms of coarse and refinement network average over.
OVER_IMAGE, OVER_HOLE = L1_NORMALIZATIONS = ("image", "hole")
_ON_BAD_IMAGE = ("skip", "fail")
_WITH_BATCH_NORM = (conventions.COARSE_NET, conventions.REFINE_NET)
# Settings that may change when a run is continued.
FREE_SETTINGS = (
  "work_dir",
  "iterations",
  "save_every",
  "keep_every",
  "log_every",
  "evaluate_every",
  "max_skipped_steps",
  "allow_config_change",
)


def check_l1_normalization(value: str) -> None:
  """Raises ValueError unless it is one of `L1_NORMALIZATIONS`."""
  if value not in L1_NORMALIZATIONS:
    raise ValueError(
      f"L1 is averaged over one of {', '.join(L1_NORMALIZATIONS)}. Received: `l1_normalization`={value!r}"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageConfig(abc.ABC):
  """Settings of a training stage; defaults are the paper's joint stage on small masks.

  The settings of a run, except `FREE_SETTINGS`, are recorded with its checkpoints under the names used here.

  Attributes:
    work_dir: folder of the run, created if missing.
    architecture: of the coarse and the refinement network, and of the discriminator: one of
      `architecture.ARCHITECTURES`.
    source: kind of data set, see `datasets.open_source`.
    data_dir: folder of images, list of files or prepared folder; for a TensorFlow Dataset the folder it is kept in.
    split: of a TensorFlow Dataset; None reads "train".
    on_bad_image: "skip" skips damaged or small images, "fail" stops at the first.
    validation_dir: as `data_dir`, of images to measure on; None measures nothing.
    validation_split: split of a TensorFlow Dataset to measure on.
    crop_size: side of the low-resolution crop, pixels, a multiple of 8.
    mask_kind: kind of masks, or shares such as "small:0.7,large:0.3", see `masks.mixture.MaskMixture`.
    train_mask_dir: folder of masks for the kind "folder".
    mask_reference_size: side at which masks are drawn before they are cropped, pixels; None draws at `crop_size`.
    crops_per_image: examples cut from an image each time it is decoded.
    flips: directions in which crops are mirrored at random: "none", "horizontal" or "both".
    crop_scales: factors by which crops are cut larger and reduced; one is drawn per crop.
    seed: of the data and of the initial weights.
    batch_size: examples per step over all replicas.
    iterations, learning_rates, decay_fractions, gradient_clip_norm, ema_decay: see `OptimizerConfig`.
    freeze_batch_norm: networks whose batch norms normalise by the fixed statistics of their initial weights.
    l1_normalization: one of `L1_NORMALIZATIONS`; the L1 of the super-resolution network is always over the image.
    perceptual_network: one of `perceptual_networks.PERCEPTUAL_NETWORKS`.
    perceptual_weights: "imagenet", a file, or "none" to leave the perceptual terms out.
    save_every, keep_every, log_every, evaluate_every: steps, see `LoopConfig`.
    max_skipped_steps: see `LoopConfig`.
    precision: of the generator's networks and the perceptual one, one of `devices.PRECISIONS`.
    jit_compile: whether XLA compiles the step; for one device.
    deterministic: whether results repeat bit for bit; None: on a CPU without `jit_compile`.
    allow_config_change: whether a run may continue with other settings.
    initial_weights: network, or "all" for every network -> model folder whose weights a new run starts from; weights
      only, no optimizer state.
  Raises: ValueError for values that are out of range or exclude each other.
  """

  # Networks, and "all", that `initial_weights` may name.
  initial_networks: ClassVar[tuple[str, ...]]
  # Command that runs the stage.
  command: ClassVar[str]

  work_dir: str
  architecture: str = ZOOM_INPAINT
  source: str = "folder"
  data_dir: str | None = None
  split: str | None = None
  on_bad_image: str = "skip"
  validation_dir: str | None = None
  validation_split: str | None = None
  crop_size: int = 256
  mask_kind: str = "small"
  train_mask_dir: str | None = None
  mask_reference_size: int | None = None
  crops_per_image: int = 1
  flips: str = "none"
  crop_scales: tuple[int, ...] = (1,)
  seed: int = 0
  batch_size: int = 16
  iterations: int = 80_000
  learning_rates: tuple[float, ...] = (1e-3, 1e-4, 1e-5)
  decay_fractions: tuple[float, ...] = (0.8, 0.9)
  gradient_clip_norm: float = 0.0
  ema_decay: float = 0.0
  freeze_batch_norm: tuple[str, ...] = ()
  l1_normalization: str = OVER_IMAGE
  perceptual_network: str = "vgg19"
  perceptual_weights: str = IMAGENET
  save_every: int = 1000
  keep_every: int | None = None
  max_skipped_steps: int = 20
  log_every: int = 100
  evaluate_every: int = 1000
  precision: str = "float32"
  jit_compile: bool = False
  deterministic: bool | None = None
  allow_config_change: bool = False
  initial_weights: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if self.deterministic and self.jit_compile:
      raise ValueError("XLA has no deterministic gradient of max-pooling: leave out `deterministic` or `jit_compile`")
    if self.on_bad_image not in _ON_BAD_IMAGE:
      raise ValueError(f"Expected one of {', '.join(_ON_BAD_IMAGE)}. Received: `on_bad_image`={self.on_bad_image!r}")
    check_architecture(self.architecture)
    if self.freeze_batch_norm and self.architecture != ZOOM_INPAINT:
      raise ValueError(
        f"Networks of {self.architecture} have no batch norms. Received: "
        f"`freeze_batch_norm`={','.join(self.freeze_batch_norm)}"
      )
    check_precision(self.precision)
    check_perceptual_network(self.perceptual_network)
    check_l1_normalization(self.l1_normalization)
    _ = self.optimizer, self.loop  # Their constructors check the values.
    unknown = set(self.initial_weights) - set(self.initial_networks)
    if unknown:
      name = min(unknown)
      allowed = ", ".join(f"`init_{network}`" for network in self.initial_networks)
      raise ValueError(f"`init_{name}`={self.initial_weights[name]}: {self.kind} can only start from {allowed}")
    others = [name for name in self.initial_weights if name != conventions.ALL_NETWORKS]
    if conventions.ALL_NETWORKS in self.initial_weights and others:
      raise ValueError(
        f"`init_all` already gives the initial weights of every network; leave out `init_{others[0]}` or `init_all`"
      )

  @property
  def optimizer(self) -> OptimizerConfig:
    """The settings of the optimizers."""
    return OptimizerConfig(
      self.iterations, self.learning_rates, self.decay_fractions, self.gradient_clip_norm, self.ema_decay
    )

  @property
  def loop(self) -> LoopConfig:
    """The settings of the training loop."""
    return LoopConfig(
      iterations=self.iterations,
      batch_size=self.batch_size,
      save_every=self.save_every,
      log_every=self.log_every,
      evaluate_every=self.evaluate_every,
      keep_every=self.keep_every,
      max_skipped_steps=self.max_skipped_steps,
    )

  @property
  def kind(self) -> str:
    """Name of the kind of stage, as it is recorded."""
    return self.command

  @property
  @abc.abstractmethod
  def zoom_factor(self) -> int:
    """Side of the high-resolution images divided by the side of the low-resolution images."""

  @property
  def with_masks(self) -> bool:
    """Whether the examples have holes."""
    return True

  @property
  @abc.abstractmethod
  def networks(self) -> dict[str, dict[str, int]]:
    """Network -> the sizes that decide the shapes of its weights: "width" and, for "sr", "scale"."""

  @property
  @abc.abstractmethod
  def used_perceptual_weights(self) -> str | None:
    """`perceptual_weights`, or None if no loss term uses them."""

  def initial_weights_of(self, network: str) -> str | None:
    """Returns the model folder that a network starts from, None if it starts from random weights."""
    return self.initial_weights.get(network, self.initial_weights.get(conventions.ALL_NETWORKS))

  def default_settings(self) -> dict[str, Any]:
    """Returns the default of every setting that may not change, for runs recorded before the setting existed."""
    required = [field for field in dataclasses.fields(self) if field.default is field.default_factory]
    defaults = type(self)(**{field.name: getattr(self, field.name) for field in required})
    return defaults.settings(without=FREE_SETTINGS)

  def implied_settings(self) -> dict[str, Any]:
    """Returns setting -> the value that None stands for."""
    return {
      "split": "train",
      "mask_reference_size": self.crop_size if self.with_masks else None,
      "deterministic": is_deterministic(None, self.jit_compile),
    }

  def resolved(self, name: str) -> Any:
    """Returns the value of a setting; if that is None, the value that None stands for."""
    value = getattr(self, name)
    return self.implied_settings()[name] if value is None else value

  def settings(self, without: Collection[str] = ()) -> dict[str, Any]:
    """Returns the settings as JSON-compatible values, paths absolute, and the kind of stage as "command".

    Args:
      without: names of settings to leave out.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if field.name == "initial_weights":
        values.update({f"init_{name}": value.get(name) for name in self.initial_networks})
      elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        values.update(dataclasses.asdict(value))
      else:
        values[field.name] = list(value) if isinstance(value, tuple) else value
    values = {name: os.path.realpath(value) if _is_path(name, value) else value for name, value in values.items()}
    return {"command": self.kind, **{name: value for name, value in values.items() if name not in without}}


def _is_path(name, value) -> bool:
  return bool(value) and (
    name.endswith("_dir")
    or name.startswith("init_")
    or (name == "perceptual_weights" and value not in (NO_WEIGHTS, IMAGENET))
  )


def check_frozen_batch_norm(config: StageConfig) -> None:
  """Raises InputError unless each network in `freeze_batch_norm` is trained and has batch norms and initial weights."""
  for name in config.freeze_batch_norm:
    if name not in config.networks or name not in _WITH_BATCH_NORM:
      trained = [network for network in _WITH_BATCH_NORM if network in config.networks]
      raise InputError(
        "This stage can freeze the batch norms of these networks: "
        f"{', '.join(trained) or 'none'}. Received: `freeze_batch_norm`={name}"
      )
    if config.initial_weights_of(name) is None:
      raise InputError(
        f"The network {name!r} starts from random weights, so its batch norms have no statistics to keep. "
        f"Received: `freeze_batch_norm`={name}"
      )

"""Joint training of the three networks and the discriminator (paper section 3): settings and set-up."""

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.keras_api import keras
from z2i_tf.losses.terms import LossWeights
from z2i_tf.losses.terms import NO_WEIGHTS
from z2i_tf.models.architecture import check_width
from z2i_tf.models.architecture import default_scale
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training.devices import networks_in
from z2i_tf.training.joint_step import JointStep
from z2i_tf.training.optimizers import build_adam
from z2i_tf.training.perceptual_networks import perceptual_network
from z2i_tf.training.reporters import Reporter
from z2i_tf.training.run_stage import run_stage
from z2i_tf.training.stage import Stage
from z2i_tf.training.stage_config import StageConfig
from z2i_tf.training.trainer import RunResult
from z2i_tf.training.weight_averages import WeightAverages

# Names of the optimizers, after the networks that they update.
_GENERATOR, _DISCRIMINATOR = "generator", "discriminator"


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointConfig(StageConfig):
  """Settings of joint training.

  Attributes:
    zoom: "sr" (paper), or the ablations "bicubic" and "none".
    scale: zoom factor; None is 1 for zoom "none" and otherwise 2.
    width: channels of the first convolution of the coarse and the refinement network, even.
    sr_width: width of the super-resolution network; None is `width`.
    discriminator_width: width of the discriminator; None is `width`.
    loss_weights: weights of the loss terms.
    discriminator_warmup_steps: number of steps, at the beginning, that train only the discriminator.
  Raises: ValueError for values that are out of range or exclude each other.
  """

  command: ClassVar[str] = "z2i train"
  initial_networks: ClassVar[tuple[str, ...]] = (
    conventions.ALL_NETWORKS,
    conventions.COARSE_NET,
    conventions.SR_NET,
    conventions.REFINE_NET,
    conventions.DISCRIMINATOR,
  )

  zoom: str = "sr"
  scale: int | None = None
  width: int = 64
  sr_width: int | None = None
  discriminator_width: int | None = None
  loss_weights: LossWeights = LossWeights()
  discriminator_warmup_steps: int = 0

  def __post_init__(self):
    super().__post_init__()
    _ = self.model  # Its constructor checks the values.
    check_width(self._discriminator_width)
    if self.sr_width is not None and self.zoom != "sr":
      raise ValueError(
        f"With `zoom`={self.zoom} there is no super-resolution network. Received: `sr_width`={self.sr_width}"
      )
    for name in ("discriminator_width", "discriminator_warmup_steps"):
      if getattr(self, name) and not self.loss_weights.use_discriminator:
        raise ValueError(
          f"With `weight_adversarial`=0 there is no discriminator. Received: `{name}`={getattr(self, name)}"
        )
    if not 0 <= self.discriminator_warmup_steps < self.iterations:
      raise ValueError(
        "The discriminator's warm-up needs at least 0 steps, and fewer than the stage. Received: "
        f"`discriminator_warmup_steps`={self.discriminator_warmup_steps}"
      )
    if not any(term.network in (None, *self.networks) for term in self.used_loss_weights.terms):
      raise ValueError(f"With `zoom`={self.zoom} all weights of the loss are 0: nothing would be trained")

  def implied_settings(self) -> dict[str, Any]:
    widths = {"sr_width": self.width, "discriminator_width": self.width}
    return {**super().implied_settings(), "scale": default_scale(self.zoom), **widths}

  @property
  def model(self) -> ModelConfig:
    """Configuration of the generator."""
    return ModelConfig(self.zoom, self.zoom_factor, self.width, self.resolved("sr_width"), self.architecture)

  @property
  def zoom_factor(self) -> int:
    return self.resolved("scale")

  @property
  def _discriminator_width(self) -> int:
    return self.resolved("discriminator_width")

  @property
  def networks(self) -> dict[str, dict[str, int]]:
    networks = {conventions.COARSE_NET: {"width": self.width}, conventions.REFINE_NET: {"width": self.width}}
    if self.zoom == "sr":
      networks[conventions.SR_NET] = {"width": self.model.sr_width, "scale": self.zoom_factor}
    if self.loss_weights.use_discriminator:
      networks[conventions.DISCRIMINATOR] = {"width": self._discriminator_width}
    return networks

  @property
  def used_loss_weights(self) -> LossWeights:
    """`loss_weights`, without the perceptual terms if `perceptual_weights` is "none"."""
    return self.loss_weights.without_perceptual() if self.perceptual_weights == NO_WEIGHTS else self.loss_weights

  @property
  def used_perceptual_weights(self) -> str | None:
    return self.perceptual_weights if self.used_loss_weights.use_perceptual else None


def build(config: JointConfig, strategy: tf.distribute.Strategy) -> Stage:
  """Builds networks, optimizers and step under the strategy; seeds the initial weights.

  Raises: InputError if the weights of the perceptual network are missing.
  """
  keras.utils.set_random_seed(config.seed)
  weights, warmup_steps = config.used_loss_weights, config.discriminator_warmup_steps
  with strategy.scope():
    with networks_in(config.precision):
      inpainter = ZoomInpainter(config.model)
    for name in config.freeze_batch_norm:
      freeze_batch_norms(inpainter.networks[name])
    discriminator = None
    if weights.use_discriminator:
      discriminator = patch_discriminator(config._discriminator_width, config.architecture)
    networks = dict(inpainter.networks)
    stage_optimizers = {
      _GENERATOR: build_adam(config.optimizer, inpainter.trainable_variables, config.precision, warmup_steps)
    }
    averaged = [variable for network in inpainter.networks.values() for variable in network.variables]
    averages = WeightAverages(averaged, config.ema_decay, strategy) if config.ema_decay else None
    if discriminator is not None:
      networks[conventions.DISCRIMINATOR] = discriminator
      stage_optimizers[_DISCRIMINATOR] = build_adam(config.optimizer, discriminator.trainable_variables)
    features = None
    if config.used_perceptual_weights is not None:
      features = perceptual_network(config.perceptual_network, config.used_perceptual_weights, config.precision)
    step = JointStep(
      inpainter,
      discriminator,
      features,
      weights,
      stage_optimizers[_GENERATOR],
      stage_optimizers.get(_DISCRIMINATOR),
      config.batch_size,
      config.gradient_clip_norm,
      config.l1_normalization,
    )
  return Stage(
    step=step,
    networks=networks,
    optimizers=stage_optimizers,
    loop=config.loop,
    strategy=strategy,
    description={"model": config.model.to_dict()},
    initial_weights=config.initial_weights,
    jit_compile=config.jit_compile,
    averages=averages,
    warmup_steps=warmup_steps,
    warm_up=step.warm_up,
  )


def train(config: JointConfig, reporter: Reporter | None = None) -> RunResult:
  """Trains to the end of the stage, from the last checkpoint in `work_dir` if there is one.

  Args:
    config: settings.
    reporter: shows progress; None prints one line per logging window.
  Returns: the folders with the trained weights.
  Raises: InputError for unusable settings, images, work folder, checkpoints or weights; Stopped after a signal.
  """
  return run_stage(config, build, reporter)

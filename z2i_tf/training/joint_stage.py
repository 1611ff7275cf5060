"""The joint stage: networks, discriminator, optimizers and their step."""

from collections.abc import Mapping
import dataclasses

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.models.architecture import check_width
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training.config import check_frozen_batch_norm
from z2i_tf.training.config import check_l1_normalization
from z2i_tf.training.config import LossWeights
from z2i_tf.training.config import OptimizerConfig
from z2i_tf.training.config import OVER_IMAGE
from z2i_tf.training.joint_step import JointStep
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.perceptual_networks import check_perceptual_network
from z2i_tf.training.perceptual_networks import perceptual_network
from z2i_tf.training.perceptual_networks import VGG19
from z2i_tf.training.precision import check_precision
from z2i_tf.training.precision import FLOAT32
from z2i_tf.training.precision import networks_in
from z2i_tf.training.precision import with_loss_scale
from z2i_tf.training.schedules import adam
from z2i_tf.training.stage import begin
from z2i_tf.training.stage import Stage
from z2i_tf.training.weight_averages import WeightAverages

# The optimizers, by what they update.
_GENERATOR, _DISCRIMINATOR = "generator", "discriminator"


@dataclasses.dataclass(frozen=True)
class JointStageConfig:
  """Everything about a joint stage but its data.

  Attributes:
    model: of the generator's networks.
    discriminator_width: channels of its first convolution.
    loss_weights: of the loss terms.
    optimizer: learning rates and their schedule.
    perceptual_weights: of `perceptual_network`, "imagenet" or a file; not looked at where both VGG weights are 0.
    seed: of the initial weights.
    initial_weights: network name, or "all" for every network of the model -> model folder whose weights
      a new run starts from; weights only, no optimizer state.
    precision: of the generator's networks and of the perceptual one, one of `precision.PRECISIONS`.
    jit_compile: whether the step is compiled with XLA; for one device.
    freeze_batch_norm: networks whose batch norms keep the statistics of their initial weights, and normalise by
      them, in place of each batch's.
    perceptual_network: one of `perceptual_networks.PERCEPTUAL_NETWORKS`.
    l1_normalization: over which pixels L1 is averaged, one of `config.L1_NORMALIZATIONS`, see the step.
    discriminator_warmup_steps: the first steps of the stage, in which the discriminator alone is trained.
  Raises: ValueError for an odd width, an unknown precision, a loss weight that has nothing to weigh, or batch norms
    that cannot be frozen (`config.check_frozen_batch_norm`).
  """

  model: ModelConfig
  discriminator_width: int
  loss_weights: LossWeights
  optimizer: OptimizerConfig
  perceptual_weights: str
  seed: int
  initial_weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
  precision: str = FLOAT32
  jit_compile: bool = False
  freeze_batch_norm: tuple[str, ...] = ()
  l1_normalization: str = OVER_IMAGE
  perceptual_network: str = VGG19
  discriminator_warmup_steps: int = 0

  def __post_init__(self):
    check_width(self.discriminator_width)
    check_precision(self.precision)
    check_perceptual_network(self.perceptual_network)
    check_l1_normalization(self.l1_normalization)
    check_frozen_batch_norm(self.freeze_batch_norm, self.networks, self.initial_weights)
    if not 0 <= self.discriminator_warmup_steps < self.optimizer.iterations:
      raise ValueError(
        "The steps for the discriminator alone are fewer than those of the stage. Received: "
        f"discriminator_warmup_steps={self.discriminator_warmup_steps}"
      )
    if self.discriminator_warmup_steps and not self.loss_weights.use_discriminator:
      raise ValueError(
        "With weight_adversarial=0 there is no discriminator. Received: "
        f"discriminator_warmup_steps={self.discriminator_warmup_steps}"
      )
    counted = dataclasses.asdict(self.loss_weights)
    if self.model.zoom != "sr":
      counted.pop("weight_l1_sr")
    if not any(counted.values()):
      raise ValueError(f"With zoom={self.model.zoom!r} all weights of the loss are 0: nothing would be trained.")

  @property
  def scale(self) -> int:
    """Of its examples."""
    return self.model.scale

  @property
  def with_masks(self) -> bool:
    """Whether its examples have holes."""
    return True

  @property
  def networks(self) -> dict[str, dict[str, int]]:
    """What the weights' shapes depend on, by the names of the networks that are trained."""
    width = {"width": self.model.width}
    networks = {conventions.COARSE_NET: width, conventions.REFINE_NET: width}
    if self.model.zoom == "sr":
      networks[conventions.SR_NET] = {"width": self.model.sr_width, "scale": self.model.scale}
    if self.loss_weights.use_discriminator:
      networks[conventions.DISCRIMINATOR] = {"width": self.discriminator_width}
    return networks

  @property
  def used_perceptual_weights(self) -> str | None:
    """`perceptual_weights`, or None if there is no perceptual term."""
    return self.perceptual_weights if self.loss_weights.use_vgg else None


def joint_stage(config: JointStageConfig, loop: LoopConfig, strategy: tf.distribute.Strategy) -> Stage:
  """Builds networks, optimizers and step under the strategy.

  Raises: InputError if the devices cannot do what is asked, or the perceptual network's weights cannot be had.
  """
  begin(loop, strategy, config.seed, config.jit_compile)
  weights, perceptual_weights = config.loss_weights, config.used_perceptual_weights
  with strategy.scope():
    with networks_in(config.precision):
      inpainter = ZoomInpainter(config.model)
    for name in config.freeze_batch_norm:
      freeze_batch_norms(inpainter.networks[name])
    discriminator = patch_discriminator(config.discriminator_width) if weights.use_discriminator else None
    networks = dict(inpainter.networks)
    warmup_steps = config.discriminator_warmup_steps
    optimizers = {_GENERATOR: with_loss_scale(adam(config.optimizer, first_step=warmup_steps), config.precision)}
    optimizers[_GENERATOR].build(inpainter.trainable_variables)
    decay = config.optimizer.ema_decay
    averaged = [variable for network in inpainter.networks.values() for variable in network.variables]
    averages = WeightAverages(averaged, decay, strategy) if decay else None
    if discriminator is not None:
      networks[conventions.DISCRIMINATOR] = discriminator
      optimizers[_DISCRIMINATOR] = adam(config.optimizer)
      optimizers[_DISCRIMINATOR].build(discriminator.trainable_variables)
    features = (
      None
      if perceptual_weights is None
      else perceptual_network(config.perceptual_network, perceptual_weights, config.precision)
    )
    step = JointStep(
      inpainter,
      discriminator,
      features,
      weights,
      optimizers[_GENERATOR],
      optimizers.get(_DISCRIMINATOR),
      loop.batch_size,
      config.optimizer.gradient_clip_norm,
      config.l1_normalization,
    )
  return Stage(
    step,
    networks,
    optimizers,
    loop,
    strategy,
    {"model": dataclasses.asdict(config.model)},
    config.initial_weights,
    config.jit_compile,
    averages,
    warmup_steps,
  )

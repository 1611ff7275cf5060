"""A pretraining stage: one network, its optimizer and its step."""

from collections.abc import Mapping
import dataclasses

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.models.architecture import check_width
from z2i_tf.models.architecture import SCALES
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.models.coarse_net import coarse_net
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import super_resolution_net
from z2i_tf.training.config import check_frozen_batch_norm
from z2i_tf.training.config import check_l1_normalization
from z2i_tf.training.config import check_loss_weight
from z2i_tf.training.config import OptimizerConfig
from z2i_tf.training.config import OVER_IMAGE
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.perceptual_networks import check_perceptual_network
from z2i_tf.training.perceptual_networks import perceptual_network
from z2i_tf.training.perceptual_networks import VGG19
from z2i_tf.training.precision import check_precision
from z2i_tf.training.precision import FLOAT32
from z2i_tf.training.precision import networks_in
from z2i_tf.training.precision import with_loss_scale
from z2i_tf.training.pretrain_step import PretrainStep
from z2i_tf.training.schedules import adam
from z2i_tf.training.stage import begin
from z2i_tf.training.stage import Stage
from z2i_tf.training.weight_averages import WeightAverages


@dataclasses.dataclass(frozen=True)
class PretrainStageConfig:
  """Everything about a pretraining stage but its data.

  Attributes:
    network: "coarse", "sr" or "refine".
    width: of the network, even.
    scale: zoom factor of "sr": 2, 3 or 4; 1 for the others, which are trained at low resolution.
    weight_vgg: of the VGG19 feature loss beside L1.
    perceptual_weights: of `perceptual_network`, "imagenet" or a file; not looked at where the weight is 0.
    optimizer: learning rates and their schedule.
    seed: of the initial weights.
    initial_weights: {network: model folder whose weights a new run starts from}, or empty; weights only.
    precision: of the network and of the perceptual one, one of `precision.PRECISIONS`.
    jit_compile: whether the step is compiled with XLA; for one device.
    freeze_batch_norm: networks whose batch norms keep the statistics of their initial weights, and normalise by
      them, in place of each batch's.
    perceptual_network: one of `perceptual_networks.PERCEPTUAL_NETWORKS`.
    l1_normalization: over which pixels L1 is averaged, one of `config.L1_NORMALIZATIONS`, see the step.
  Raises: ValueError for an odd width, a negative weight, a scale that does not go with the network, or batch norms
    that cannot be frozen (`config.check_frozen_batch_norm`).
  """

  network: str
  width: int
  scale: int
  weight_vgg: float
  perceptual_weights: str
  optimizer: OptimizerConfig
  seed: int
  initial_weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
  precision: str = FLOAT32
  jit_compile: bool = False
  freeze_batch_norm: tuple[str, ...] = ()
  l1_normalization: str = OVER_IMAGE
  perceptual_network: str = VGG19

  def __post_init__(self):
    check_width(self.width)
    check_precision(self.precision)
    check_perceptual_network(self.perceptual_network)
    check_l1_normalization(self.l1_normalization)
    check_frozen_batch_norm(self.freeze_batch_norm, self.networks, self.initial_weights)
    scales = SCALES if self.network == conventions.SR_NET else (1,)
    if self.scale not in scales:
      raise ValueError(f"The network {self.network!r} is trained at a scale in {scales}. Received: scale={self.scale}")
    check_loss_weight("weight_vgg", self.weight_vgg)

  @property
  def with_masks(self) -> bool:
    """Whether its examples have holes."""
    return self.network != conventions.SR_NET

  @property
  def networks(self) -> dict[str, dict[str, int]]:
    """What the weights' shapes depend on, by the names of the networks that are trained."""
    size = {"width": self.width}
    return {self.network: {**size, "scale": self.scale} if self.network == conventions.SR_NET else size}

  @property
  def used_perceptual_weights(self) -> str | None:
    """`perceptual_weights`, or None if there is no perceptual term."""
    return self.perceptual_weights if self.weight_vgg > 0 else None


def pretrain_stage(config: PretrainStageConfig, loop: LoopConfig, strategy: tf.distribute.Strategy) -> Stage:
  """Builds network, optimizer and step under the strategy.

  Raises: InputError if the devices cannot do what is asked, or the perceptual network's weights cannot be had.
  """
  begin(loop, strategy, config.seed, config.jit_compile)
  perceptual_weights = config.used_perceptual_weights
  with strategy.scope():
    with networks_in(config.precision):
      network = {
        conventions.COARSE_NET: lambda: coarse_net(config.width),
        conventions.SR_NET: lambda: super_resolution_net(config.width, config.scale),
        conventions.REFINE_NET: lambda: refinement_net(config.width),
      }[config.network]()
    if config.freeze_batch_norm:
      freeze_batch_norms(network)
    optimizer = with_loss_scale(adam(config.optimizer), config.precision)
    optimizer.build(network.trainable_variables)
    decay = config.optimizer.ema_decay
    averages = WeightAverages(network.variables, decay, strategy) if decay else None
    features = (
      None
      if perceptual_weights is None
      else perceptual_network(config.perceptual_network, perceptual_weights, config.precision)
    )
    step = PretrainStep(
      config.network,
      network,
      features,
      config.weight_vgg,
      optimizer,
      loop.batch_size,
      config.optimizer.gradient_clip_norm,
      config.l1_normalization,
    )
  description = {"pretrained": {"network": config.network, "width": config.width, "scale": config.scale}}
  return Stage(
    step,
    {config.network: network},
    {config.network: optimizer},
    loop,
    strategy,
    description,
    config.initial_weights,
    config.jit_compile,
    averages,
  )

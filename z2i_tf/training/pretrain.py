"""Pretraining of one network alone (paper section 4.1): settings, one step, set-up."""

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.perceptual import feature_loss
from z2i_tf.losses.pixel import l1_loss
from z2i_tf.losses.terms import check_loss_weight
from z2i_tf.losses.terms import NO_WEIGHTS
from z2i_tf.models.architecture import check_width
from z2i_tf.models.architecture import SCALES
from z2i_tf.models.architecture import ZOOM_INPAINT
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.models.super_resolution_net import super_resolution_net
from z2i_tf.models.zoom_inpainter import COARSE_NETS
from z2i_tf.models.zoom_inpainter import REFINEMENT_NETS
from z2i_tf.training.devices import networks_in
from z2i_tf.training.optimizers import apply_update
from z2i_tf.training.optimizers import build_adam
from z2i_tf.training.optimizers import scaled_loss
from z2i_tf.training.perceptual_networks import perceptual_network
from z2i_tf.training.reporters import Reporter
from z2i_tf.training.run_stage import run_stage
from z2i_tf.training.stage import Stage
from z2i_tf.training.stage_config import OVER_HOLE
from z2i_tf.training.stage_config import OVER_IMAGE
from z2i_tf.training.stage_config import StageConfig
from z2i_tf.training.steps import average
from z2i_tf.training.steps import Tensors
from z2i_tf.training.steps import training_quality
from z2i_tf.training.steps import validation_quality
from z2i_tf.training.trainer import RunResult
from z2i_tf.training.weight_averages import WeightAverages

# Network -> the name of its output in the whole model, and the label that is compared with it.
_OUTPUTS = {
  conventions.COARSE_NET: (conventions.COARSE, conventions.IMAGE_LR),
  conventions.SR_NET: (conventions.ZOOMED, conventions.IMAGE_HR),
  conventions.REFINE_NET: (conventions.REFINED, conventions.IMAGE_LR),
}
NETWORKS = tuple(_OUTPUTS)
# The paper's weight of the perceptual loss, for the networks that fill holes.
DEFAULT_WEIGHT_VGG = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainConfig(StageConfig):
  """Settings of pretraining.

  Attributes:
    network: "coarse", "sr" or "refine".
    width: channels of its first convolution, even.
    scale: zoom factor of "sr", 2, 3 or 4; None is 2. The others are trained at low resolution and have none.
    weight_vgg: weight of the perceptual loss relative to L1; None is 0 for "sr" and otherwise 0.01 (paper).
  Raises: ValueError for values that are out of range or exclude each other.
  """

  command: ClassVar[str] = "z2i pretrain"
  initial_networks: ClassVar[tuple[str, ...]] = NETWORKS

  network: str
  width: int = 64
  scale: int | None = None
  weight_vgg: float | None = None

  def __post_init__(self):
    if self.network not in NETWORKS:
      raise ValueError(f"The network is one of {', '.join(NETWORKS)}. Received: `network`={self.network!r}")
    super().__post_init__()
    check_width(self.width, self.architecture)
    if self.network == conventions.SR_NET:
      if self.architecture != ZOOM_INPAINT:
        raise ValueError(f"`architecture`={self.architecture}: the network 'sr' is the same in all; leave it out")
      if self.zoom_factor not in SCALES:
        raise ValueError(f"The network 'sr' has a scale in {SCALES}. Received: `scale`={self.scale}")
      for name in ("mask_kind", "train_mask_dir", "mask_reference_size", "l1_normalization"):
        if getattr(self, name) != getattr(StageConfig, name):
          raise ValueError(f"`{name}`={getattr(self, name)}: the network 'sr' trains without masks")
    elif self.scale is not None:
      raise ValueError(f"`scale`={self.scale}: only `network`=sr zooms")
    for name in self.initial_weights:
      if name != self.network:
        raise ValueError(
          f"`init_{name}`={self.initial_weights[name]}: `network`={self.network} can only start from "
          f"`init_{self.network}`"
        )
    check_loss_weight("weight_vgg", self._weight_vgg)

  def implied_settings(self) -> dict[str, Any]:
    scale = conventions.DEFAULT_SCALE if self.network == conventions.SR_NET else None
    weight_vgg = DEFAULT_WEIGHT_VGG if self.with_masks else 0.0
    return {**super().implied_settings(), "scale": scale, "weight_vgg": weight_vgg}

  @property
  def kind(self) -> str:
    return f"{self.command} --network={self.network}"

  @property
  def zoom_factor(self) -> int:
    return self.resolved("scale") if self.network == conventions.SR_NET else 1

  @property
  def with_masks(self) -> bool:
    return self.network != conventions.SR_NET

  @property
  def networks(self) -> dict[str, dict[str, int]]:
    size = {"width": self.width}
    return {self.network: {**size, "scale": self.zoom_factor} if self.network == conventions.SR_NET else size}

  @property
  def _weight_vgg(self) -> float:
    return self.resolved("weight_vgg")

  @property
  def used_weight_vgg(self) -> float:
    """Weight of the perceptual loss; 0 if `perceptual_weights` is "none"."""
    return 0.0 if self.perceptual_weights == NO_WEIGHTS else self._weight_vgg

  @property
  def used_perceptual_weights(self) -> str | None:
    return self.perceptual_weights if self.used_weight_vgg > 0 else None


class PretrainStep(tf.Module):
  """Updates a network that is trained alone; call it in a replica context with that replica's share of the batch.

  The coarse and the refinement network fill the hole of the low-resolution image; for the latter, the masked image
  takes the place of the zoomed one. The super-resolution network enlarges the whole low-resolution image. The losses
  compare the network's raw output with the full image, known pixels included.
  """

  def __init__(
    self,
    name: str,
    network: Model,
    perceptual_features: Model | None,
    weight_vgg: float,
    optimizer: optimizers.Optimizer,
    global_batch_size: int,
    gradient_clip_norm: float = 0.0,
    l1_normalization: str = OVER_IMAGE,
  ):
    """Stores the parts.

    Args:
      name: "coarse", "sr" or "refine".
      network: to train.
      perceptual_features: (B, H, W, 3) in [0, 1] -> features; required if its weight is positive.
      weight_vgg: weight of the perceptual loss relative to L1.
      optimizer: updates the network.
      global_batch_size: examples of one step over all replicas.
      gradient_clip_norm: largest global norm of the gradient; 0 = no clipping.
      l1_normalization: "image" or "hole": pixels over which L1 is averaged; for "sr" always the image.
    Raises: ValueError if the weight is positive and the feature model is missing.
    """
    super().__init__()
    if weight_vgg > 0 and perceptual_features is None:
      raise ValueError("A positive perceptual weight requires a feature model.")
    self._name, self._network = name, network
    self._features = perceptual_features if weight_vgg > 0 else None
    self._weight_vgg = weight_vgg
    self._optimizer, self._global_batch_size = optimizer, global_batch_size
    self._gradient_clip_norm = gradient_clip_norm
    self._is_over_hole = l1_normalization == OVER_HOLE and name != conventions.SR_NET

  @property
  def main_output(self) -> str:
    """See `steps.Step`."""
    return _OUTPUTS[self._name][0]

  @property
  def shown(self) -> tuple[str, ...]:
    """See `steps.Step`."""
    return (self.main_output,)

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates the network once.

    Args:
      batch: "image_lr" (B, H, W, 3) in [0, 1], "mask_lr" (B, H, W, 1), 1 = hole, and for "sr" "image_hr"
        (B, H*scale, W*scale, 3); B is the replica's share.
    Returns: scalars whose *sum* over the replicas is the global value: unweighted loss terms, the weighted total, the
      gradient's norm before clipping, PSNR in dB and, except for "sr", the share of hole pixels.
    """
    name, label = _OUTPUTS[self._name]
    # The label's features are constants: compute them before the tape starts.
    label_features = None if self._features is None else self._features(batch[label])
    with tf.GradientTape() as tape:
      output = self._forward(batch, training=True)
      hole = batch[conventions.MASK_LR] if self._is_over_hole else None
      terms = {f"l1_{self._name}": l1_loss(output, batch[label], hole)}
      if self._features is not None:
        terms[f"vgg_{self._name}"] = feature_loss(self._features(output), label_features)
      terms = average(terms, self._global_batch_size)
      loss = terms[f"l1_{self._name}"]
      if self._weight_vgg > 0:
        loss += self._weight_vgg * terms[f"vgg_{self._name}"]
      to_minimize = scaled_loss(loss, self._optimizer)
    scalars = {"loss/" + term: value for term, value in terms.items()}
    scalars["loss/generator"] = loss
    scalars.update(
      apply_update(tape, to_minimize, {self._name: self._network}, self._optimizer, self._gradient_clip_norm)
    )
    scalars.update(average(training_quality({name: label}, {name: output}, batch), self._global_batch_size))
    return scalars

  def evaluate(self, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Returns the output by its name, and the quality of each image of a batch as in `__call__`."""
    name, label = _OUTPUTS[self._name]
    outputs = {name: self._forward(batch, training=False)}
    return outputs, validation_quality({name: label}, outputs, batch)

  def _forward(self, batch, training):
    image, mask = batch[conventions.IMAGE_LR], batch[conventions.MASK_LR]
    if self._name == conventions.SR_NET:
      return self._network(image, training=training)
    return self._network(tf.concat([image * (1.0 - mask), mask], axis=-1), training=training)


def build(config: PretrainConfig, strategy: tf.distribute.Strategy) -> Stage:
  """Builds network, optimizer and step under the strategy; seeds the initial weights.

  Raises: InputError if the weights of the perceptual network are missing.
  """
  keras.utils.set_random_seed(config.seed)
  with strategy.scope():
    with networks_in(config.precision):
      network = {
        conventions.COARSE_NET: lambda: COARSE_NETS[config.architecture](config.width),
        conventions.SR_NET: lambda: super_resolution_net(config.width, config.zoom_factor),
        conventions.REFINE_NET: lambda: REFINEMENT_NETS[config.architecture](config.width),
      }[config.network]()
    if config.freeze_batch_norm:
      freeze_batch_norms(network)
    optimizer = build_adam(config.optimizer, network.trainable_variables, config.precision)
    averages = WeightAverages(network.variables, config.ema_decay, strategy) if config.ema_decay else None
    features = None
    if config.used_perceptual_weights is not None:
      features = perceptual_network(config.perceptual_network, config.used_perceptual_weights, config.precision)
    step = PretrainStep(
      config.network,
      network,
      features,
      config.used_weight_vgg,
      optimizer,
      config.batch_size,
      config.gradient_clip_norm,
      config.l1_normalization,
    )
  return Stage(
    step=step,
    networks={config.network: network},
    optimizers={config.network: optimizer},
    loop=config.loop,
    strategy=strategy,
    description={"pretrained": {"network": config.network, "width": config.width, "scale": config.zoom_factor}},
    initial_weights=config.initial_weights,
    jit_compile=config.jit_compile,
    averages=averages,
  )


def train(config: PretrainConfig, reporter: Reporter | None = None) -> RunResult:
  """Trains to the end of the stage, with the arguments, result and errors of `joint.train`."""
  return run_stage(config, build, reporter)

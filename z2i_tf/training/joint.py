"""Joint training of the three networks and the discriminator (paper section 3): settings, one step, set-up."""

import dataclasses
import types
from typing import ClassVar

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.adversarial import hinge_discriminator_loss
from z2i_tf.losses.terms import LossTerm
from z2i_tf.losses.terms import LossWeights
from z2i_tf.losses.terms import NO_WEIGHTS
from z2i_tf.models.architecture import check_width
from z2i_tf.models.architecture import default_scale
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training import trainer
from z2i_tf.training.devices import networks_in
from z2i_tf.training.metric_writers import Reporter
from z2i_tf.training.optimizers import apply_update
from z2i_tf.training.optimizers import build_adam
from z2i_tf.training.optimizers import scaled_loss
from z2i_tf.training.perceptual_networks import perceptual_network
from z2i_tf.training.stage import OVER_HOLE
from z2i_tf.training.stage import OVER_IMAGE
from z2i_tf.training.stage import Stage
from z2i_tf.training.stage import StageConfig
from z2i_tf.training.steps import average
from z2i_tf.training.steps import Tensors
from z2i_tf.training.steps import training_quality
from z2i_tf.training.steps import validation_quality
from z2i_tf.training.weight_averages import WeightAverages

_DISCRIMINATOR_TERM = "adversarial_discriminator"
# Measured outputs -> their labels. The release reports the second one.
_LABELS = {conventions.RESULT: conventions.IMAGE_LR, conventions.COMPOSED_HR: conventions.IMAGE_HR}
# The optimizers, named after what they update.
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
    discriminator_warmup_steps: number of first steps that train the discriminator alone.
  Raises: ValueError for values out of range or that exclude each other.
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
        "The steps for the discriminator alone are fewer than those of the stage. Received: "
        f"`discriminator_warmup_steps`={self.discriminator_warmup_steps}"
      )
    if not any(term.network in (None, *self.networks) for term in self.used_loss_weights.terms):
      raise ValueError(f"With `zoom`={self.zoom} all weights of the loss are 0: nothing would be trained")

  @property
  def model(self) -> ModelConfig:
    """Configuration of the generator."""
    sr_width = self.width if self.sr_width is None else self.sr_width
    return ModelConfig(self.zoom, self.zoom_factor, self.width, sr_width, self.architecture)

  @property
  def zoom_factor(self) -> int:
    return default_scale(self.zoom) if self.scale is None else self.scale

  @property
  def _discriminator_width(self) -> int:
    return self.width if self.discriminator_width is None else self.discriminator_width

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


class JointStep(tf.Module):
  """Updates all networks once; call it in a replica context with that replica's share of the batch.

  Per-example losses are summed and divided by the *global* batch size, and gradients are summed over the replicas, so
  the update is that of one device whatever the number of replicas. No gradient is stopped between the networks: every
  loss also trains the networks before it.
  """

  def __init__(
    self,
    inpainter: ZoomInpainter,
    discriminator: Model | None,
    perceptual_features: Model | None,
    weights: LossWeights,
    generator_optimizer: optimizers.Optimizer,
    discriminator_optimizer: optimizers.Optimizer | None,
    global_batch_size: int,
    gradient_clip_norm: float = 0.0,
    l1_normalization: str = OVER_IMAGE,
  ):
    """Stores the parts.

    Args:
      inpainter: the generator.
      discriminator: required if the adversarial weight is positive, otherwise None.
      perceptual_features: (B, H, W, 3) in [0, 1] -> features; required if a perceptual weight is positive.
      weights: of the loss terms.
      generator_optimizer: updates all networks of the generator.
      discriminator_optimizer: updates the discriminator.
      global_batch_size: examples of one step over all replicas.
      gradient_clip_norm: largest global norm of the generator's gradient; 0 = no clipping.
      l1_normalization: "image" or "hole": pixels over which the L1 of the coarse and of the composed refined image is
        averaged; that of the zoomed image is always averaged over the image.
    Raises: ValueError if a weight is positive and its model is missing.
    """
    super().__init__()
    if weights.use_discriminator != (discriminator is not None):
      raise ValueError("A positive adversarial weight requires a discriminator, and a discriminator such a weight.")
    if weights.use_perceptual and perceptual_features is None:
      raise ValueError("A positive perceptual weight requires a feature model.")
    self.inpainter = inpainter
    self.discriminator = discriminator
    self._features = perceptual_features
    self._weights = weights
    self._generator_optimizer = generator_optimizer
    self._discriminator_optimizer = discriminator_optimizer
    self._global_batch_size = global_batch_size
    self._gradient_clip_norm = gradient_clip_norm
    self._is_over_hole = l1_normalization == OVER_HOLE

  @property
  def main_output(self) -> str:
    """See `steps.Step`."""
    return conventions.RESULT

  @property
  def shown(self) -> tuple[str, ...]:
    """See `steps.Step`."""
    return conventions.COARSE, conventions.RESULT

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates all networks once.

    Args:
      batch: "image_hr" (B, H*scale, W*scale, 3) and "image_lr" (B, H, W, 3) in [0, 1], "mask_lr"
        (B, H, W, 1), 1 = hole; B is the replica's share.
    Returns: scalars whose *sum* over the replicas is the global value: unweighted loss terms, the
      weighted total, gradient norms before clipping, PSNR in dB, share of hole pixels.
    """
    # 1. The labels' features are constants: compute them before the tape starts.
    label_features = self._label_features(batch)
    with tf.GradientTape(persistent=True) as tape:
      # 2. Run the generator once, and the discriminator once over each kind of image.
      outputs = self.forward(batch)
      terms = average(self._compute_terms(outputs, batch, label_features), self._global_batch_size)
      generator_loss = self._total(terms)
      to_minimize = scaled_loss(generator_loss, self._generator_optimizer)
    scalars = self._loss_scalars(terms, generator_loss)
    # 3. Update generator and discriminator from this pass.
    scalars.update(
      apply_update(tape, to_minimize, self.inpainter.networks, self._generator_optimizer, self._gradient_clip_norm)
    )
    if self.discriminator is not None:
      scalars.update(self._update_discriminator(tape, terms[_DISCRIMINATOR_TERM]))
    scalars.update(average(training_quality(_LABELS, outputs, batch), self._global_batch_size))
    return scalars

  def warm_up(self, batch: Tensors) -> Tensors:
    """Updates only the discriminator; the generator does not change, and its batch norms use moving statistics.

    Args: as `__call__`.
    Returns: scalars as `__call__` does, those of the discriminator and the quality.
    """
    outputs = self.forward(batch, training=False)
    with tf.GradientTape() as tape:
      terms = average(
        {_DISCRIMINATOR_TERM: hinge_discriminator_loss(*self._scores(outputs, batch))}, self._global_batch_size
      )
    return {
      "loss/" + _DISCRIMINATOR_TERM: terms[_DISCRIMINATOR_TERM],
      **self._update_discriminator(tape, terms[_DISCRIMINATOR_TERM]),
      **average(training_quality(_LABELS, outputs, batch), self._global_batch_size),
    }

  def forward(self, batch: Tensors, training: bool = True) -> Tensors:
    """Returns every output of the generator, and `composed_hr`, for a batch as in `__call__`."""
    outputs = self.inpainter(batch, training=training)
    outputs[conventions.COMPOSED_HR] = image_ops.compose(
      outputs[conventions.REFINED], batch[conventions.IMAGE_HR], self._mask_hr(batch)
    )
    return outputs

  def evaluate(self, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Returns the outputs and the quality of each image of a batch as in `__call__`, without training."""
    outputs = self.forward(batch, training=False)
    return outputs, validation_quality(_LABELS, outputs, batch)

  def losses(self, outputs: Tensors, batch: Tensors) -> Tensors:
    """Returns the loss terms and the generator's total, as `__call__` does, for outputs of `forward`."""
    terms = average(self._compute_terms(outputs, batch, self._label_features(batch)), self._global_batch_size)
    return self._loss_scalars(terms, self._total(terms))

  @property
  def _terms(self) -> tuple[LossTerm, ...]:
    """The terms of the generator's loss that have a positive weight and the network they need."""
    networks = {*self.inpainter.networks, conventions.DISCRIMINATOR, None}
    return tuple(term for term in self._weights.terms if term.network in networks)

  def _total(self, terms):
    return tf.add_n([self._weights.of(term) * terms[term.name] for term in self._terms])

  @staticmethod
  def _loss_scalars(terms, total):
    return {**{"loss/" + name: value for name, value in terms.items()}, "loss/generator": total}

  def _update_discriminator(self, tape, loss):
    return apply_update(
      tape, loss, {conventions.DISCRIMINATOR: self.discriminator}, self._discriminator_optimizer, clip_norm=0.0
    )

  def _scores(self, outputs, batch):
    """Returns the discriminator's scores (B, N) of the real and of the composed images."""
    mask_hr = self._mask_hr(batch)
    # Real first, then fake, each a training call: each does one power iteration.
    return [
      self.discriminator(tf.concat([image, mask_hr], axis=-1), training=True)
      for image in (batch[conventions.IMAGE_HR], outputs[conventions.COMPOSED_HR])
    ]

  def _mask_hr(self, batch):
    return image_ops.upscale_nearest(batch[conventions.MASK_LR], self.inpainter.model_config.scale)

  def _label_features(self, batch):
    labels = dict.fromkeys(term.feature_label for term in self._terms if term.feature_label)
    return {label: self._features(batch[label]) for label in labels}

  def _compute_terms(self, outputs, batch, label_features):
    """Returns each unweighted loss term, one value per example, and the discriminator's own loss."""
    holes = dict.fromkeys((conventions.IMAGE_LR, conventions.IMAGE_HR))
    if self._is_over_hole:
      holes = {conventions.IMAGE_LR: batch[conventions.MASK_LR], conventions.IMAGE_HR: self._mask_hr(batch)}
    inputs = types.SimpleNamespace(
      outputs=outputs, batch=batch, holes=holes, features=self._features, label_features=label_features
    )
    discriminator_terms = {}
    if self.discriminator is not None:
      real_scores, inputs.fake_scores = self._scores(outputs, batch)
      discriminator_terms[_DISCRIMINATOR_TERM] = hinge_discriminator_loss(real_scores, inputs.fake_scores)
    return {**{term.name: term.function(inputs) for term in self._terms}, **discriminator_terms}


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
  )


def train(config: JointConfig, reporter: Reporter | None = None) -> trainer.RunResult:
  """Trains to the end of the stage, from the last checkpoint in `work_dir` if there is one.

  Args:
    config: settings.
    reporter: shows progress; None prints one line per logging window.
  Returns: the folders with the trained weights.
  Raises: InputError for unusable settings, images, work folder, checkpoints or weights; Stopped after a signal.
  """
  return trainer.run(config, build, reporter)

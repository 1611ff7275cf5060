"""One update of the three networks and the discriminator, from one forward pass (paper section 3)."""

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.adversarial import hinge_discriminator_loss
from z2i_tf.losses.adversarial import hinge_generator_loss
from z2i_tf.losses.perceptual import feature_loss
from z2i_tf.losses.pixel import gradient_loss
from z2i_tf.losses.pixel import l1_loss
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training.config import LossWeights
from z2i_tf.training.config import OVER_HOLE
from z2i_tf.training.config import OVER_IMAGE
from z2i_tf.training.precision import scaled_loss
from z2i_tf.training.quality import training_quality
from z2i_tf.training.quality import validation_quality
from z2i_tf.training.update import apply_update
from z2i_tf.training.update import average

Tensors = dict[str, tf.Tensor]

_DISCRIMINATOR_TERM = "adversarial_discriminator"
# Stages that are measured -> their labels. The release reports the second one.
_LABELS = {conventions.RESULT: conventions.IMAGE_LR, conventions.COMPOSED_HR: conventions.IMAGE_HR}


class JointStep(tf.Module):
  """The joint stage's update; called in a replica context with that replica's share of the batch.

  Per-example losses are summed and divided by the *global* batch size, and gradients are summed over
  the replicas, so the update is that of one device whatever the number of replicas. No gradient is
  stopped between the stages: every loss also trains the networks before it.
  """

  def __init__(
    self,
    inpainter: ZoomInpainter,
    discriminator: Model | None,
    vgg_features: Model | None,
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
      discriminator: given if, and only if, the adversarial weight is positive.
      vgg_features: (B, H, W, 3) in [0, 1] -> features; needed if a VGG weight is positive.
      weights: of the loss terms.
      generator_optimizer: updates all networks of the generator.
      discriminator_optimizer: updates the discriminator.
      global_batch_size: examples of one step over all replicas.
      gradient_clip_norm: global norm that the generator's gradient is scaled down to; 0 = never.
      l1_normalization: whether the L1 of the coarse and of the composed refined image is a mean over the "image" or
        over the "hole"; that of the zoomed image is one over the image.
    Raises: ValueError if a weight is positive and the model for it is missing.
    """
    super().__init__()
    if weights.use_discriminator != (discriminator is not None):
      raise ValueError("A discriminator goes with a positive adversarial weight, and only with one.")
    if weights.use_vgg and vgg_features is None:
      raise ValueError("A positive VGG weight needs a feature model.")
    self.inpainter = inpainter
    self.discriminator = discriminator
    self._vgg_features = vgg_features
    self._weights = weights
    self._generator_optimizer = generator_optimizer
    self._discriminator_optimizer = discriminator_optimizer
    self._global_batch_size = global_batch_size
    self._gradient_clip_norm = gradient_clip_norm
    self._over_hole = l1_normalization == OVER_HOLE

  @property
  def main_stage(self) -> str:
    """See `stage.Step`."""
    return conventions.RESULT

  @property
  def shown(self) -> tuple[str, ...]:
    """See `stage.Step`."""
    return (conventions.COARSE, conventions.RESULT)

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates all networks once.

    Args:
      batch: "image_hr" (B, H*scale, W*scale, 3) and "image_lr" (B, H, W, 3) in [0, 1], "mask_lr"
        (B, H, W, 1), 1 = hole; B is the replica's share.
    Returns: scalars whose *sum* over the replicas is the global value: unweighted loss terms, the
      weighted total, gradient norms before clipping, PSNR in dB, share of hole pixels.
    """
    # 1. The labels' features are constants: computed before the tape starts.
    label_features = self._label_features(batch)
    with tf.GradientTape(persistent=True) as tape:
      # 2. One forward pass through the generator, and one of the discriminator over each kind of image.
      stages = self.forward(batch)
      terms = average(self._terms(stages, batch, label_features), self._global_batch_size)
      generator_loss = self._total(terms)
      to_minimize = scaled_loss(generator_loss, self._generator_optimizer)
    scalars = self._named(terms, generator_loss)
    # 3. Generator and discriminator are both updated from it.
    scalars.update(
      apply_update(tape, to_minimize, self.inpainter.networks, self._generator_optimizer, self._gradient_clip_norm)
    )
    if self.discriminator is not None:
      scalars.update(self._update_discriminator(tape, terms[_DISCRIMINATOR_TERM]))
    scalars.update(average(training_quality(_LABELS, stages, batch), self._global_batch_size))
    return scalars

  def warm_up(self, batch: Tensors) -> Tensors:
    """Updates the discriminator alone; nothing of the generator changes, batch norms use their moving statistics.

    Args: as `__call__`.
    Returns: scalars as `__call__` does, those of the discriminator and the quality.
    """
    stages = self.forward(batch, training=False)
    with tf.GradientTape() as tape:
      terms = average(
        {_DISCRIMINATOR_TERM: hinge_discriminator_loss(*self._scores(stages, batch))}, self._global_batch_size
      )
    return {
      "loss/" + _DISCRIMINATOR_TERM: terms[_DISCRIMINATOR_TERM],
      **self._update_discriminator(tape, terms[_DISCRIMINATOR_TERM]),
      **average(training_quality(_LABELS, stages, batch), self._global_batch_size),
    }

  def forward(self, batch: Tensors, training: bool = True) -> Tensors:
    """Returns every stage of the generator, `composed_hr` included, for a batch as in `__call__`."""
    stages = self.inpainter(batch, training=training)
    mask_hr = self._mask_hr(batch)
    stages[conventions.COMPOSED_HR] = image_ops.compose(
      stages[conventions.REFINED], batch[conventions.IMAGE_HR], mask_hr
    )
    return stages

  def evaluate(self, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Returns the stages and the per-image quality of a batch as in `__call__`, without training."""
    stages = self.forward(batch, training=False)
    return stages, validation_quality(_LABELS, stages, batch)

  def losses(self, stages: Tensors, batch: Tensors) -> Tensors:
    """Returns the loss terms and the generator's total as `__call__` does, of what `forward` returned."""
    terms = average(self._terms(stages, batch, self._label_features(batch)), self._global_batch_size)
    return self._named(terms, self._total(terms))

  def _total(self, terms):
    return tf.add_n([weight * terms[name] for name, weight in self._term_weights().items()])

  @staticmethod
  def _named(terms, total):
    return {**{"loss/" + name: value for name, value in terms.items()}, "loss/generator": total}

  def _update_discriminator(self, tape, loss):
    return apply_update(
      tape, loss, {conventions.DISCRIMINATOR: self.discriminator}, self._discriminator_optimizer, clip_norm=0.0
    )

  def _scores(self, stages, batch):
    """Returns the discriminator's scores (B, N) of the real and of the composed images."""
    mask_hr = self._mask_hr(batch)
    # Real first, then fake, each a training call: each does one power iteration.
    return [
      self.discriminator(tf.concat([image, mask_hr], axis=-1), training=True)
      for image in (batch[conventions.IMAGE_HR], stages[conventions.COMPOSED_HR])
    ]

  def _mask_hr(self, batch):
    return image_ops.upscale_nearest(batch[conventions.MASK_LR], self.inpainter.model_config.scale)

  def _label_features(self, batch):
    labels = {"vgg_coarse": conventions.IMAGE_LR, "vgg_refine": conventions.IMAGE_HR}
    return {name: self._vgg_features(batch[label]) for name, label in labels.items() if name in self._term_weights()}

  def _term_weights(self) -> dict[str, float]:
    """Returns the terms of the generator's loss that count, and their weights."""
    weights = {
      "l1_coarse": self._weights.weight_l1_coarse,
      "l1_sr": self._weights.weight_l1_sr if self.inpainter.sr_net is not None else 0.0,
      "l1_refine": self._weights.weight_l1_refine,
      "gradient": self._weights.weight_gradient,
      "vgg_coarse": self._weights.weight_vgg_coarse,
      "vgg_refine": self._weights.weight_vgg_refine,
      "adversarial": self._weights.weight_adversarial,
    }
    return {name: weight for name, weight in weights.items() if weight > 0}

  def _terms(self, stages, batch, label_features):
    """Returns each loss term that counts, unweighted, one value per example."""
    image_lr, image_hr = batch[conventions.IMAGE_LR], batch[conventions.IMAGE_HR]
    coarse, composed_hr = stages[conventions.COARSE], stages[conventions.COMPOSED_HR]
    hole_lr, hole_hr = (batch[conventions.MASK_LR], self._mask_hr(batch)) if self._over_hole else (None, None)
    compute = {
      "l1_coarse": lambda: l1_loss(coarse, image_lr, hole_lr),
      "l1_sr": lambda: l1_loss(stages[conventions.ZOOMED], image_hr),
      "l1_refine": lambda: l1_loss(composed_hr, image_hr, hole_hr),
      "gradient": lambda: gradient_loss(composed_hr, image_hr),
      "vgg_coarse": lambda: feature_loss(self._vgg_features(coarse), label_features["vgg_coarse"]),
      "vgg_refine": lambda: feature_loss(self._vgg_features(composed_hr), label_features["vgg_refine"]),
    }
    terms = {name: compute[name]() for name in self._term_weights() if name in compute}
    if self.discriminator is not None:
      real, fake = self._scores(stages, batch)
      terms["adversarial"] = hinge_generator_loss(fake)
      terms[_DISCRIMINATOR_TERM] = hinge_discriminator_loss(real, fake)
    return terms

"""One step of joint training: updates the generator and the discriminator (paper section 3, equations 2 to 6)."""

import types

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.adversarial import hinge_discriminator_loss
from z2i_tf.losses.terms import LossTerm
from z2i_tf.losses.terms import LossWeights
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training.optimizers import apply_update
from z2i_tf.training.optimizers import scaled_loss
from z2i_tf.training.stage_config import OVER_HOLE
from z2i_tf.training.stage_config import OVER_IMAGE
from z2i_tf.training.steps import average
from z2i_tf.training.steps import Tensors
from z2i_tf.training.steps import training_quality
from z2i_tf.training.steps import validation_quality

_DISCRIMINATOR_TERM = "adversarial_discriminator"
# Measured outputs -> their labels. The release reports the second one.
_LABELS = {conventions.RESULT: conventions.IMAGE_LR, conventions.COMPOSED_HR: conventions.IMAGE_HR}


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
        averaged; the L1 loss of the zoomed image always covers the image.
    Raises: ValueError if a weight is positive and its model is missing, or a discriminator has no weight.
    """
    super().__init__()
    if weights.use_discriminator != (discriminator is not None):
      raise ValueError("Give a discriminator if, and only if, the adversarial weight is positive.")
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
    Returns: the discriminator's scalars and the quality, in the form of `__call__`.
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

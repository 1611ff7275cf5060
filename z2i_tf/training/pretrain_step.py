"""One update of one network alone (paper section 4.1)."""

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.losses.perceptual import feature_loss
from z2i_tf.losses.pixel import l1_loss
from z2i_tf.training.config import OVER_HOLE
from z2i_tf.training.config import OVER_IMAGE
from z2i_tf.training.precision import scaled_loss
from z2i_tf.training.quality import training_quality
from z2i_tf.training.quality import validation_quality
from z2i_tf.training.update import apply_update
from z2i_tf.training.update import average

Tensors = dict[str, tf.Tensor]

# Network -> the stage of the whole model that its output is, and the label that is compared with it.
_OUTPUTS = {
  conventions.COARSE_NET: (conventions.COARSE, conventions.IMAGE_LR),
  conventions.SR_NET: (conventions.ZOOMED, conventions.IMAGE_HR),
  conventions.REFINE_NET: (conventions.REFINED, conventions.IMAGE_LR),
}


class PretrainStep(tf.Module):
  """The update of a network that is trained alone; called in a replica context with that replica's share of the batch.

  The coarse and the refinement network fill the hole of the low-resolution image, the latter as if the masked image
  were the zoomed one; the super-resolution network enlarges the whole low-resolution image. The network's own output is
  compared with the full image: that of the refinement network is not pasted into the known pixels.
  """

  def __init__(
    self,
    name: str,
    network: Model,
    vgg_features: Model | None,
    weight_vgg: float,
    optimizer: optimizers.Optimizer,
    global_batch_size: int,
    gradient_clip_norm: float = 0.0,
    l1_normalization: str = OVER_IMAGE,
  ):
    """Stores the parts.

    Args:
      name: "coarse", "sr" or "refine".
      network: to be trained.
      vgg_features: (B, H, W, 3) in [0, 1] -> features; needed if its weight is positive.
      weight_vgg: of the VGG19 feature loss beside L1.
      optimizer: updates the network.
      global_batch_size: examples of one step over all replicas.
      gradient_clip_norm: global norm that the gradient is scaled down to; 0 = never.
      l1_normalization: whether L1 is a mean over the "image" or over the "hole"; for "sr" always over the image.
    Raises: ValueError if the weight is positive and the feature model is missing.
    """
    super().__init__()
    if weight_vgg > 0 and vgg_features is None:
      raise ValueError("A positive VGG weight needs a feature model.")
    self._name, self._network = name, network
    self._vgg_features, self._weight_vgg = vgg_features, weight_vgg
    self._optimizer, self._global_batch_size = optimizer, global_batch_size
    self._gradient_clip_norm = gradient_clip_norm
    self._over_hole = l1_normalization == OVER_HOLE and name != conventions.SR_NET

  @property
  def main_stage(self) -> str:
    """See `stage.Step`."""
    return _OUTPUTS[self._name][0]

  @property
  def shown(self) -> tuple[str, ...]:
    """See `stage.Step`."""
    return (self.main_stage,)

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates the network once.

    Args:
      batch: "image_lr" (B, H, W, 3) in [0, 1], "mask_lr" (B, H, W, 1), 1 = hole, and for "sr" "image_hr"
        (B, H*scale, W*scale, 3); B is the replica's share.
    Returns: scalars whose *sum* over the replicas is the global value: unweighted loss terms, the weighted total, the
      gradient's norm before clipping, PSNR in dB and, but for "sr", the share of hole pixels.
    """
    stage, label = _OUTPUTS[self._name]
    # The label's features are constants: computed before the tape starts.
    label_features = self._vgg_features(batch[label]) if self._weight_vgg > 0 else None
    with tf.GradientTape() as tape:
      output = self._forward(batch, training=True)
      hole = batch[conventions.MASK_LR] if self._over_hole else None
      terms = {f"l1_{self._name}": l1_loss(output, batch[label], hole)}
      if self._weight_vgg > 0:
        terms[f"vgg_{self._name}"] = feature_loss(self._vgg_features(output), label_features)
      terms = average(terms, self._global_batch_size)
      loss = terms[f"l1_{self._name}"]
      if self._weight_vgg > 0:
        loss += self._weight_vgg * terms[f"vgg_{self._name}"]
      to_minimize = scaled_loss(loss, self._optimizer)
    scalars = {"loss/" + name: value for name, value in terms.items()}
    scalars["loss/generator"] = loss
    scalars.update(
      apply_update(tape, to_minimize, {self._name: self._network}, self._optimizer, self._gradient_clip_norm)
    )
    scalars.update(average(training_quality({stage: label}, {stage: output}, batch), self._global_batch_size))
    return scalars

  def evaluate(self, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Returns the output, by the name of its stage, and the per-image quality of a batch as in `__call__`."""
    stage, label = _OUTPUTS[self._name]
    stages = {stage: self._forward(batch, training=False)}
    return stages, validation_quality({stage: label}, stages, batch)

  def _forward(self, batch, training):
    image, mask = batch[conventions.IMAGE_LR], batch[conventions.MASK_LR]
    if self._name == conventions.SR_NET:
      return self._network(image, training=training)
    return self._network(tf.concat([image * (1.0 - mask), mask], axis=-1), training=training)

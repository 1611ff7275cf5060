"""Shared parts of training steps: their interface, means over the global batch, and image quality."""

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.metrics import batch_metrics

Tensors = dict[str, tf.Tensor]

# Largest PSNR of an example, dB, so that means stay finite: a small hole in white sky can have no error at all.
_HIGHEST_PSNR = 100.0


class Step(Protocol):
  """One update of some networks.

  Attributes:
    main_output: name in `conventions` of the output whose PSNR decides which weights are best.
    shown: outputs that TensorBoard shows between the masked image and the original.
  """

  main_output: str
  shown: tuple[str, ...]

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates the networks with a replica's share of a batch; returns scalars to sum over the replicas."""

  def evaluate(self, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Returns the networks' outputs by name, and the quality of each image (B,), without training."""


def average(per_example: Mapping[str, tf.Tensor], global_batch_size: int) -> Tensors:
  """Returns a replica's share of each mean: values (B,) summed and divided by the *global* batch size."""
  return {name: tf.reduce_sum(values) / global_batch_size for name, values in per_example.items()}


def training_quality(labels: Mapping[str, str], outputs: Mapping[str, tf.Tensor], batch: Tensors) -> Tensors:
  """Computes the cheap measures of quality.

  Args:
    labels: output -> image of the batch that it is compared with.
    outputs: images (B, H, W, 3) by name, clipped to [0, 1] here.
    batch: as the step takes it.
  Returns: "psnr/OUTPUT" in dB, at most 100, and "hole_ratio", the hole's share of the low-resolution image, if the
    examples have holes; each (B,).
  """
  quality = {
    f"psnr/{name}": tf.minimum(batch_metrics.psnr(_clipped(outputs[name]), batch[label]), _HIGHEST_PSNR)
    for name, label in labels.items()
  }
  if conventions.ZOOMED not in labels:
    quality["hole_ratio"] = tf.reduce_mean(batch[conventions.MASK_LR], axis=[1, 2, 3])
  return quality


def validation_quality(labels: Mapping[str, str], outputs: Mapping[str, tf.Tensor], batch: Tensors) -> Tensors:
  """Computes all measures of quality.

  Args: as `training_quality`.
  Returns: as `training_quality`, and "ssim/OUTPUT" (for sides of at least 11 pixels), "l1/OUTPUT" and, for outputs at
    low resolution, "hole_psnr/OUTPUT" and "hole_l1/OUTPUT", measured over the hole; each (B,).
  """
  quality = training_quality(labels, outputs, batch)
  for name, label in labels.items():
    image, target = _clipped(outputs[name]), batch[label]
    if min(target.shape[1:3]) >= batch_metrics.SSIM_WINDOW:
      quality[f"ssim/{name}"] = batch_metrics.ssim(image, target)
    quality[f"l1/{name}"] = batch_metrics.l1_error(image, target)
    if label == conventions.IMAGE_LR:
      mask = batch[conventions.MASK_LR]
      quality[f"hole_psnr/{name}"] = tf.minimum(batch_metrics.hole_psnr(image, target, mask), _HIGHEST_PSNR)
      quality[f"hole_l1/{name}"] = batch_metrics.hole_l1_error(image, target, mask)
  return quality


def _clipped(image):
  return tf.clip_by_value(image, 0.0, 1.0)

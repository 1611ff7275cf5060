"""What a step measures on its examples beside its losses, one value per example."""

from collections.abc import Mapping

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.metrics import batch_metrics

Tensors = Mapping[str, tf.Tensor]

# What an example without error counts as, dB, so that a mean stays finite (a small hole in white sky, say).
_HIGHEST_PSNR = 100.0


def training_quality(labels: Mapping[str, str], stages: Tensors, batch: Tensors) -> dict[str, tf.Tensor]:
  """Returns what costs next to nothing: PSNR, and the hole's share of the low-resolution image where there are holes.

  Args:
    labels: stage -> the batch's image that it is compared with.
    stages: images (B, H, W, 3) by stage, clipped to [0, 1] here.
    batch: as the step takes it.
  Returns: "psnr/STAGE" in dB, at most 100, and "hole_ratio", each (B,).
  """
  quality = {
    f"psnr/{stage}": tf.minimum(batch_metrics.psnr(_clipped(stages[stage]), batch[label]), _HIGHEST_PSNR)
    for stage, label in labels.items()
  }
  if conventions.ZOOMED not in labels:
    quality["hole_ratio"] = tf.reduce_mean(batch[conventions.MASK_LR], axis=[1, 2, 3])
  return quality


def validation_quality(labels: Mapping[str, str], stages: Tensors, batch: Tensors) -> dict[str, tf.Tensor]:
  """Returns PSNR, SSIM and L1 over the whole image and, at low resolution with holes, PSNR and L1 over the hole.

  Args as `training_quality`.
  Returns: "psnr/STAGE", "ssim/STAGE" (for sides of at least 11 pixels), "l1/STAGE", "hole_psnr/STAGE",
    "hole_l1/STAGE" and "hole_ratio", each (B,).
  """
  quality = training_quality(labels, stages, batch)
  for stage, label in labels.items():
    image, target = _clipped(stages[stage]), batch[label]
    if min(target.shape[1:3]) >= batch_metrics.SSIM_WINDOW:
      quality[f"ssim/{stage}"] = batch_metrics.ssim(image, target)
    quality[f"l1/{stage}"] = batch_metrics.l1_error(image, target)
    if label == conventions.IMAGE_LR:
      mask = batch[conventions.MASK_LR]
      quality[f"hole_psnr/{stage}"] = tf.minimum(batch_metrics.hole_psnr(image, target, mask), _HIGHEST_PSNR)
      quality[f"hole_l1/{stage}"] = batch_metrics.hole_l1_error(image, target, mask)
  return quality


def _clipped(image):
  return tf.clip_by_value(image, 0.0, 1.0)

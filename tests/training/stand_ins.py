"""Joint steps with small networks, on one device or several."""

import contextlib
import resource

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training.joint_step import JointStep


@contextlib.contextmanager
def eagerly():
  """For runs of a few steps: tracing a joint step takes as long as a dozen of them."""
  former = tf.config.functions_run_eagerly()
  tf.config.run_functions_eagerly(True)
  try:
    yield
  finally:
    tf.config.run_functions_eagerly(former)


def build_step(arrays, make_optimizer, loss_weights, batch_size, vgg_features=None, width=8, **options):
  """Builds a JointStep on recorded (or, for None, initial) weights, under the current strategy."""
  inpainter = ZoomInpainter(ModelConfig(width=width))
  discriminator = patch_discriminator(width) if loss_weights.use_discriminator else None
  networks = dict(inpainter.networks)
  if discriminator is not None:
    networks[conventions.DISCRIMINATOR] = discriminator
  if arrays is not None:
    model_weights.assign_arrays(networks, arrays, "recording")
  optimizers = make_optimizer(), make_optimizer()
  optimizers[0].build(inpainter.trainable_variables)
  if discriminator is not None:
    optimizers[1].build(discriminator.trainable_variables)
  step = JointStep(inpainter, discriminator, vgg_features, loss_weights, *optimizers, batch_size, **options)
  return step, networks


@contextlib.contextmanager
def full_disk(limit=0):
  """Writing a file beyond so many bytes fails, as on a full disk."""
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))  # Python ignores the signal; writing fails.
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def smooth_batch(count, side):
  """Returns a batch of smooth images, as photographs are, at scale 2, each with another mask; NumPy arrays."""
  image_hr = tf.image.resize(
    np.random.default_rng(0).random((count, 8, 8, 3)).astype(np.float32), [2 * side] * 2, "bicubic"
  ).numpy()
  mask = np.zeros((count, side, side, 1), np.float32)
  for number in range(count):
    mask[number, 2 + number % 4 : 9, 4 : 8 + number % 4] = 1
  return {
    "image_hr": image_hr,
    "mask_lr": mask,
    "image_lr": tf.image.resize(image_hr, [side] * 2, "bicubic", antialias=True).numpy(),
  }


def run_step(strategy, step, batch):
  """Runs one step, eagerly, on a global batch shared among the strategy's replicas; returns global scalars."""
  dataset = tf.data.Dataset.from_tensor_slices(batch).batch(len(batch[conventions.MASK_LR]))
  shared = next(iter(strategy.experimental_distribute_dataset(dataset)))
  scalars = strategy.run(step, args=(shared,))
  return {name: float(strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)) for name, value in scalars.items()}

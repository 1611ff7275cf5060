"""On which devices a stage runs."""

import tensorflow as tf


def make_strategy() -> tf.distribute.Strategy:
  """Returns a MirroredStrategy over all visible GPUs, or over the CPU where there is none."""
  gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
  return tf.distribute.MirroredStrategy(gpus or ["CPU:0"])

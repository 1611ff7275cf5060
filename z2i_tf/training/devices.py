"""On which devices a stage runs."""

import functools

import tensorflow as tf


@functools.lru_cache(maxsize=None)
def make_strategy() -> tf.distribute.Strategy:
  """Returns a MirroredStrategy over all visible GPUs, or over the CPU where there is none.

  One for all stages of a process: each strategy numbers its collective operations anew, and those of two would meet.
  """
  gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
  return tf.distribute.MirroredStrategy(gpus or ["CPU:0"])

"""Runs a `Generator` on NumPy arrays."""

from typing import Dict

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.inference.fast_networks import Limits
from z2i_tf.inference.generator import Generator


class Predictor:
  """A generator in this process.

  Attributes:
    model_config: of its networks.
    precision: of its networks.
    max_scores: of attention, at once, if nothing else speaks against it (see `Limits`).
  """

  max_scores = 2**24

  def __init__(self, generator: Generator):
    """Wraps a generator; its graph is made when it is first used."""
    self.model_config = generator.model_config
    self.precision = generator.precision

    def traced(outputs, whole):
      def run(image, mask, max_scores):
        return outputs(generator(image, mask, Limits(None, max_scores), whole))

      return tf.function(run, autograph=False, input_signature=[
          tf.TensorSpec([None, None, None, 3], tf.float32), tf.TensorSpec([None, None, None, 1], tf.float32),
          tf.TensorSpec([], tf.int32)])

    self._fill = traced(lambda stages: stages[conventions.RESULT], whole=False)
    self._stages = traced(lambda stages: stages, whole=True)

  def fill(self, images: np.ndarray, holes: np.ndarray, max_scores: int) -> np.ndarray:
    """Returns the result.

    Args:
      images: (B, H, W, 3) float32 in [0, 1].
      holes: (B, H, W) bool, True = hole.
      max_scores: see `Limits`.
    Returns: (B, H, W, 3) float32 in [0, 1].
    Raises: MemoryError or tf.errors.ResourceExhaustedError if there is not enough.
    """
    return self._fill(images, _as_mask(holes), max_scores).numpy()

  def stages(self, images: np.ndarray, holes: np.ndarray, max_scores: int) -> Dict[str, np.ndarray]:
    """Returns every output of the `Generator`, everywhere; arguments and errors as `fill`."""
    return {name: stage.numpy() for name, stage in self._stages(images, _as_mask(holes), max_scores).items()}


def _as_mask(holes):
  return holes.astype(np.float32)[..., np.newaxis]

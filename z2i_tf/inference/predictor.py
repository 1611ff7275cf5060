"""Runs a `Generator` on NumPy arrays."""

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.generator import Generator

# Larger images are evaluated in tiles of so many pixels at high resolution; the graph takes longer to trace.
_MAX_UNTILED_PIXELS, _TILE_PIXELS = 2**18, 2**19
_MAX_SCORES = 2**24  # Of attention, at once.


class Predictor:
  """A generator in this process.

  Attributes:
    model_config: of its networks.
    precision: of its networks.
    max_thickness_px: thickness of the holes that it can fill.
  """

  def __init__(self, generator: Generator):
    """Wraps a generator; its graphs are traced when they are first used."""
    self.model_config = generator.model_config
    self.precision = generator.precision
    self.max_thickness_px = generator.max_thickness_px

    def traced(outputs, whole):
      def run(max_tile_pixels):
        return tf.function(
          lambda image, mask: outputs(generator(image, mask, Limits(max_tile_pixels, _MAX_SCORES), whole)),
          autograph=False,
          input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32),
            tf.TensorSpec([None, None, None, 1], tf.float32),
          ],
        )

      untiled, tiled = run(None), run(_TILE_PIXELS)
      return lambda images, holes: (untiled if holes.size <= _MAX_UNTILED_PIXELS else tiled)(images, _as_mask(holes))

    self._fill = traced(lambda stages: stages[conventions.RESULT], whole=False)
    self._stages = traced(lambda stages: stages, whole=True)
    self._refine = traced(lambda stages: stages[conventions.REFINED], whole=False)

  def fill(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Returns the result.

    Args:
      images: (B, H, W, 3) float32 in [0, 1].
      holes: (B, H, W) bool, True = hole.
    Returns: (B, H, W, 3) float32 in [0, 1].
    Raises: MemoryError or tf.errors.ResourceExhaustedError if there is not enough.
    """
    return self._fill(images, holes).numpy()

  def refine(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Returns the refined image at high resolution, (B, H*scale, W*scale, 3); correct only near the hole.

    Arguments and errors as `fill`.
    """
    return self._refine(images, holes).numpy()

  def stages(self, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """Returns every output of the `Generator`, everywhere; arguments and errors as `fill`."""
    return {name: stage.numpy() for name, stage in self._stages(images, holes).items()}


def _as_mask(holes):
  return holes.astype(np.float32)[..., np.newaxis]

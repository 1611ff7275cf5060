"""Runs the Keras networks for inference, for architectures that `fast` lacks."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.generator import Generator
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_FLOAT32 = "float32"


class KerasGenerator(Generator):
  """A `Generator` that computes the networks everywhere: DeepFill-v2's attention changes every pixel.

  Memory is not bounded: attention's scores grow with the square of the pixels, and take 0.6 GB at high resolution for a
  piece of a photograph at its largest (448x448 pixels, zoom 2).
  """

  def __init__(
    self,
    config: ModelConfig,
    arrays: Mapping[str, np.ndarray],
    precision: str = _FLOAT32,
    source: str = "the model",
    max_thickness_px: float = architecture.DEFAULT_MAX_THICKNESS_PX,
  ):
    """Takes a model's weights, as `Generator`; raises InputError also for another precision than float32."""
    tf.Module.__init__(self)
    if precision != _FLOAT32:
      raise InputError(f"`precision`={precision}: networks of {config.architecture} compute in {_FLOAT32} only")
    self.model_config = config
    self.precision = precision
    self.max_thickness_px = max_thickness_px
    self._model = ZoomInpainter(config)
    model_weights.assign_arrays(self._model.networks, arrays, source)

  def _padded_outputs(self, image, mask, limits: Limits, whole: bool) -> dict[str, tf.Tensor]:
    del limits, whole
    return self._model({conventions.IMAGE_LR: image, conventions.MASK_LR: mask})


def build_generator(
  config: ModelConfig,
  arrays: Mapping[str, np.ndarray],
  precision: str = _FLOAT32,
  source: str = "the model",
  max_thickness_px: float = architecture.DEFAULT_MAX_THICKNESS_PX,
) -> Generator:
  """Returns the generator of a configuration's architecture; arguments and errors as `Generator`."""
  kind = Generator if config.architecture == architecture.ZOOM_INPAINT else KerasGenerator
  return kind(config, arrays, precision, source, max_thickness_px)

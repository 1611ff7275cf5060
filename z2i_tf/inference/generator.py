"""The generator as inference runs it: the values of `ZoomInpainter`, computed where the hole needs them.

The hole's pixels depend on all of the image through the encoders, the super-resolution network and attention's keys.
But of the decoders only what lies around the hole is needed, and of attention only the hole's queries. Everything large
is evaluated in tiles (see `tiles`), so memory is bounded too. The tests hold it to `ZoomInpainter`, and to numbers
recorded from the authors' networks.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.inference.fast.layer_reader import LayerReader
from z2i_tf.inference.fast.networks import GatedNet
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.fast.networks import SuperResolutionNet
from z2i_tf.models.zoom_inpainter import ModelConfig

PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}
ATTENTION_SOURCES = "attention_sources"
# Key of a `Generator`'s `max_thickness_px` in a model's description, and its value where there is none.
_MAX_THICKNESS_PX, DEFAULT_MAX_THICKNESS_PX = "max_thickness_px", 56.0


def with_max_thickness(description: Mapping[str, Any], max_thickness_px: float) -> dict[str, Any]:
  """Returns the description of a model with its `max_thickness_px`."""
  return {**description, _MAX_THICKNESS_PX: float(max_thickness_px)}


def max_thickness(description: Mapping[str, Any]) -> float:
  """Returns the `max_thickness_px` of a model's description; raises ValueError or TypeError if it has a wrong one."""
  value = float(description.get(_MAX_THICKNESS_PX, DEFAULT_MAX_THICKNESS_PX))
  if not 1.0 <= value < np.inf:
    raise ValueError(f"{_MAX_THICKNESS_PX} is {value}, not at least 1")
  return value


class Generator(tf.Module):
  """A trained generator for inference.

  The networks compute in float32 or bfloat16; RGB images between them, attention's weights and the last convolution of
  a network are float32 always.
  """

  def __init__(
    self,
    config: ModelConfig,
    arrays: Mapping[str, np.ndarray],
    precision: str = "float32",
    source: str = "the model",
    max_thickness_px: float = DEFAULT_MAX_THICKNESS_PX,
  ):
    """Wraps weights.

    Args:
      config: what the networks look like.
      arrays: as of a model file (see `checkpoints`); those of other networks are not looked at.
      precision: "float32" or "bfloat16".
      source: where the arrays come from, for errors.
      max_thickness_px: up to which thickness the networks fill holes (twice the largest distance to a known pixel).
    Raises: InputError naming the source and an array that is missing, left over or misshapen.
    """
    super().__init__()
    self.model_config = config
    self.precision = precision
    self.max_thickness_px = max_thickness_px
    dtype = PRECISIONS[precision]

    def layers_of(network):
      readers.append(LayerReader(arrays, network, dtype, source))
      return readers[-1]

    readers = []
    self._coarse = GatedNet(layers_of(conventions.COARSE_NET), config.width, dtype, with_attention=False)
    self._sr = None
    if config.zoom == "sr":
      self._sr = SuperResolutionNet(layers_of(conventions.SR_NET), config.sr_width, config.scale, dtype)
    self._refine = GatedNet(layers_of(conventions.REFINE_NET), config.width, dtype, with_attention=True)
    for reader in readers:
      reader.check_all_are_read()

  def __call__(self, image: tf.Tensor, mask: tf.Tensor, limits: Limits, whole: bool) -> dict[str, tf.Tensor]:
    """Returns every stage, and where attention copied from.

    Args:
      image: (B, H, W, 3) in [0, 1], of any size; what is under the hole is not looked at.
      mask: (B, H, W, 1), 1 = hole.
      limits: bounds of the memory.
      whole: whether `refined` and `zoomed_out` are wanted everywhere; otherwise near the hole, which is quicker.
    Returns: the stages of `ZoomInpainter`, and "attention_sources": (B, H'*scale/8, W'*scale/8) int32, as of
      `attend_hole`, H' and W' being the sides rounded up to multiples of 8.
    """
    height, width = tf.unstack(tf.shape(image)[1:3])
    padded = (image_ops.pad_to_multiple(part, conventions.SIZE_MULTIPLE) for part in (image, mask))
    stages = self._padded_stages(*padded, limits, whole)
    for name, stage in stages.items():
      if name != ATTENTION_SOURCES:
        zoom = self.model_config.scale if name in (conventions.ZOOMED, conventions.REFINED) else 1
        stages[name] = stage[:, : height * zoom, : width * zoom]
    return stages

  def _padded_stages(self, image, mask, limits, whole):
    scale = self.model_config.scale
    known = image * (1.0 - mask)
    filled, _ = self._coarse(tf.concat([known, mask], axis=-1), mask, mask, limits)
    coarse = image_ops.compose(filled, known, mask)
    zoomed = self._zoom_in(coarse, limits)
    mask_hr = image_ops.upscale_nearest(mask, scale)
    needed = None if whole else image_ops.dilate(mask_hr, image_ops.downscale_bicubic_reach(scale))
    residual, sources = self._refine(tf.concat([zoomed, mask_hr], axis=-1), mask_hr, needed, limits)
    refined = zoomed + residual
    zoomed_out = image_ops.downscale_bicubic(refined, scale)
    return {
      conventions.COARSE: coarse,
      conventions.ZOOMED: zoomed,
      conventions.REFINED: refined,
      conventions.ZOOMED_OUT: zoomed_out,
      conventions.RESULT: tf.clip_by_value(image_ops.compose(zoomed_out, known, mask), 0.0, 1.0),
      ATTENTION_SOURCES: sources,
    }

  def _zoom_in(self, coarse, limits):
    config = self.model_config
    if config.zoom == "none":
      return coarse
    zoomed = image_ops.upscale_bicubic(coarse, config.scale)
    return zoomed + self._sr(coarse, limits) if self._sr else zoomed

"""Runs the generator for inference: the values of `ZoomInpainter`, computed only where the hole needs them.

The hole's pixels depend on the whole image through the encoders, the super-resolution network and attention's keys.
The decoders compute only the surroundings of the hole, and attention only the hole's queries. Tiles bound the memory of
everything large (see `fast.tiles`). Tests compare the values with `ZoomInpainter`, and with numbers recorded from the
authors' networks.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.inference.fast.networks import GatedNet
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.fast.networks import SuperResolutionNet
from z2i_tf.inference.fast.networks import weights_in_order
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig

PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}
ATTENTION_SOURCES = "attention_sources"


class Generator(tf.Module):
  """A trained generator for inference.

  The networks compute in float32 or bfloat16. RGB images between them, attention's weights and the last convolution of
  each network are always float32.

  Attributes:
    model_config: of its networks.
    precision: of its networks.
    max_thickness_px: thickness of the holes that it can fill (twice the largest distance to a known pixel).
  """

  def __init__(
    self,
    config: ModelConfig,
    arrays: Mapping[str, np.ndarray],
    precision: str = "float32",
    source: str = "the model",
    max_thickness_px: float = architecture.DEFAULT_MAX_THICKNESS_PX,
  ):
    """Takes a model's weights.

    Args:
      config: of the networks.
      arrays: weights as `model_weights.read_model_file` returns them; those of other networks are ignored.
      precision: "float32" or "bfloat16".
      source: where the arrays come from, for errors.
      max_thickness_px: see the class.
    Raises: InputError that names the source and an array that is missing, left over or of another shape.
    """
    super().__init__()
    self.model_config = config
    self.precision = precision
    self.max_thickness_px = max_thickness_px
    dtype = PRECISIONS[precision]
    shapes = {}
    for name in config.networks:
      shapes.update(architecture.array_shapes(name, architecture.convolutions(name, config)))
    model_weights.check_arrays(arrays, config.networks, shapes, source)

    def weights_of(network):
      return weights_in_order(arrays, network, config)

    self._coarse = GatedNet(weights_of(conventions.COARSE_NET), config.width, dtype, with_attention=False)
    self._sr = None
    if config.zoom == "sr":
      self._sr = SuperResolutionNet(weights_of(conventions.SR_NET), config.scale, dtype)
    self._refine = GatedNet(weights_of(conventions.REFINE_NET), config.width, dtype, with_attention=True)

  def __call__(self, image: tf.Tensor, mask: tf.Tensor, limits: Limits, whole: bool) -> dict[str, tf.Tensor]:
    """Fills the hole.

    Args:
      image: (B, H, W, 3) in [0, 1], of any size; pixels under the hole are ignored.
      mask: (B, H, W, 1), 1 = hole.
      limits: bounds of the memory; ignored by `KerasGenerator`.
      whole: whether to compute `refined` and `zoomed_out` everywhere; otherwise near the hole, which is faster.
        `KerasGenerator` always does.
    Returns: the outputs of `ZoomInpainter`, and "attention_sources": (B, H'*scale/8, W'*scale/8) int32, the sources of
      `attend_hole`; `KerasGenerator` has none. H' and W' are the sides rounded up to multiples of 8.
    """
    height, width = tf.unstack(tf.shape(image)[1:3])
    padded_image, padded_mask = (image_ops.pad_to_multiple(part, conventions.SIZE_MULTIPLE) for part in (image, mask))
    outputs = self._padded_outputs(padded_image, padded_mask, limits, whole)
    for name, output in outputs.items():
      if name != ATTENTION_SOURCES:
        zoom = self.model_config.scale if name in (conventions.ZOOMED, conventions.REFINED) else 1
        outputs[name] = output[:, : height * zoom, : width * zoom]
    return outputs

  def _padded_outputs(self, image, mask, limits, whole):
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

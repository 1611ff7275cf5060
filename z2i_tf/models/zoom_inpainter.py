"""Zoom-to-Inpaint: coarse fill, zoom in, refine, zoom out (paper section 3.1, Figure 1)."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import Model
from z2i_tf.models.architecture import DEEPFILL_V2
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.architecture import ZOOM_INPAINT
from z2i_tf.models.coarse_net import coarse_net
from z2i_tf.models.deepfill_nets import deepfill_coarse_net
from z2i_tf.models.deepfill_nets import deepfill_refinement_net
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import super_resolution_net

# Architecture -> builder of the networks that fill holes, from their width.
COARSE_NETS = {ZOOM_INPAINT: coarse_net, DEEPFILL_V2: deepfill_coarse_net}
REFINEMENT_NETS = {ZOOM_INPAINT: refinement_net, DEEPFILL_V2: deepfill_refinement_net}


class ZoomInpainter(Model):
  """The whole generator.

  Call arguments:
    inputs: dict with
      "image_lr": (B, H, W, 3) in [0, 1]; pixels under the hole are ignored.
      "mask_lr": (B, H, W, 1), 1 = hole. H and W multiples of 8.
    training: whether batch norms use the batch's statistics.
  Returns: dict of `coarse` (B, H, W, 3), `zoomed` and `refined` (B, H*scale, W*scale, 3), `zoomed_out` and `result`
    (B, H, W, 3). Only `result` is clipped to [0, 1].
  """

  def __init__(self, config: ModelConfig, **kwargs: Any):
    """Builds the networks of a configuration with random weights."""
    # Each network casts its own input; images between them stay float32.
    super().__init__(dtype="float32", **kwargs)
    self.model_config = config
    self.coarse_net = COARSE_NETS[config.architecture](config.width)
    self.sr_net = super_resolution_net(config.sr_width, config.scale) if config.zoom == "sr" else None
    self.refinement_net = REFINEMENT_NETS[config.architecture](config.width)
    self.built = True  # Its networks are built; Keras asks before it counts or saves weights.

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments of `from_config`, JSON-compatible; weights are not included."""
    return {"name": self.name, "config": self.model_config.to_dict()}

  @classmethod
  def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "ZoomInpainter":
    """Returns a model with random weights; raises ValueError as `ModelConfig`."""
    del custom_objects  # The configuration contains none.
    return cls(**{**config, "config": ModelConfig(**config["config"])})

  @property
  def networks(self) -> dict[str, Model]:
    """The networks that have weights, by their names in model.npz."""
    networks = {
      conventions.COARSE_NET: self.coarse_net,
      conventions.SR_NET: self.sr_net,
      conventions.REFINE_NET: self.refinement_net,
    }
    return {name: networks[name] for name in self.model_config.networks}

  def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
    mask = inputs[conventions.MASK_LR]
    known = inputs[conventions.IMAGE_LR] * (1.0 - mask)
    coarse = self.coarse_net(tf.concat([known, mask], axis=-1), training=training)
    zoomed = self._zoom_in(coarse, training)
    mask_hr = image_ops.upscale_nearest(mask, self.model_config.scale)
    refined = self.refinement_net(tf.concat([zoomed, mask_hr], axis=-1), training=training)
    zoomed_out = image_ops.downscale_bicubic(refined, self.model_config.scale)
    result = image_ops.compose(zoomed_out, known, mask)
    return {
      conventions.COARSE: coarse,
      conventions.ZOOMED: zoomed,
      conventions.REFINED: refined,
      conventions.ZOOMED_OUT: zoomed_out,
      conventions.RESULT: tf.clip_by_value(result, 0.0, 1.0),
    }

  def _zoom_in(self, coarse, training):
    if self.model_config.zoom == "sr":
      return self.sr_net(coarse, training=training)
    if self.model_config.zoom == "bicubic":
      return image_ops.upscale_bicubic(coarse, self.model_config.scale)
    return coarse

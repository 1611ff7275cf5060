"""Zoom-to-Inpaint: coarse fill, zoom in, refine, zoom out (paper section 3.1, Figure 1)."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import Model
from z2i_tf.models.blocks import check_width
from z2i_tf.models.coarse_net import coarse_net
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import SCALES
from z2i_tf.models.super_resolution_net import super_resolution_net

ZOOMS = ("none", "bicubic", "sr")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """What the generator's networks look like.

  Attributes:
    zoom: "sr" (the paper's network), or the ablations "bicubic" and "none" (identity).
    scale: zoom factor: 1 for "none", otherwise 2, 3 or 4.
    width: of the coarse and the refinement network, even; 64 in the paper.
    sr_width: of the super-resolution network, even; defaults to `width`.
  Raises: ValueError for an unknown zoom, an odd width or a scale that does not go with the zoom.
  """

  zoom: str = "sr"
  scale: int = 2
  width: int = 64
  sr_width: int | None = None

  def __post_init__(self):
    if self.sr_width is None:
      object.__setattr__(self, "sr_width", self.width)
    check_width(self.width)
    check_width(self.sr_width)
    if self.zoom not in ZOOMS:
      raise ValueError(f"Unknown zoom. Expected one of {ZOOMS}. Received: {self.zoom!r}")
    scales = (1,) if self.zoom == "none" else SCALES
    if self.scale not in scales:
      raise ValueError(f"zoom={self.zoom!r} goes with a scale in {scales}. Received: scale={self.scale}")


class ZoomInpainter(Model):
  """The whole generator.

  Call arguments:
    inputs: dict with
      "image_lr": (B, H, W, 3) in [0, 1]; what is under the hole is not looked at.
      "mask_lr": (B, H, W, 1), 1 = hole. H and W multiples of 8.
    training: whether batch norms use the batch's statistics.
  Returns: dict of every stage: `coarse` (B, H, W, 3), `zoomed` and `refined` (B, H*scale, W*scale, 3),
    `zoomed_out` and `result` (B, H, W, 3). Only `result` is clipped to [0, 1].
  """

  def __init__(self, config: ModelConfig, **kwargs):
    # Each network casts its input by itself; images between them stay float32.
    super().__init__(dtype="float32", **kwargs)
    self.model_config = config
    self.coarse_net = coarse_net(config.width)
    self.sr_net = super_resolution_net(config.sr_width, config.scale) if config.zoom == "sr" else None
    self.refinement_net = refinement_net(config.width)
    self.built = True  # As its networks are; Keras asks before it counts or saves weights.

  def get_config(self) -> dict[str, Any]:
    """Returns what `from_config` makes the same model of, without its weights; JSON-compatible."""
    return {"name": self.name, "config": dataclasses.asdict(self.model_config)}

  @classmethod
  def from_config(cls, config: Mapping[str, Any], custom_objects=None) -> "ZoomInpainter":
    """Returns a model with random weights; raises ValueError as `ModelConfig`."""
    del custom_objects  # There are none in it.
    return cls(**{**config, "config": ModelConfig(**config["config"])})

  @property
  def networks(self) -> dict[str, Model]:
    """The networks that have weights, by their names in weight files."""
    networks = {
      conventions.COARSE_NET: self.coarse_net,
      conventions.SR_NET: self.sr_net,
      conventions.REFINE_NET: self.refinement_net,
    }
    return {name: network for name, network in networks.items() if network is not None}

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

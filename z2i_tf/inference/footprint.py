"""What memory inference takes, a model fitted to measurements; and when attention takes more time than the
convolutions.

The largest tensors are the features at high resolution, of the refinement network's first level and of the
super-resolution network's end, so memory follows pixels and widths. How much of them TensorFlow holds at once was
measured on two CPU cores for widths of 16 and 64, scales of 1 to 4 and both precisions; `benchmarks/inference.py`
compares prediction and peak.
"""

import dataclasses
import math
from typing import Dict, NamedTuple

from z2i_tf.layers.hole_attention import MAX_ROWS_PER_QUERY
from z2i_tf.models.zoom_inpainter import ModelConfig


class _Bytes(NamedTuple):
  """Per pixel at high resolution and channel of width."""
  refinement: float
  super_resolution: float
  both: float  # Of the narrower one: what is left of one network when the other has its peak.


_BY_PRECISION: Dict[str, _Bytes] = {"float32": _Bytes(12.0, 13.0, 3.5), "bfloat16": _Bytes(8.3, 10.2, 2.2)}
# RGB images and masks between the networks, per pixel at high resolution.
_RGB_BYTES = 40
# Patches, queries and values of attention, float32, per pixel at high resolution and channel of width; and how many
# copies of the scores there are at once.
_ATTENTION_BYTES = 4
_SCORE_COPIES = 2.5
# Multiply-adds per pixel at high resolution and square of the width (encoder and bottleneck of the refinement network);
# of attention per pair of query and key and width (scores of about 1.5 rows per query, values). There is a query, and
# a key, per 8x8 pixels.
_CONVOLUTION_WORK, _ATTENTION_WORK = 40, 35
_PIXELS_PER_KEY = 64
# Attention may take so much of the convolutions' work; its work grows with the square of the pixels.
_MAX_ATTENTION_SHARE = 1.5
# TensorFlow's threads, graph and compiled convolutions, once something has run.
_IDLE_BYTES = 140e6
# The image, its copy that is filled, and what encoding it takes; and copies of its mask and weights.
_IMAGE_COPIES, _BYTES_PER_MASK_PIXEL = 4, 3


@dataclasses.dataclass(frozen=True)
class Footprint:
  """Memory of one model at one precision.

  Attributes:
    config: of the model.
    precision: "float32" or "bfloat16".
    max_scores: of how many elements attention's score matrix may be at once.
  """
  config: ModelConfig
  precision: str
  max_scores: int

  idle_bytes = int(_IDLE_BYTES)

  def image_bytes(self, image_bytes: int, pixels: int) -> int:
    """Returns what an image, its mask and their copies take, for an image of so many bytes and pixels."""
    return _IMAGE_COPIES * image_bytes + _BYTES_PER_MASK_PIXEL * pixels

  def working_bytes(self, pixels: int) -> int:
    """Returns what evaluating so many pixels, at low resolution, takes at most."""
    keys = self._keys(pixels)
    attention = pixels * self._attention_bytes + min(self._score_bytes, 4 * _SCORE_COPIES * keys**2)
    return math.ceil(max(pixels * self._convolution_bytes, attention))

  def pixels_within(self, size: int) -> int:
    """Returns how many pixels can be evaluated within so many bytes; 0 if none."""
    if size <= 0:
      return 0
    # All scores at once where they are few (a quadratic equation), otherwise as many as there may be.
    per_square, per_pixel = 4 * _SCORE_COPIES * self._keys(1)**2, self._attention_bytes
    few_scores = (math.sqrt(per_pixel**2 + 4 * per_square * size) - per_pixel) / (2 * per_square)
    many_scores = (size - self._score_bytes) / per_pixel
    return math.floor(min(size / self._convolution_bytes, max(few_scores, many_scores)))

  def pixels_worthwhile(self, hole_share: float) -> int:
    """Returns up to how many pixels, of which so many are hole, attention does not take most of the time.

    Args:
      hole_share: above 0, up to 1.
    """
    per_pixel = hole_share * _ATTENTION_WORK / _PIXELS_PER_KEY**2 / self.config.width
    return math.floor(_MAX_ATTENTION_SHARE * _CONVOLUTION_WORK / per_pixel / self.config.scale**2)

  def work(self, pixels: int, hole_pixels: int) -> float:
    """Returns about how many multiply-adds it takes to fill so many of so many pixels, at low resolution."""
    width = self.config.width
    return (_CONVOLUTION_WORK * width**2 * pixels * self.config.scale**2
            + _ATTENTION_WORK * width * self._keys(pixels) * self._keys(hole_pixels))

  def chunk_queries(self, pixels: int) -> int:
    """Returns how many of attention's queries, at least, are evaluated at once in an image of so many pixels."""
    return max(1, int(self.max_scores // (MAX_ROWS_PER_QUERY * self._keys(pixels))))

  def _keys(self, pixels):
    return pixels * self.config.scale**2 / _PIXELS_PER_KEY

  @property
  def _convolution_bytes(self):
    width = self.config.width
    sr_width = self.config.sr_width if self.config.zoom == "sr" else 0
    per_channel = _BY_PRECISION[self.precision]
    return self.config.scale**2 * (
        max(per_channel.refinement * width, per_channel.super_resolution * sr_width)
        + per_channel.both * min(width, sr_width) + _RGB_BYTES)

  @property
  def _attention_bytes(self):
    return self.config.scale**2 * (_ATTENTION_BYTES * self.config.width + _RGB_BYTES)

  @property
  def _score_bytes(self):
    return 4 * _SCORE_COPIES * self.max_scores

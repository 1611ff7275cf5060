"""The coarse and the refinement network of DeepFill-v2 (Yu et al. 2019), from `deepfill_table`.

The networks compute on images in [-1, 1]. Their inputs and outputs are in [0, 1], as for this package's other networks,
so the zoom and every training stage serve both.
"""

from collections.abc import Iterator
from collections.abc import Sequence

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.layers.overlapping_attention import OverlappingAttention
from z2i_tf.models import architecture
from z2i_tf.models import blocks
from z2i_tf.models import deepfill_table
from z2i_tf.models.deepfill_table import GatedRow


def deepfill_coarse_net(width: int) -> Model:
  """Builds the coarse network.

  Input: (B, H, W, 4): RGB in [0, 1] and the mask (1 = hole). H and W multiples of 4. Pixels under the hole are ignored.
  Output: (B, H, W, 3): the fill in [0, 1], pasted into the known pixels.

  Args:
    width: filters of the first convolution, a multiple of 4; 48 in the publication (1,631,151 parameters).
  Raises: ValueError for another width.
  """
  architecture.check_width(width, architecture.DEEPFILL_V2)
  inputs = layers.Input([None, None, 4])
  image, mask = blocks.split_rgb_and_mask(inputs)
  names = _names()
  x = layers.Concatenate()([(2.0 * image - 1.0) * (1.0 - mask), tf.ones_like(mask), mask])
  filled = _rgb(_gated(x, deepfill_table.COARSE, width, names), names)
  return Model(inputs, image_ops.compose(filled, image, mask), name=conventions.COARSE_NET)


def deepfill_refinement_net(width: int) -> Model:
  """Builds the refinement network: one branch with dilated convolutions, one with attention, one decoder.

  Input: (B, H, W, 4): RGB with a first fill, and its mask (1 = hole). H and W multiples of 8.
  Output: (B, H, W, 3) in [0, 1], not pasted.

  Args:
    width: filters of the first convolution, a multiple of 4; 48 in the publication (2,421,327 parameters).
  Raises: ValueError for another width.
  """
  architecture.check_width(width, architecture.DEEPFILL_V2)
  inputs = layers.Input([None, None, 4])
  image, mask = blocks.split_rgb_and_mask(inputs)
  image = 2.0 * image - 1.0
  names = _names()
  invented = _gated(image, deepfill_table.HALLUCINATION, width, names)
  copied = _gated(image, deepfill_table.BEFORE_ATTENTION, width, names)
  mask = image_ops.downscale_nearest_aligned(mask, architecture.BOTTLENECK_SHRINK)
  copied = _gated(OverlappingAttention()([copied, mask]), deepfill_table.AFTER_ATTENTION, width, names)
  merged = layers.Concatenate()([invented, copied])
  filled = _rgb(_gated(merged, deepfill_table.DECODER, width, names), names)
  return Model(inputs, filled, name=conventions.REFINE_NET)


def _names() -> Iterator[str]:
  """Yields the names that give the convolutions their order in model files."""
  return (f"conv{number:02d}" for number in range(100))


def _gated(x: tf.Tensor, rows: Sequence[GatedRow], width: int, names: Iterator[str]) -> tf.Tensor:
  for row in rows:
    x = GatedConv2D(
      int(row.width_factor * width),
      row.dilation_rate,
      row.upscaled,
      row.kernel_px,
      row.stride,
      row.activation,
      name=next(names),
    )(x)
  return x


def _rgb(x: tf.Tensor, names: Iterator[str]) -> tf.Tensor:
  return 0.5 * tf.tanh(blocks.rgb_conv(x, name=next(names))) + 0.5

"""The refinement network: corrects the zoomed image at high resolution (paper sections 3.1.3 and A.3)."""

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.contextual_attention import ContextualAttention
from z2i_tf.models import architecture
from z2i_tf.models import blocks


def refinement_net(width: int) -> Model:
  """Builds the refinement network: the coarse network with a branch of contextual attention at the bottleneck.

  The output is added to the input's RGB (a global residual) and not pasted: known pixels may change, so the caller
  composes the result.

  Input: (B, H, W, 4): zoomed RGB and its mask (1 = hole). H and W multiples of 8.
  Output: (B, H, W, 3), not bounded.

  Args:
    width: channels of the first convolution before its gate, even; 64 in the paper (2,607,843 trainable parameters).
  Raises: ValueError for an odd or non-positive width.
  """
  architecture.check_width(width)
  inputs = layers.Input([None, None, 4])
  image, mask = blocks.split_rgb_and_mask(inputs)
  bottleneck = blocks.apply_levels(inputs, architecture.ENCODER, width)
  filters = architecture.ATTENTION_LEVEL.width_factor * width
  mask = image_ops.downscale_nearest(mask, architecture.BOTTLENECK_SHRINK)
  attended = ContextualAttention(rate=architecture.ATTENTION_RATE)([blocks.gated_block(bottleneck, filters), mask])
  attended = blocks.gated_block(attended, filters)
  merged = blocks.gated_block(layers.Concatenate()([bottleneck, attended]), filters)
  residual = blocks.rgb_conv(blocks.apply_levels(merged, architecture.DECODER, width))
  return Model(inputs, layers.Add(dtype="float32")([image, residual]), name=conventions.REFINE_NET)

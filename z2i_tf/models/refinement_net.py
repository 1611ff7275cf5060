"""The refinement network: corrects the zoomed image at high resolution (paper sections 3.1.3 and A.3)."""

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.contextual_attention import ContextualAttention
from z2i_tf.models import blocks

BOTTLENECK_SHRINK = 4


def refinement_net(width: int) -> Model:
  """Builds the refinement network.

  As the coarse network, with contextual attention beside the bottleneck. The output is added to the input
  RGB (a global residual) and not pasted: known pixels may change, composing is the caller's business.

  Input: (B, H, W, 4): zoomed RGB and its mask (1 = hole). H and W multiples of 8.
  Output: (B, H, W, 3), any value.

  Args:
    width: channels of the first convolution before its gate, even; 64 in the paper (2,607,843
      trainable parameters).
  Raises: ValueError for an odd or non-positive width.
  """
  blocks.check_width(width)
  inputs = layers.Input([None, None, 4])
  image, mask = blocks.split_rgb_and_mask(inputs)
  bottleneck = blocks.encoder(inputs, width)
  attended = _attention_branch(bottleneck, mask, width)
  merged = blocks.gated_block(layers.Concatenate()([bottleneck, attended]), 4 * width)
  residual = blocks.decoder(merged, width)
  return Model(inputs, layers.Add(dtype="float32")([image, residual]), name=conventions.REFINE_NET)


def _attention_branch(bottleneck, mask, width):
  """G(4 width), attention, G(4 width) on bottleneck features (B, H/4, W/4, 2 * width)."""
  mask = image_ops.downscale_nearest(mask, BOTTLENECK_SHRINK)
  features = blocks.gated_block(bottleneck, 4 * width)
  return blocks.gated_block(ContextualAttention()([features, mask]), 4 * width)

"""The coarse network: fills the hole at low resolution (paper sections 3.1.1 and A.1)."""

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.models import architecture
from z2i_tf.models import blocks


def coarse_net(width: int) -> Model:
  """Builds the coarse network.

  Input: (B, H, W, 4): RGB with the hole set to 0, and the mask (1 = hole). H and W multiples of 4.
  Output: (B, H, W, 3): the fill, pasted into the known pixels. Inside the hole values are not bounded.

  Args:
    width: channels of the first convolution before its gate, even; 64 in the paper (1,426,659 trainable parameters).
  Raises: ValueError for an odd or non-positive width.
  """
  architecture.check_width(width)
  inputs = layers.Input([None, None, 4])
  image, mask = blocks.split_rgb_and_mask(inputs)
  x = blocks.apply_levels(inputs, architecture.ENCODER, width)
  filled = blocks.rgb_conv(blocks.apply_levels(x, architecture.DECODER, width))
  return Model(inputs, image_ops.compose(filled, image, mask), name=conventions.COARSE_NET)

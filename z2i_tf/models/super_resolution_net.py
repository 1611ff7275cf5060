"""The super-resolution network: zooms in (paper sections 3.1.2 and A.2, Figure 7)."""

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.models import architecture
from z2i_tf.models import blocks

_INITIALIZER = "glorot_normal"


def super_resolution_net(width: int, scale: int) -> Model:
  """Builds the super-resolution network: a residual on top of bicubic interpolation.

  Input: (B, H, W, 3). Output: (B, H*scale, W*scale, 3), not bounded.

  Args:
    width: channels, even; 64 in the paper (446,659 parameters at scale 2).
    scale: 2, 3 or 4.
  Raises: ValueError for another scale, or an odd or non-positive width.
  """
  architecture.check_width(width)
  if scale not in architecture.SCALES:
    raise ValueError(f"Super-resolution is defined for the scales {architecture.SCALES}. Received: {scale}")
  inputs = layers.Input([None, None, 3])
  x = _conv(inputs, width)
  for _ in range(architecture.RESIDUAL_BLOCKS):
    x = layers.Add()([_conv(_conv(x, width), width), x])
  x = tf.nn.depth_to_space(_conv(x, width * scale**2), scale)
  zoomed = layers.Add(dtype="float32")([blocks.rgb_conv(x, _INITIALIZER), image_ops.upscale_bicubic(inputs, scale)])
  return Model(inputs, zoomed, name=conventions.SR_NET)


def _conv(x, filters):
  return layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=_INITIALIZER)(x)

"""The PatchGAN discriminator with spectral normalisation (paper sections 3.1.3 and A.4, Figure 8)."""

from z2i_tf import conventions
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.spectral_norm import spectral_norm
from z2i_tf.models import architecture as table

_LEAKY_SLOPE = 0.2


def patch_discriminator(width: int, architecture: str = table.ZOOM_INPAINT) -> Model:
  """Builds the discriminator: five 5x5 convolutions with stride 2, each spectrally normalised; six for "deepfill_v2".

  A call with training=True runs one power iteration and rewrites the kernels.

  Input: (B, H, W, 4): RGB and mask (1 = hole), at high resolution.
  Output: (B, ceil(H/32) * ceil(W/32) * 4 * width), one score per patch and channel, float32; 64 in place of
    32 for "deepfill_v2".

  Args:
    width: channels of the first convolution, even; 64 in the paper (4,308,160 trainable parameters).
    architecture: of the generator.
  Raises: ValueError for an odd or non-positive width.
  """
  table.check_width(width)
  inputs = layers.Input([None, None, 4], dtype="float32")
  x = inputs
  for index, conv in enumerate(table.discriminator_convolutions(width, architecture)):
    layer = layers.Conv2D(
      conv.filters,
      conv.kernel_px,
      strides=table.DISCRIMINATOR_STRIDE,
      padding="same",
      name=f"conv{index:02d}",
      dtype="float32",
    )
    x = layers.LeakyReLU(_LEAKY_SLOPE, dtype="float32")(spectral_norm(layer)(x))
  return Model(inputs, layers.Flatten(dtype="float32")(x), name=conventions.DISCRIMINATOR)

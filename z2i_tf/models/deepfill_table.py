"""Describes DeepFill-v2's generator, convolution by convolution; needs no TensorFlow.

Yu et al., "Free-Form Image Inpainting with Gated Convolution", ICCV 2019 (arXiv:1806.03589), section 3 and Figure 3.
Names are those of the variables in the published checkpoints. Widths are multiples of the first convolution's filters
before its gate, 48 in the publication. As everywhere, the order is part of the file format.
"""

import dataclasses
from fractions import Fraction

CHANNELS_IN = 5  # Image, ones, mask.
REFINEMENT_CHANNELS_IN = 3
WIDTH_MULTIPLE = 4  # The last gated convolution has half of the width, and its gate takes half of that.
ATTENTION_BLOCK_RATIO = 2  # Side of the overlapping blocks that attention copies, divided by its rate.


@dataclasses.dataclass(frozen=True)
class GatedRow:
  """A gated convolution, without norm.

  Attributes:
    name: of its variables in published checkpoints, within the generator's scope.
    width_factor: filters before the gate, as a multiple of the network's width.
    kernel_px: side of its kernel.
    stride: of the convolution, pixels.
    dilation_rate: of the convolution.
    upscaled: whether nearest upscaling by 2 precedes it.
    activation: of the features: "elu" or "relu".
  """

  name: str
  width_factor: Fraction = Fraction(4)
  kernel_px: int = 3
  stride: int = 1
  dilation_rate: int = 1
  upscaled: bool = False
  activation: str = "elu"


def _upscaling(name, width_factor):
  return GatedRow(f"{name}/{name}_conv", Fraction(width_factor), upscaled=True)


def _dilated(prefix):
  return tuple(
    GatedRow(f"{prefix}conv{number}_atrous", dilation_rate=rate) for number, rate in ((7, 2), (8, 4), (9, 8), (10, 16))
  )


def _decoder(prefix):
  return (
    GatedRow(f"{prefix}conv11"),
    GatedRow(f"{prefix}conv12"),
    _upscaling(f"{prefix}conv13_upsample", 2),
    GatedRow(f"{prefix}conv14", Fraction(2)),
    _upscaling(f"{prefix}conv15_upsample", 1),
    GatedRow(f"{prefix}conv16", Fraction(1, 2)),
  )


COARSE = (
  GatedRow("conv1", Fraction(1), kernel_px=5),
  GatedRow("conv2_downsample", Fraction(2), stride=2),
  GatedRow("conv3", Fraction(2)),
  GatedRow("conv4_downsample", stride=2),
  GatedRow("conv5"),
  GatedRow("conv6"),
  *_dilated(""),
  *_decoder(""),
)
COARSE_RGB = "conv17"
# The refinement network: a branch that invents, one that copies by attention, and the decoder of both.
HALLUCINATION = (
  GatedRow("xconv1", Fraction(1), kernel_px=5),
  GatedRow("xconv2_downsample", Fraction(1), stride=2),
  GatedRow("xconv3", Fraction(2)),
  GatedRow("xconv4_downsample", Fraction(2), stride=2),
  GatedRow("xconv5"),
  GatedRow("xconv6"),
  *_dilated("x"),
)
BEFORE_ATTENTION = (
  GatedRow("pmconv1", Fraction(1), kernel_px=5),
  GatedRow("pmconv2_downsample", Fraction(1), stride=2),
  GatedRow("pmconv3", Fraction(2)),
  GatedRow("pmconv4_downsample", stride=2),
  GatedRow("pmconv5"),
  GatedRow("pmconv6", activation="relu"),
)
AFTER_ATTENTION = (GatedRow("pmconv9"), GatedRow("pmconv10"))
DECODER = _decoder("all")
REFINEMENT_RGB = "allconv17"

# SN-PatchGAN: six 5x5 convolutions of stride 2; 64 filters in the first.
DISCRIMINATOR_WIDTH_FACTORS = (1, 2, 4, 4, 4, 4)

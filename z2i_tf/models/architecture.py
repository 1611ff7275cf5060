"""Describes the networks in one place; needs no TensorFlow.

The Keras networks, the fast inference, the names and shapes of the arrays in model.npz, and the counts of parameters
and operations all follow from this file. The order of the convolutions is part of the file format: changing it breaks
every saved model.

Paper: sections 3.1 and A.1 to A.4, Figures 7 to 9. `deepfill_table` describes DeepFill-v2's networks, which use the
same zoom.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import enum
from fractions import Fraction
import math
from typing import Any

from z2i_tf import conventions
from z2i_tf.models import deepfill_table

ZOOM_INPAINT, DEEPFILL_V2 = ARCHITECTURES = ("zoom_inpaint", "deepfill_v2")
ZOOMS = ("none", "bicubic", "sr")
SCALES = (2, 3, 4)  # Of a bicubic zoom and of super-resolution.
BATCH_NORM_EPSILON = 1e-3


class Resize(enum.Enum):
  """How a level changes the resolution."""

  NONE = "none"
  HALVE = "halve"  # By 2x2 max-pooling, after the level.
  DOUBLE = "double"  # By nearest upscaling, before the level.


@dataclasses.dataclass(frozen=True)
class Level:
  """Gated convolutions at one resolution. A skip connection leads around all but the first.

  Attributes:
    width_factor: filters of each convolution before its gate, as a multiple of the network's width.
    dilations: dilation rate of each 3x3 convolution.
    resize: how the level changes the resolution.
  """

  width_factor: int
  dilations: tuple[int, ...]
  resize: Resize = Resize.NONE

  @property
  def cell_px(self) -> int:
    """Side of a cell: the smallest square that is whole pixels both before and after the level, at its resolution."""
    return 1 if self.resize is Resize.NONE else 2

  def cells_within(self, reach_px: int) -> int:
    """Returns the number of cells that cover a reach in pixels at the level's resolution."""
    return -(-reach_px // self.cell_px)


# Of the coarse and the refinement network.
ENCODER = (Level(1, (1, 1, 1), Resize.HALVE), Level(2, (1, 1, 1), Resize.HALVE), Level(4, (2, 4, 8)))
DECODER = (Level(2, (1, 1, 1, 1), Resize.DOUBLE), Level(1, (1, 1, 1, 1), Resize.DOUBLE))
BOTTLENECK_SHRINK = 4  # Side of the image divided by the side of the bottleneck's features.

# The refinement network's attention: a gated convolution before it, one after it, and one that merges its output with
# the bottleneck's.
ATTENTION_LEVEL = Level(4, (1, 1, 1))
ATTENTION_RATE = 2  # Features are shrunk by it for the scores, and copied in blocks of this side.
ATTENTION_PATCH_SIDE = 3

# Residual blocks of super-resolution, of two convolutions each.
RESIDUAL_BLOCKS = 4
_SHUFFLE_CONV = 1 + 2 * RESIDUAL_BLOCKS

DISCRIMINATOR_WIDTH_FACTORS = (1, 2, 4, 4, 4)
DISCRIMINATOR_KERNEL_PX = 5
DISCRIMINATOR_STRIDE = 2


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """Configures the generator's networks.

  Attributes:
    zoom: "sr" (the paper's network), or the ablations "bicubic" and "none" (identity).
    scale: zoom factor: 1 for "none", otherwise 2, 3 or 4.
    width: channels of the coarse and the refinement network's first convolution before its gate, even; 64 in the paper.
      A multiple of 4 for "deepfill_v2"; 48 in its publication.
    sr_width: channels of the super-resolution network, even; defaults to `width`.
    architecture: of the coarse and the refinement network: "zoom_inpaint" (paper), or "deepfill_v2", which with zoom
      "none" is DeepFill-v2.
  Raises: ValueError for an unknown zoom or architecture, an odd width or a scale that does not go with the zoom.
  """

  zoom: str = "sr"
  scale: int = conventions.DEFAULT_SCALE
  width: int = 64
  sr_width: int = None  # type: ignore[assignment]  # Becomes `width`.
  architecture: str = ZOOM_INPAINT

  def __post_init__(self):
    if self.sr_width is None:
      object.__setattr__(self, "sr_width", self.width)
    check_architecture(self.architecture)
    check_width(self.width, self.architecture)
    check_width(self.sr_width)
    if self.zoom not in ZOOMS:
      raise ValueError(f"Unknown zoom. Expected one of {ZOOMS}. Received: {self.zoom!r}")
    scales = (1,) if self.zoom == "none" else SCALES
    if self.scale not in scales:
      raise ValueError(f"zoom={self.zoom!r} needs a scale in {scales}. Received: scale={self.scale}")

  def to_dict(self) -> dict[str, Any]:
    """Returns the arguments of the constructor, JSON-compatible; without the architecture if it is the paper's.

    Files of the paper's networks then equal the files of versions without this setting.
    """
    arguments = dataclasses.asdict(self)
    if self.architecture == ZOOM_INPAINT:
      del arguments["architecture"]
    return arguments

  @property
  def networks(self) -> tuple[str, ...]:
    """Names of the networks that have weights, in order of application."""
    return tuple(name for name in _CONVOLUTIONS if name != conventions.SR_NET or self.zoom == "sr")


def default_scale(zoom: str) -> int:
  """Returns the default zoom factor of a zoom in `ZOOMS`."""
  return 1 if zoom == "none" else conventions.DEFAULT_SCALE


# Thickness of the holes, pixels, that networks fill if their model's description states none.
DEFAULT_MAX_THICKNESS_PX = 56.0


def describe(config: ModelConfig, max_thickness_px: float = DEFAULT_MAX_THICKNESS_PX) -> dict[str, Any]:
  """Returns a model file's description of its networks, JSON-compatible.

  Args:
    config: of the networks.
    max_thickness_px: thickness of the holes that they fill (twice the largest distance to a known pixel), at least 1.
  """
  return {"model": config.to_dict(), "max_thickness_px": float(max_thickness_px)}


def read_description(description: Mapping[str, Any]) -> tuple[ModelConfig, float]:
  """Returns the arguments of `describe`; raises KeyError, TypeError or ValueError if they cannot be used."""
  max_thickness_px = float(description.get("max_thickness_px", DEFAULT_MAX_THICKNESS_PX))
  if not 1.0 <= max_thickness_px < math.inf:
    raise ValueError(f"max_thickness_px is {max_thickness_px}, not a finite number of at least 1")
  return ModelConfig(**description["model"]), max_thickness_px


def check_width(width: int, architecture: str = ZOOM_INPAINT) -> None:
  """Raises ValueError unless `width` is a positive even number, and for "deepfill_v2" a multiple of 4."""
  if width < 2 or width % 2:
    raise ValueError(f"A network's width must be a positive even number. Received: {width}")
  if architecture == DEEPFILL_V2 and width % deepfill_table.WIDTH_MULTIPLE:
    raise ValueError(f"The width of deepfill_v2 is a multiple of {deepfill_table.WIDTH_MULTIPLE}. Received: {width}")


def check_architecture(architecture: str) -> None:
  """Raises ValueError unless `architecture` is one of `ARCHITECTURES`."""
  if architecture not in ARCHITECTURES:
    raise ValueError(f"Unknown architecture. Expected one of {ARCHITECTURES}. Received: {architecture!r}")


@dataclasses.dataclass(frozen=True)
class Conv:
  """A 'same' convolution with bias.

  Attributes:
    channels: of its input.
    filters: of its output; of a gated convolution before the gate, which halves them.
    kernel_px: side of its kernel.
    has_batch_norm: whether a gate and a batch norm follow; a gate without a norm has no weights.
    has_spectral_norm: whether its kernel is spectrally normalised.
    output_scale: side of its output divided by the side of the network's input.
  """

  channels: int
  filters: int
  kernel_px: int = 3
  has_batch_norm: bool = False
  has_spectral_norm: bool = False
  output_scale: Fraction = Fraction(1)


def convolutions(network: str, config: ModelConfig) -> tuple[Conv, ...]:
  """Returns the convolutions of one of the generator's networks in order of application."""
  own = _CONVOLUTIONS if config.architecture == ZOOM_INPAINT else _DEEPFILL_CONVOLUTIONS
  return tuple(own.get(network, _CONVOLUTIONS[network])(config))


def discriminator_convolutions(width: int, architecture: str = ZOOM_INPAINT) -> tuple[Conv, ...]:
  """Returns the discriminator's convolutions; `width` is the number of filters of the first."""
  convs, channels = [], 4
  is_own = architecture == ZOOM_INPAINT
  for number, factor in enumerate(
    DISCRIMINATOR_WIDTH_FACTORS if is_own else deepfill_table.DISCRIMINATOR_WIDTH_FACTORS, 1
  ):
    scale = Fraction(1, DISCRIMINATOR_STRIDE**number)
    convs.append(Conv(channels, factor * width, DISCRIMINATOR_KERNEL_PX, has_spectral_norm=True, output_scale=scale))
    channels = factor * width
  return tuple(convs)


def kernel_name(network: str, number: int) -> str:
  """Returns the name of a convolution's kernel in model.npz; the network's convolutions count from 0."""
  return f"{network}/conv{number:02d}/kernel"


# The kernel before super-resolution's pixel shuffle.
SHUFFLE_KERNEL = kernel_name(conventions.SR_NET, _SHUFFLE_CONV)


def array_shapes(network: str, convs: Sequence[Conv]) -> dict[str, tuple[int, ...]]:
  """Returns the name of each array of a network in model.npz with its shape, in order of application.

  The names are `<network>/convNN/{kernel,bias,u}` and `<network>/bnNN/{gamma,beta,mean,var}`.
  """
  shapes: dict[str, tuple[int, ...]] = {}
  for number, conv in enumerate(convs):  # Gated convolutions come first, so their batch norms have the same numbers.
    name = f"{network}/conv{number:02d}"
    shapes[kernel_name(network, number)] = (conv.kernel_px, conv.kernel_px, conv.channels, conv.filters)
    shapes[f"{name}/bias"] = (conv.filters,)
    if conv.has_spectral_norm:
      shapes[f"{name}/u"] = (1, conv.filters)
    if conv.has_batch_norm:
      norm = ("gamma", "beta", "mean", "var")
      shapes.update({f"{network}/bn{number:02d}/{array}": (conv.filters // 2,) for array in norm})
  return shapes


def _encoder_decoder(width: int, with_attention: bool) -> Iterator[Conv]:
  channels, scale = 4, Fraction(1)
  for level in ENCODER:
    for _ in level.dilations:
      yield Conv(channels, level.width_factor * width, has_batch_norm=True, output_scale=scale)
      channels = level.width_factor * width // 2
    if level.resize is Resize.HALVE:
      scale /= 2
  if with_attention:
    filters = ATTENTION_LEVEL.width_factor * width
    for inputs in (channels, filters // 2, channels + filters // 2):
      yield Conv(inputs, filters, has_batch_norm=True, output_scale=scale)
    channels = filters // 2
  for level in DECODER:
    if level.resize is Resize.DOUBLE:
      scale *= 2
    for _ in level.dilations:
      yield Conv(channels, level.width_factor * width, has_batch_norm=True, output_scale=scale)
      channels = level.width_factor * width // 2
  yield Conv(channels, 3, output_scale=scale)


def _super_resolution(width: int, scale: int) -> Iterator[Conv]:
  yield Conv(3, width)
  for _ in range(2 * RESIDUAL_BLOCKS):
    yield Conv(width, width)
  yield Conv(width, width * scale**2)
  yield Conv(width, 3, output_scale=Fraction(scale))


def _deepfill_gated(
  rows: Sequence[deepfill_table.GatedRow], channels: int, width: int, scale: Fraction = Fraction(1)
) -> tuple[list[Conv], int]:
  """Returns the convolutions of consecutive rows, and the channels after the last gate."""
  convs = []
  for row in rows:
    scale = scale * 2 if row.upscaled else scale / row.stride
    convs.append(Conv(channels, int(row.width_factor * width), row.kernel_px, output_scale=scale))
    channels = convs[-1].filters // 2
  return convs, channels


def _deepfill_coarse(config: ModelConfig) -> list[Conv]:
  convs, channels = _deepfill_gated(deepfill_table.COARSE, deepfill_table.CHANNELS_IN, config.width)
  return [*convs, Conv(channels, 3)]


def _deepfill_refinement(config: ModelConfig) -> list[Conv]:
  inputs, small = deepfill_table.REFINEMENT_CHANNELS_IN, Fraction(1, BOTTLENECK_SHRINK)
  invented, channels_invented = _deepfill_gated(deepfill_table.HALLUCINATION, inputs, config.width)
  before, channels = _deepfill_gated(deepfill_table.BEFORE_ATTENTION, inputs, config.width)
  after, channels = _deepfill_gated(deepfill_table.AFTER_ATTENTION, channels, config.width, small)
  decoder, channels = _deepfill_gated(deepfill_table.DECODER, channels_invented + channels, config.width, small)
  return [*invented, *before, *after, *decoder, Conv(channels, 3)]


_CONVOLUTIONS = {
  conventions.COARSE_NET: lambda config: _encoder_decoder(config.width, with_attention=False),
  conventions.SR_NET: lambda config: _super_resolution(config.sr_width, config.scale),
  conventions.REFINE_NET: lambda config: _encoder_decoder(config.width, with_attention=True),
}
_DEEPFILL_CONVOLUTIONS = {conventions.COARSE_NET: _deepfill_coarse, conventions.REFINE_NET: _deepfill_refinement}

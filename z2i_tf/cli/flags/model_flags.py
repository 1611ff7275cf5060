"""Defines the flags of the networks, and reads their configuration."""

from typing import TYPE_CHECKING

from absl import flags

from z2i_tf.cli.flags import flag_readers

if TYPE_CHECKING:
  from z2i_tf.models.architecture import ModelConfig


def define_architecture_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "architecture",
    "zoom_inpaint",
    ["zoom_inpaint", "deepfill_v2"],
    "Coarse and refinement network and discriminator: the paper's, or DeepFill-v2's (published with --width=48 "
    "--discriminator_width=64 --zoom=none).",
    flag_values=values,
  )


def define_model_flags(values: flags.FlagValues) -> None:
  """Defines the flags of the generator's networks."""
  define_architecture_flag(values)
  flags.DEFINE_enum(
    "zoom",
    "sr",
    ["none", "bicubic", "sr"],
    "Method that enlarges the refinement network's input; none and bicubic are the paper's ablations.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "scale", None, "Zoom factor: 2, 3 or 4; 1 with --zoom=none. Default: 2, or 1 with --zoom=none.", flag_values=values
  )
  flags.DEFINE_integer(
    "width",
    64,
    "Width of the coarse and the refinement network: channels of their first convolution, even.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "sr_width", None, "Width of the super-resolution network, even. Default: --width.", flag_values=values
  )


def define_discriminator_width_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_integer(
    "discriminator_width", None, "Width of the discriminator, even. Default: --width.", flag_values=values
  )


def model_config(values: flags.FlagValues) -> "ModelConfig":
  """Returns the ModelConfig of the model flags."""
  from z2i_tf.models.architecture import default_scale
  from z2i_tf.models.architecture import ModelConfig

  scale = default_scale(values.zoom) if values.scale is None else values.scale
  with flag_readers.usage_errors():
    return ModelConfig(values.zoom, scale, values.width, values.sr_width, values.architecture)

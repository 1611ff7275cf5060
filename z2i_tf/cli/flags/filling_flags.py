"""Defines the flags of filling with a model, and builds the settings from them."""

from typing import TYPE_CHECKING

from absl import flags

from z2i_tf.cli.flags import mask_flags
from z2i_tf.errors import InputError
from z2i_tf.inference import bundled_models

if TYPE_CHECKING:
  from z2i_tf.inference.inpaint_files import FillConfig


def define_model_choice_flag(values: flags.FlagValues) -> None:
  """Defines the flag that chooses a trained model."""
  flags.DEFINE_string(
    "model",
    bundled_models.DEFAULT,
    "Name of a bundled model (compact, full); a folder with model.npz, "
    "such as the --work_dir of z2i train, or with a SavedModel of z2i export; or the model of another method, as "
    "ADAPTER:PATH (lama:big-lama.onnx).",
    flag_values=values,
  )


def define_filling_flags(values: flags.FlagValues) -> None:
  """Defines the flags of filling photographs; see `inpaint_files.FillConfig`."""
  flags.DEFINE_bool(
    "native",
    False,
    "Use the networks' own result at full resolution, without pyramid, texture and blending.",
    flag_values=values,
  )
  define_detail_flag(values)
  define_precision_flag(values)


def define_detail_flag(values: flags.FlagValues) -> None:
  """Defines the flag of texture."""
  flags.DEFINE_enum(
    "detail",
    "auto",
    ["auto", "patches", "none"],
    "Texture to copy from around the hole: auto into all but thin holes, patches into all, none into none.",
    flag_values=values,
  )


def define_precision_flag(values: flags.FlagValues) -> None:
  """Defines the flag of the networks' arithmetic."""
  flags.DEFINE_enum(
    "precision",
    None,
    ["float32", "bfloat16"],
    "Arithmetic of the networks. bfloat16 is faster on processors that support it (see z2i doctor), slower on others. "
    "Default: float32, or a SavedModel's own.",
    flag_values=values,
  )


def fill_config(values: flags.FlagValues, verbose: bool = False) -> "FillConfig":
  """Returns the FillConfig of the flags of model, filling and masks; raises InputError if they contradict."""
  if values.native and values["detail"].present:
    raise InputError("--detail has no effect with --native; leave one of them out")
  from z2i_tf.inference.inpaint_files import FillConfig

  return FillConfig(
    values.model, values.precision, values.native, values.detail, mask_flags.mask_options(values), verbose
  )

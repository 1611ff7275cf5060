"""Shared parts of the commands that convert weights of other code to a model folder."""

from collections.abc import Mapping
import os
from typing import TYPE_CHECKING

from absl import flags

from z2i_tf.cli.flags import flag_readers
from z2i_tf.errors import InputError

if TYPE_CHECKING:
  import numpy as np

  from z2i_tf.models.architecture import ModelConfig


def define_output_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("output", None, "Folder for the model, created if missing.", flag_values=values)
  flags.DEFINE_enum(
    "zoom", None, ["none", "bicubic"], "Zoom with which a model without SR network was trained.", flag_values=values
  )
  flags.DEFINE_integer("scale", None, "Zoom factor of a model without SR network.", flag_values=values)


def check_output(values: flags.FlagValues, source_flag: str) -> None:
  """Raises InputError if a flag is missing or the folder cannot be created."""
  flag_readers.require(values, source_flag, "output")
  parent = os.path.dirname(os.path.abspath(values.output))
  if not os.path.isdir(parent):
    raise InputError(f"--output={values.output}: no such folder: {parent}; create it first")


def write_model(
  output: str,
  source: str,
  arrays: Mapping[str, "np.ndarray"],
  config: "ModelConfig",
  disc_width: int | None,
  origin: Mapping[str, str],
) -> None:
  """Writes a model folder and prints a line on its networks.

  Args:
    output: the folder.
    source: where the weights come from, for the error message.
    arrays: weights by name; nothing is written if one does not belong to the networks.
    config: of the generator.
    disc_width: of the discriminator, None if there is none.
    origin: source of the weights, for the model file.
  Raises: InputError if an array is missing, left over or misshapen.
  """
  import numpy as np

  from z2i_tf import conventions
  from z2i_tf.models import architecture
  from z2i_tf.models import model_weights

  networks = {name: architecture.convolutions(name, config) for name in config.networks}
  if disc_width is not None:
    networks[conventions.DISCRIMINATOR] = architecture.discriminator_convolutions(disc_width, config.architecture)
  shapes: dict[str, tuple[int, ...]] = {}
  for name, convs in networks.items():
    shapes.update(architecture.array_shapes(name, convs))
  model_weights.check_arrays(arrays, networks, shapes, source)
  written = {name: np.asarray(arrays[name], np.float32) for name in shapes}
  path = model_weights.write_model_file(output, written, {"model": config.to_dict(), **origin})
  size = f"zoom {config.zoom} x{config.scale}, width {config.width}"
  print(f"{path}: {', '.join(networks)}; {size} ({config.architecture})")

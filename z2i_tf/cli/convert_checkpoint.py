"""Turns a checkpoint written by the authors' training code into a model folder.

Widths and scale are inferred. The folder then serves as --model of `z2i inpaint`.
"""

import dataclasses
import os

from absl import flags

from z2i_tf.cli import flag_groups
from z2i_tf.errors import InputError


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("original", None, "Prefix of the original checkpoint, as folder/ckpt-1500.",
                      flag_values=values)
  flags.DEFINE_string("output", None, "Folder for the model, created if missing.", flag_values=values)
  flags.DEFINE_enum("zoom", None, ["none", "bicubic"], "How a checkpoint without SR network was trained.",
                    flag_values=values)
  flags.DEFINE_integer("scale", None, "Zoom factor of a checkpoint without SR network.", flag_values=values)


def run(values: flags.FlagValues) -> None:
  flag_groups.require(values, "original", "output")
  parent = os.path.dirname(os.path.abspath(values.output))
  if not os.path.isdir(parent):
    raise InputError(f"--output={values.output}: no such folder: {parent}; create it first")

  from z2i_tf import checkpoints
  from z2i_tf import conventions
  from z2i_tf.compat import original_checkpoint
  from z2i_tf.models.patch_discriminator import patch_discriminator
  from z2i_tf.models.zoom_inpainter import ZoomInpainter

  arrays, config, disc_width = original_checkpoint.read_original_checkpoint(
      values.original, values.zoom, values.scale)
  networks = dict(ZoomInpainter(config).networks)
  if disc_width is not None:
    networks[conventions.DISCRIMINATOR] = patch_discriminator(disc_width)
  # Every array must have its place in the networks before anything is written.
  checkpoints.assign_arrays(networks, arrays, values.original)
  path = checkpoints.write_model_file(
      values.output, checkpoints.read_arrays(networks),
      {"model": dataclasses.asdict(config), "converted_from": os.path.basename(values.original)})
  print(f"{path}: {', '.join(networks)}; zoom {config.zoom} x{config.scale}, width {config.width}")

"""Turns a checkpoint written by the authors' training code into a model folder.

Widths and scale are inferred. The folder then serves as --model of `z2i inpaint`.
"""

import os

from absl import flags

from z2i_tf.cli import model_import


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("original", None, "Prefix of the original checkpoint, as folder/ckpt-1500.", flag_values=values)
  model_import.define_output_flags(values)


def run(values: flags.FlagValues) -> None:
  model_import.check_output(values, "original")
  from z2i_tf.compat import original_checkpoint

  arrays, config, disc_width = original_checkpoint.read_original_checkpoint(values.original, values.zoom, values.scale)
  model_import.write_model(
    values.output, values.original, arrays, config, disc_width, {"converted_from": os.path.basename(values.original)}
  )

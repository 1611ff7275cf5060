"""Converts weights that were trained elsewhere to a model folder.

The .npz file holds arrays named `<network>/convNN/{kernel,bias,u}` and `<network>/bnNN/{gamma,beta,mean,var}`, NN in
order of application, for the networks coarse, sr, refine and, if there is one, disc. Infers widths and scale; refuses
arrays that fit nowhere. The folder then serves as --model and --init_*.
"""

import os

from absl import flags

from z2i_tf.cli import model_import


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("weights", None, "The .npz file.", flag_values=values)
  model_import.define_output_flags(values)


def run(values: flags.FlagValues) -> None:
  model_import.check_output(values, "weights")
  from z2i_tf.compat import named_weights

  arrays = named_weights.read_named_weights(values.weights)
  config, disc_width = named_weights.infer_config(arrays, values.weights, values.zoom, values.scale)
  model_import.write_model(
    values.output, values.weights, arrays, config, disc_width, {"imported_from": os.path.basename(values.weights)}
  )

"""Converts a checkpoint of the authors' training code, or of DeepFill-v2's, to a model folder.

Infers widths and scale. The folder then serves as --model of `z2i inpaint`. --from=deepfill_v2 reads the
generator of a published TensorFlow 1 checkpoint by the names of its variables; --zoom=bicubic puts a zoom around it.
"""

import os

from absl import flags

from z2i_tf.cli import model_import

_ZOOM_INPAINT, _DEEPFILL_V2 = "zoom_inpaint", "deepfill_v2"


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "original", None, "Prefix of the original checkpoint, such as folder/ckpt-1500.", flag_values=values
  )
  flags.DEFINE_enum(
    "from",
    _ZOOM_INPAINT,
    [_ZOOM_INPAINT, _DEEPFILL_V2],
    "Code that wrote the checkpoint: Zoom-to-Inpaint's, or DeepFill-v2's of TensorFlow 1.",
    flag_values=values,
  )
  model_import.define_output_flags(values)


def run(values: flags.FlagValues) -> None:
  model_import.check_output(values, "original")
  disc_width = None
  if getattr(values, "from") == _DEEPFILL_V2:
    from z2i_tf.compat import deepfill_checkpoint

    arrays, config = deepfill_checkpoint.read_deepfill_checkpoint(values.original, values.zoom, values.scale)
  else:
    from z2i_tf.compat import original_checkpoint

    arrays, config, disc_width = original_checkpoint.read_original_checkpoint(
      values.original, values.zoom, values.scale
    )
  model_import.write_model(
    values.output, values.original, arrays, config, disc_width, {"converted_from": os.path.basename(values.original)}
  )

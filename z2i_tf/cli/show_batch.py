"""Draws examples as the networks will see them in training: masked input, mask, LR and HR label.

These are the first examples of `z2i train` with the same flags. LR pictures are enlarged to the size of HR.
"""

from absl import flags

from z2i_tf.cli import messages
from z2i_tf.cli.flags import data_flags
from z2i_tf.cli.flags import flag_readers

_TITLES = ("masked input", "mask", "LR", "HR")


def define_flags(values: flags.FlagValues) -> None:
  data_flags.define_source_flags(values)
  data_flags.define_example_flags(values)
  data_flags.define_choice_flags(values)
  data_flags.define_scale_flag(values)
  data_flags.define_bad_image_flag(values)
  flags.DEFINE_integer(
    "first", 0, "Number of the first example in the run.", lower_bound=0, upper_bound=2**48, flag_values=values
  )
  flags.DEFINE_integer("count", 4, "Number of examples.", lower_bound=1, upper_bound=64, flag_values=values)
  flags.DEFINE_string("output", None, "Picture to write; its extension gives the format.", flag_values=values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output")
  from z2i_tf.images import image_files

  image_files.check_writable_file(values.output)
  source = data_flags.open_source(values, values.scale)
  config = data_flags.example_config(values, values.scale)

  from z2i_tf.analyses import picture_sheets
  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets import python_calls
  from z2i_tf.datasets import sources

  sources.check_source(source, config.smallest_cut, messages.warn)
  dataset = pipelines.training_dataset(source, config, 1, values.first, data_flags.bad_images(values))
  with python_calls.reading_errors():
    rows = [_row(batch, values.scale) for batch in dataset.take(values.count)]
  image_files.create_folder_of(values.output)
  image_files.write_rgb(values.output, picture_sheets.draw_sheet(_TITLES, rows))
  print(values.output)


def _row(batch, scale):
  from z2i_tf import conventions
  from z2i_tf import image_ops
  from z2i_tf.analyses import picture_sheets

  lr, hr, mask = (batch[key][0].numpy() for key in (conventions.IMAGE_LR, conventions.IMAGE_HR, conventions.MASK_LR))
  lr, mask = image_ops.to_levels(lr), mask[..., 0].astype("uint8")
  small = [picture_sheets.paint_hole(lr, mask), picture_sheets.paint_hole(0 * lr, mask), lr]
  return [picture.repeat(scale, 0).repeat(scale, 1) for picture in small] + [image_ops.to_levels(hr)]

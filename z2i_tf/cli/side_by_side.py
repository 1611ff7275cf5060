"""Draws the results of several methods beside each other (the paper's Figures 4, 14 and 15).

Reads only a folder of z2i evaluate --save_results. Each test set gets a sheet: input, the methods with their PSNR,
original. --names chooses the images, or --seed draws them at random; scores play no part. Also writes tables.md and
side_by_side.json.
"""

from absl import flags

from z2i_tf.cli.flags import analysis_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import seed_and_size_flags
from z2i_tf.errors import InputError


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_list("names", [], "Names of images, without extension. Default: --count at random.", flag_values=values)
  analysis_flags.define_run_flags(values)
  seed_and_size_flags.define_seed_flag(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "run", "output_dir")
  if values.names and (values["count"].present or values["seed"].present):
    raise InputError("--names says which images are shown; leave out --count and --seed")
  from z2i_tf.analyses import records
  from z2i_tf.analyses import side_by_side
  from z2i_tf.analyses import tables
  from z2i_tf.analyses.side_by_side import RunFolder
  from z2i_tf.images import image_files

  evaluated = RunFolder(values.run)
  test_sets = evaluated.chosen_test_sets(values.test_sets)
  methods = evaluated.chosen_methods(values.methods)
  if values.names:
    chosen = {name: side_by_side.named_images(evaluated, name, values.names) for name in test_sets}
    settings, what = {"names": values.names}, "chosen images"
  else:
    chosen = {name: side_by_side.random_images(evaluated, name, values.count, values.seed) for name in test_sets}
    settings, what = {"count": values.count, "seed": values.seed}, "images drawn at random"
  image_files.create_folder(values.output_dir)
  records.check_folder_is_free(values.output_dir, side_by_side.SIDE_BY_SIDE)
  for table in side_by_side.write(
    values.output_dir, side_by_side.SIDE_BY_SIDE, evaluated, chosen, methods, values.zoom_crop, settings, what
  ):
    print(tables.to_text(table) + "\n")
  print(values.output_dir)

"""Draws the images with the largest holes, where methods fail (the paper's Figure 12).

Reads only a folder of z2i evaluate --save_results. Each test set gets a sheet (input, the methods with their PSNR,
original) and a table of hole ratio, PSNR and PSNR over the hole, beside the means of the whole test set. Also writes
tables.md and failures.json.
"""

from absl import flags

from z2i_tf.cli.flags import analysis_flags
from z2i_tf.cli.flags import flag_readers


def define_flags(values: flags.FlagValues) -> None:
  analysis_flags.define_run_flags(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "run", "output_dir")
  from z2i_tf.analyses import records
  from z2i_tf.analyses import side_by_side
  from z2i_tf.analyses import tables
  from z2i_tf.analyses.side_by_side import RunFolder
  from z2i_tf.images import image_files

  evaluated = RunFolder(values.run)
  methods = evaluated.chosen_methods(values.methods)
  chosen = {
    name: side_by_side.images_with_largest_holes(evaluated, name, values.count)
    for name in evaluated.chosen_test_sets(values.test_sets)
  }
  image_files.create_folder(values.output_dir)
  records.check_folder_is_free(values.output_dir, side_by_side.FAILURES)
  for table in side_by_side.write(
    values.output_dir,
    side_by_side.FAILURES,
    evaluated,
    chosen,
    methods,
    values.zoom_crop,
    {"count": values.count},
    "images with the largest holes",
  ):
    print(tables.to_text(table) + "\n")
  print(values.output_dir)

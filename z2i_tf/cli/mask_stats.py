"""Draws random masks of several kinds and measures their holes (the paper's Table 4 and Figure 3).

Writes a sheet of examples, a histogram of the hole ratio, tables.md and mask_statistics.json. Mask i of a kind is mask
i of z2i masks with the same kind, size and seed.
"""

from absl import flags

from z2i_tf.cli.flags import analysis_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags
from z2i_tf.cli.flags import seed_and_size_flags


def define_flags(values: flags.FlagValues) -> None:
  mask_flags.define_kinds_flag(values)
  flags.DEFINE_integer("count", 10_000, "Number of masks of each kind.", lower_bound=1, flag_values=values)
  seed_and_size_flags.define_size_flag(values)
  seed_and_size_flags.define_seed_flag(values)
  analysis_flags.define_analysis_folder_flag(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output_dir")
  kinds = mask_flags.mask_kinds(values)
  height, width = seed_and_size_flags.size(values)
  from z2i_tf.analyses import charts
  from z2i_tf.analyses import mask_statistics
  from z2i_tf.analyses import records
  from z2i_tf.analyses import tables
  from z2i_tf.images import image_files

  charts.require_matplotlib()
  image_files.create_folder(values.output_dir)
  records.check_folder_is_free(values.output_dir, mask_statistics.ANALYSIS)
  drawn = {kind: mask_statistics.draw(kind, values.count, height, width, values.seed) for kind in kinds}
  for table in mask_statistics.write(values.output_dir, drawn, height, width, values.seed):
    print(tables.to_text(table) + "\n")
  print(values.output_dir)

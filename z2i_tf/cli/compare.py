"""Compares two evaluations image by image: B minus A, with a bootstrap confidence interval of the mean.

A and B are folders of z2i evaluate, or the records in them, of the same images and masks. Shows differences
over all images and for each size of hole.
"""

from absl import flags

from z2i_tf.cli.flags import seed_and_size_flags
from z2i_tf.errors import InputError

ARGUMENTS = ("A", "B")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_list(
    "methods",
    None,
    "A method of A and a method of B, as A_NAME,B_NAME. Default: the only model of each.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "metrics", None, "Metrics to compare, such as PSNR,SSIM. Default: all that both have.", flag_values=values
  )
  flags.DEFINE_float(
    "confidence", 0.95, "Confidence level of the intervals.", lower_bound=0.5, upper_bound=0.9999, flag_values=values
  )
  flags.DEFINE_integer(
    "resamples", 10_000, "Number of bootstrap resamples.", lower_bound=100, upper_bound=10_000_000, flag_values=values
  )
  seed_and_size_flags.define_seed_flag(values)


def run(values: flags.FlagValues, first: str, second: str) -> None:
  from z2i_tf.analyses import paired_tables
  from z2i_tf.analyses import records
  from z2i_tf.analyses import tables

  paths = [records.scores_file(path) for path in (first, second)]
  found = [records.read_scores(path) for path in paths]
  paired_tables.check_same_test_sets(paths, found)
  if values.methods is not None and len(values.methods) != 2:
    raise InputError(f"--methods={','.join(values.methods)}: two are needed, one of {first} and one of {second}")
  names = [
    paired_tables.choose_method(path, record, values.methods[index] if values.methods else None)
    for index, (path, record) in enumerate(zip(paths, found))
  ]
  made = paired_tables.paired_tables(found, names, values.metrics, values.confidence, values.resamples, values.seed)
  print("\n\n".join(map(tables.to_text, made)))

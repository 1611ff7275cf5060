"""Runs z2i evaluate on many workers through Apache Beam; the record is the same.

Every worker must reach the test set and --output_dir under the same path.

Flags after -- are Beam's, such as --runner=FlinkRunner; without them the pipeline runs on this machine.
"""

from absl import flags

from z2i_tf.cli import evaluate
from z2i_tf.cli.flags import beam_flags
from z2i_tf.cli.flags import flag_readers

PASSED_ON = beam_flags.PASSED_ON
HEADINGS = evaluate.HEADINGS


def define_flags(values: flags.FlagValues) -> None:
  evaluate.define_flags(values)


def run(values: flags.FlagValues, passed_on: list[str]) -> bool:
  """Returns whether a metric was left out."""
  flag_readers.require(values, "output_dir")
  options = beam_flags.options(passed_on)
  config = evaluate.evaluation_config(values)
  from z2i_tf.beam.evaluate import evaluate as evaluate_by_beam

  return evaluate.report(values, evaluate_by_beam(config, options, print))

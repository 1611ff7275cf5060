"""Runs z2i prepare on many workers through Apache Beam; the shards are the same.

Every worker must reach --data_dir and --output_dir under the same path. The same command,
or z2i prepare, continues an interrupted run.

Flags after -- are Beam's, such as --runner=FlinkRunner; without them the pipeline runs on this machine.
"""

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli import messages
from z2i_tf.cli import prepare
from z2i_tf.cli.flags import beam_flags
from z2i_tf.cli.flags import data_flags
from z2i_tf.cli.flags import flag_readers

PASSED_ON = beam_flags.PASSED_ON


def define_flags(values: flags.FlagValues) -> None:
  prepare.define_flags(values)


def run(values: flags.FlagValues, passed_on: list[str]) -> None:
  flag_readers.require(values, "output_dir")
  options = beam_flags.options(passed_on)
  from z2i_tf.beam.prepare import prepare as prepare_by_beam
  from z2i_tf.beam.prepare import PrepareConfig
  from z2i_tf.images import image_files

  source = data_flags.open_source(values, conventions.DEFAULT_SCALE)
  folder = image_files.create_folder(values.output_dir)
  config = PrepareConfig(
    values.source,
    values.data_dir,
    data_flags.split(values),
    conventions.DEFAULT_SCALE,
    values.output_dir,
    values.tile_size,
    values.shards,
    values.on_bad_image == "fail",
  )
  prepare.report(values, len(source), folder, prepare_by_beam(config, prepare.origin(values), options, messages.warn))

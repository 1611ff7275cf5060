"""Flags of Apache Beam, which the user gives after "--"."""

import logging
from typing import TYPE_CHECKING

from z2i_tf.errors import InputError

if TYPE_CHECKING:
  from apache_beam.options.pipeline_options import PipelineOptions

# How a command's usage names them.
PASSED_ON = "BEAM'S FLAGS"


def options(passed_on: list[str]) -> "PipelineOptions":
  """Returns Beam's options; raises InputError for a flag that Beam does not know, or without Beam."""
  # Silences Beam's log; failures are reported as errors.
  logging.basicConfig(level=logging.CRITICAL)
  try:
    import apache_beam
  except ImportError as error:
    raise InputError("this command needs Apache Beam: pip install 'z2i_tf[beam]'") from error
  del apache_beam
  from z2i_tf.beam import pipelines

  return pipelines.options_of(passed_on)

"""Fills the holes of photographs with an Apache Beam pipeline, on many machines and any file system that Beam supports.

Writes the same files as z2i inpaint. A photograph that cannot be filled does not stop the pipeline: the file
failures-00000-of-00001.jsonl in the output folder lists it with the reason.

Flags after -- are Beam's, such as --runner=FlinkRunner; without them the pipeline runs on this machine. Every worker
needs z2i_tf, and the model under the name that --model gives.
"""

import time

from absl import flags

from z2i_tf.cli import messages
from z2i_tf.cli.flags import beam_flags
from z2i_tf.cli.flags import filling_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags

PASSED_ON = beam_flags.PASSED_ON


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "images",
    None,
    "Pattern of the images, such as 'gs://bucket/photos/*.jpg', or their folder. ** also matches folders; the "
    "results keep them.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "masks",
    None,
    "Pattern of their masks, or their folder, white = hole; or one file: the mask of all images.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "output", None, "Folder for the results, which keep the names and formats of their images.", flag_values=values
  )
  mask_flags.define_mask_suffix_flag(values)
  flags.DEFINE_bool("resume", False, "Skip images whose result exists.", flag_values=values)
  mask_flags.define_mask_reading_flags(values)
  filling_flags.define_model_choice_flag(values)
  filling_flags.define_filling_flags(values)


def run(values: flags.FlagValues, passed_on: list[str]) -> bool:
  """Returns whether an image failed."""
  flag_readers.require(values, "images", "masks", "output")
  options = beam_flags.options(passed_on)
  from z2i_tf.beam import inpaint

  started = time.monotonic()
  config = inpaint.InpaintConfig(
    values.images, values.masks, values.output, filling_flags.fill_config(values), values.mask_suffix, values.resume
  )
  counts = inpaint.inpaint(config, options, messages.with_flags)
  failed = f", {counts.failed} failed (see {inpaint.FAILURES}-*)" if counts.failed else ""
  reported = counts.reported
  if reported is None:
    print(f"done; this runner does not report how many images were inpainted{failed}: {values.output}")
    return bool(counts.failed)
  left_out = " is not an image" if reported.left_out == 1 else "s are not images"
  print(
    f"{reported.filled} of {reported.filled + reported.already_there + counts.failed} images inpainted"
    + (f", {reported.already_there} already there" if reported.already_there else "")
    + failed
    + (f", {reported.left_out} file{left_out}" if reported.left_out else "")
    + f": {values.output}"
  )
  if reported.filled:
    seconds = time.monotonic() - started
    print(f"{seconds:.1f} s, {seconds / reported.filled:.2f} s per image")
  return bool(counts.failed)

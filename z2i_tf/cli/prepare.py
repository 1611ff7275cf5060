"""Converts a data set to tiles, so that training decodes only the tiles of a crop (--source=tfrecord).

Large images become lossless tiles. Small images stay as they are. The same command continues an interrupted run.
"""

from collections.abc import Mapping
import os
from typing import Any

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli.flags import data_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.datasets.open_source import expanded
from z2i_tf.errors import InputError


def define_flags(values: flags.FlagValues) -> None:
  data_flags.define_source_flags(values, with_prepared=False)
  flags.DEFINE_string("output_dir", None, "Folder for the records, created if missing.", flag_values=values)
  flags.DEFINE_integer(
    "tile_size",
    128,
    "Side of the tiles, pixels. Images with no more pixels than 16 tiles stay as they are.",
    lower_bound=16,
    upper_bound=16383,
    flag_values=values,
  )
  flags.DEFINE_integer("shards", 16, "Number of files.", lower_bound=1, upper_bound=99_999, flag_values=values)
  data_flags.define_bad_image_flag(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output_dir")
  from z2i_tf.cli.progress import progress
  from z2i_tf.images import image_files

  source = data_flags.open_source(values, conventions.DEFAULT_SCALE)
  folder = image_files.create_folder(values.output_dir)
  from z2i_tf.datasets import tiled_records
  from z2i_tf.datasets.sources import EncodedSource

  assert isinstance(source, EncodedSource)  # The flag does not offer tiled records.
  with progress(len(source), "image") as advance:
    manifest = tiled_records.write_tiled_records(
      source, values.output_dir, origin(values), values.tile_size, values.shards, data_flags.bad_images(values), advance
    )
  report(values, len(source), folder, manifest)


def origin(values: flags.FlagValues) -> dict[str, str | None]:
  """Returns the description of the data set for the manifest."""
  data_dir = expanded(values.data_dir)
  return {
    "source": values.source,
    "split": data_flags.split(values),
    "data_dir": data_dir and os.path.realpath(data_dir),
  }


def report(values: flags.FlagValues, image_count: int, folder: str, manifest: Mapping[str, Any]) -> None:
  """Prints the counts and the folder.

  Args:
    values: of the flags.
    image_count: number of images of the data set.
    folder: name of the output folder.
    manifest: content of `dataset.json`.
  Raises: InputError if there is no image.
  """
  count = sum(shard["records"] for shard in manifest["shards"])
  if not count:
    raise InputError(f"{values.output_dir}: none of the {image_count} images can be read")
  print(f"{count} images in {len(manifest['shards'])} files in {folder}, {len(manifest['skipped'])} skipped")

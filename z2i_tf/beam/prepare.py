"""Writes the shards of `z2i prepare` in parallel, with the same pixels.

Records name their images by absolute paths; those of `z2i prepare` by the paths it was given.

Every worker must reach the images and the output folder under the same path. A worker leaves the manifest's entry of a
shard beside it; when all shards are written, this process joins the entries and removes them. An interrupted run
continues with the shards that have no entry.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
import json
import os
from typing import Any

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from z2i_tf.beam import pipelines
from z2i_tf.datasets import tiled_records
from z2i_tf.datasets.open_source import expanded
from z2i_tf.datasets.open_source import open_source
from z2i_tf.datasets.sources import BadImages
from z2i_tf.errors import InputError
from z2i_tf.system import input_files
from z2i_tf.system.atomic_files import atomic_write


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
  """Settings of a pipeline.

  Attributes:
    source: kind of data set, as in `open_source`.
    data_dir: as in `open_source`.
    split: as in `open_source`.
    scale: as in `open_source`.
    folder: existing folder for the shards.
    tile_size: side of the tiles, pixels.
    shard_count: number of files, at most the number of images.
    fail: whether an unusable image ends the run.
  """

  source: str
  data_dir: str | None
  split: str | None
  scale: int
  folder: str
  tile_size: int
  shard_count: int
  fail: bool = False


def prepare(
  config: PrepareConfig, origin: Mapping[str, Any], options: PipelineOptions, say: Callable[[str], None]
) -> dict[str, Any]:
  """Fills a folder as `tiled_records.write_tiled_records`; continues an interrupted run of either command.

  Args:
    config: settings.
    origin: as in `write_tiled_records`.
    options: of Beam.
    say: receives one line for each skipped image, up to a limit.
  Returns: the content of `dataset.json`.
  Raises: InputError as `write_tiled_records`, and if the pipeline fails.
  """
  data_dir = expanded(config.data_dir)
  config = dataclasses.replace(
    config, data_dir=data_dir and os.path.abspath(data_dir), folder=os.path.abspath(config.folder)
  )
  bad_images = BadImages(config.fail, say)
  with tiled_records.locked(config.folder):
    source = _open(config)
    records = tiled_records.Records(source, config.folder, origin, config.tile_size, config.shard_count)
    written, count = len(records.manifest["shards"]), len(records.shards)
    done = {number for number in range(written, count) if os.path.exists(records.entry_path(number))}
    _report(bad_images, records.manifest["skipped"])
    for number in sorted(done):
      _report(bad_images, _read_entry(records.entry_path(number))["skipped"])
    with records.writing():
      records.remove_leftovers(written)
      records.write_manifest()
      left = [number for number in range(written, count) if number not in done]
      pipelines.run(functools.partial(_build, config=config, left=left, records=records), options)
      for number in range(written, count):
        entry = _read_entry(records.entry_path(number))
        records.add(number, entry["records"], entry["skipped"], entry["bytes"])
      records.write_manifest()
      records.remove_leftovers(count)
  _report(bad_images, records.manifest["skipped"])
  return records.manifest


def _report(bad_images, skipped):
  for message in skipped:
    bad_images.report(message, InputError(message))


def _build(pipeline, config, left, records):
  shards = [
    (records.shards[number], os.path.join(config.folder, records.shard_name(number)), records.entry_path(number))
    for number in left
  ]
  write = _WriteShard(config, records.manifest["settings"]["content"])
  pipeline | apache_beam.Create(shards) | apache_beam.Reshuffle() | "write shards" >> apache_beam.ParDo(write)


def _open(config):
  return open_source(config.source, config.data_dir, config.split, config.scale)


def _read_entry(path):
  try:
    entry = input_files.read_json(path)
    return {"records": int(entry["records"]), "skipped": list(map(str, entry["skipped"])), "bytes": int(entry["bytes"])}
  except (ValueError, TypeError, KeyError) as error:
    raise InputError(f"{path}: damaged ({error}); remove it and run the same command again") from error


class _WriteShard(apache_beam.DoFn):
  """Writes a shard and its entry; opens the data set once per process."""

  def __init__(self, config, content):
    self._config, self._content, self._shared = config, content, Shared()

  def setup(self):
    self._source = self._shared.acquire(functools.partial(_open, self._config))
    if self._source.fingerprint() != self._content:
      raise InputError(f"{self._config.data_dir}: this worker finds other images there")

  def process(self, shard):
    indices, path, entry_path = shard
    records, skipped = tiled_records.write_shard(
      self._source, indices, path, self._config.tile_size, BadImages(self._config.fail, lambda _: None)
    )
    with atomic_write(entry_path) as file:
      file.write(json.dumps({"records": records, "skipped": skipped, "bytes": os.path.getsize(path)}).encode())
    pipelines.count("images", records)
    pipelines.count("skipped", len(skipped))

"""Images in lossless tiles, so that a crop decodes only the tiles it touches: TFRecord shards of `z2i prepare`.

The format is our own. A record is a tf.train.Example with "name", "height" and "width" of the upright image,
"tile_size", and "tiles", the tiles of `pictures.encode_tiles`. Small images, such as those of Places2, decode quickly:
their "tile_size" is 0, and "tiles" holds the original file. `dataset.json` lists the shards, their origin, and whether
they are complete.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import glob
import json
import os
from typing import Any

import tensorflow as tf

from z2i_tf.datasets.pictures import DecodedPicture
from z2i_tf.datasets.pictures import encode_tiles
from z2i_tf.datasets.pictures import Picture
from z2i_tf.datasets.pictures import TiledPicture
from z2i_tf.datasets.sources import BadImages
from z2i_tf.datasets.sources import EncodedSource
from z2i_tf.datasets.sources import fingerprint
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.datasets.sources import naming
from z2i_tf.datasets.tfrecord import file_size
from z2i_tf.datasets.tfrecord import RecordFile
from z2i_tf.datasets.tfrecord import RecordShards
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.system import input_files
from z2i_tf.system.atomic_files import atomic_write
from z2i_tf.system.atomic_files import TEMPORARY_SUFFIX
from z2i_tf.system.folder_lock import locked_folder
from z2i_tf.system.parallel import map_in_order

MANIFEST_FILE = "dataset.json"
_LOCK_FILE = "prepare.lock"
# Suffix of the file with a shard's manifest entry, written beside the shard.
_ENTRY = ".json"
_VERSION = 1
# Maximum number of records in one file.
_MAX_RECORDS = 2**40
# Maximum number of tiles of an image that keeps its original file.
_MAX_TILES_KEPT_WHOLE = 16


class TiledRecordsSource(ImageSource):
  """Images of a folder that `write_tiled_records` filled."""

  def __init__(self, folder: str):
    """Opens the folder; raises InputError if it is no such folder, is incomplete, or lacks a file."""
    manifest = _read_manifest(folder)
    if manifest is None:
      raise InputError(f"{folder}: no {MANIFEST_FILE} in it; z2i prepare makes such folders")
    if not manifest["complete"]:
      raise InputError(f"{folder}: z2i prepare was interrupted here; run the same command again")
    self._folder, self._content = folder, manifest["settings"]["content"]
    runs = []
    for shard in manifest["shards"]:
      path = os.path.join(folder, shard["file"])
      if file_size(path) != shard["bytes"]:
        raise InputError(
          f"{path}: {file_size(path)} bytes, not {shard['bytes']}; remove its folder and prepare it again"
        )
      runs.append((RecordFile(path, shard["records"]), 0, shard["records"]))
    self._records = RecordShards(runs)
    if not len(self._records):
      raise InputError(f"{folder}: no usable image came out of z2i prepare")

  def __len__(self) -> int:
    return len(self._records)

  def name(self, index: int) -> str:
    return f"{self._folder}, record {index}"

  def fingerprint(self) -> str:
    """Returns the number of images and a hash that identifies the data set they come from."""
    return fingerprint(len(self), [self._content.encode()])

  def header(self, index: int, decode: bool = False) -> image_files.Header:
    parts = name, (height, width), tile_size, tiles = self._parts(index)
    if decode:
      _picture(*parts).crop(0, 0, height, width)
    if tile_size == 0:
      return image_files.read_header(name, tiles[0])
    return image_files.Header(height, width, "RGB", is_turned=False)

  def open(self, index: int) -> Picture:
    return _picture(*self._parts(index))

  def _parts(self, index):
    with naming(self.name(index)):
      feature = tf.train.Example.FromString(self._records[index]).features.feature
      integers = [feature[key].int64_list.value[0] for key in ("height", "width", "tile_size")]
      tiles = feature["tiles"].bytes_list.value
      name = f"{self.name(index)} ({feature['name'].bytes_list.value[0].decode(errors='backslashreplace')})"
      if min(integers[:2]) < 1 or integers[2] < 0 or not tiles:
        raise ValueError("impossible sizes")
      return name, tuple(integers[:2]), integers[2], tiles


def _picture(name, shape, tile_size, tiles):
  if tile_size == 0:
    return DecodedPicture(image_files.read_rgb(name, tiles[0]))
  return TiledPicture(name, shape, tile_size, tiles)


def write_tiled_records(
  source: EncodedSource,
  folder: str,
  origin: Mapping[str, Any],
  tile_size: int,
  shard_count: int,
  bad_images: BadImages,
  advance: Callable[[], None],
) -> dict[str, Any]:
  """Fills a folder with the images of a source; continues an interrupted call.

  Decodes every image, on all cores, and reports unusable ones to `bad_images`. Writes each shard atomically.

  Args:
    source: of the images.
    folder: exists.
    origin: description of the source, JSON-compatible; a folder with another origin raises.
    tile_size: side of the tiles, pixels.
    shard_count: number of files, at most the number of images.
    bad_images: skips unusable images, or raises.
    advance: called once per image.
  Returns: the content of `dataset.json`.
  Raises: InputError if the folder holds other images, cannot be written or is locked by another process, or if
    `bad_images` raises for an image of this or an earlier call.
  """
  with locked(folder):
    return _fill(source, folder, origin, tile_size, shard_count, bad_images, advance)


def locked(folder: str) -> contextlib.AbstractContextManager[None]:
  """Locks a folder while it is being filled; raises InputError if another process holds it."""
  return locked_folder(folder, _LOCK_FILE, "another z2i prepare is writing here; wait for it")


def _fill(source, folder, origin, tile_size, shard_count, bad_images, advance):
  records = Records(source, folder, origin, tile_size, shard_count)
  for message in records.manifest["skipped"]:
    bad_images.report(message, InputError(message))
  with records.writing():
    records.remove_leftovers(len(records.shards))
    for number, indices in enumerate(records.shards):
      if number < len(records.manifest["shards"]):
        for _ in indices:
          advance()
        continue
      path = os.path.join(folder, records.shard_name(number))
      records.add(number, *write_shard(source, indices, path, tile_size, bad_images, advance), os.path.getsize(path))
      records.write_manifest()
  return records.manifest


class Records:
  """The folder of `write_tiled_records` while it is being filled.

  Attributes:
    manifest: content of `dataset.json`, with the shards written so far.
    shards: indices of the images of each shard.
  """

  def __init__(self, source: EncodedSource, folder: str, origin: Mapping[str, Any], tile_size: int, shard_count: int):
    """Reads the manifest, if there is one; arguments and errors as `write_tiled_records`."""
    count = min(shard_count, len(source))
    self.shards = [range(*(len(source) * end // count for end in (number, number + 1))) for number in range(count)]
    self._folder = folder
    settings = {**origin, "content": source.fingerprint(), "tile_size": tile_size, "shards": count}
    self.manifest = _read_manifest(folder) or {
      "version": _VERSION,
      "settings": settings,
      "shards": [],
      "skipped": [],
      "complete": False,
    }
    former = self.manifest["settings"]
    changed = sorted(key for key in settings if former.get(key) != settings[key])
    if changed:
      raise InputError(
        f"{folder}: was prepared from other images or settings ({', '.join(changed)} differ); give another folder"
      )

  def shard_name(self, number: int) -> str:
    """Returns the name of a shard's file."""
    return f"images-{number:05d}-of-{len(self.shards):05d}.tfrecord"

  def add(self, number: int, records: int, skipped: Sequence[str], size_bytes: int) -> None:
    """Adds the next shard to the manifest after it was written.

    Args:
      number: of the shard.
      records: number of its records.
      skipped: error of each skipped image.
      size_bytes: of its file.
    """
    self.manifest["shards"].append({"file": self.shard_name(number), "records": records, "bytes": size_bytes})
    self.manifest["skipped"] += skipped
    self.manifest["complete"] = number + 1 == len(self.shards)

  def write_manifest(self) -> None:
    """Writes `dataset.json` atomically."""
    with atomic_write(os.path.join(self._folder, MANIFEST_FILE)) as file:
      file.write((json.dumps(self.manifest, indent=2) + "\n").encode())

  def entry_path(self, number: int) -> str:
    """Returns the path where another process that writes a shard leaves its manifest entry."""
    return os.path.join(self._folder, self.shard_name(number) + _ENTRY)

  def remove_leftovers(self, count: int) -> None:
    """Removes the temporary files of a killed process, and the entries of the first `count` shards."""
    for number in range(count):
      with contextlib.suppress(FileNotFoundError):
        os.unlink(self.entry_path(number))
    for name in ("images-*.tfrecord*", MANIFEST_FILE):
      for leftover in glob.glob(os.path.join(glob.escape(self._folder), f"{name}.*{TEMPORARY_SUFFIX}")):
        os.unlink(leftover)

  @contextlib.contextmanager
  def writing(self) -> Iterator[None]:
    """Turns errors of writing into an InputError that names the folder."""
    try:
      yield
    except (OSError, tf.errors.OpError) as error:
      raise InputError(f"{self._folder}: cannot be written: {error}; run the same command again to continue") from error


def write_shard(
  source: EncodedSource,
  indices: Iterable[int],
  path: str,
  tile_size: int,
  bad_images: BadImages,
  advance: Callable[[], None] = lambda: None,
) -> tuple[int, list[str]]:
  """Writes one shard atomically.

  Args:
    source: of the images.
    indices: of the images of the shard.
    path: of the shard.
    tile_size, bad_images, advance: as in `write_tiled_records`.
  Returns: its number of records, and the error of each skipped image.
  """

  def record(index):
    try:
      return _record(source, index, tile_size), None
    except InputError as error:
      bad_images.report(str(error), error)
      return None, str(error).encode(errors="backslashreplace").decode()

  count, skipped = 0, []
  with atomic_write(path) as file:
    with tf.io.TFRecordWriter(file.name) as writer:
      for serialized, wrong in map_in_order(record, indices):
        advance()
        if wrong is None:
          writer.write(serialized)
          count += 1
        else:
          skipped.append(wrong)
  return count, skipped


def _record(source, index, tile_size) -> bytes:
  encoded = source.encoded(index)
  rgb = image_files.read_rgb(source.name(index), encoded)
  height, width = rgb.shape[:2]
  is_small = height * width <= _MAX_TILES_KEPT_WHOLE * tile_size**2
  features = {
    "name": source.name(index).encode(errors="backslashreplace"),
    "height": height,
    "width": width,
    "tile_size": 0 if is_small else tile_size,
    "tiles": [encoded] if is_small else encode_tiles(rgb, tile_size),
  }
  return tf.train.Example(
    features=tf.train.Features(feature={key: _feature(value) for key, value in features.items()})
  ).SerializeToString(deterministic=True)


def _feature(value):
  if isinstance(value, int):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
  return tf.train.Feature(bytes_list=tf.train.BytesList(value=value if isinstance(value, list) else [value]))


def _read_manifest(folder: str) -> dict[str, Any] | None:
  """Returns the content of a folder's manifest, None if there is none; raises InputError if it is damaged."""
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  path = os.path.join(folder, MANIFEST_FILE)
  if not os.path.exists(path):
    return None
  try:
    manifest = input_files.read_json(path)
    if manifest["version"] != _VERSION:
      raise ValueError(f"version {manifest['version']}, not {_VERSION}")
    shards: list[dict[str, Any]] = [
      {"file": str(shard["file"]), "records": int(shard["records"]), "bytes": int(shard["bytes"])}
      for shard in manifest["shards"]
    ]
    if any(
      not 0 <= shard["records"] <= _MAX_RECORDS
      or shard["bytes"] < 0
      or shard["file"] != os.path.basename(shard["file"])
      for shard in shards
    ):
      raise ValueError("impossible shards")
    return {
      "version": _VERSION,
      "settings": {**manifest["settings"], "content": str(manifest["settings"]["content"])},
      "shards": shards,
      "skipped": list(map(str, manifest["skipped"])),
      "complete": bool(manifest["complete"]),
    }
  except (OSError, TypeError, ValueError, KeyError, OverflowError) as error:
    raise InputError(f"{path}: cannot be read as a list of prepared images ({error})") from error

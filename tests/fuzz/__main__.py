"""Reads thousands of damaged files: `python -m tests.fuzz --count=100000`. An input follows from its seed and number.

Each file must be read, or refused with InputError, within four times the memory of the decoded image plus 200 MB. Files
that break a rule are written to --findings, and the exit code is 1. A file that takes five minutes ends the program.
"""

import argparse
import collections
from collections.abc import Callable
import contextlib
import dataclasses
import faulthandler
import io
import math
import os
import re
import sys
import tempfile
import time
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tests.fuzz import mutations
from tests.fuzz import seeds
from z2i_tf.cli import main
from z2i_tf.compat import named_weights
from z2i_tf.datasets import tiled_records
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.inference.foreign import adapters
from z2i_tf.inference.foreign import runtimes
from z2i_tf.models import model_weights
from z2i_tf.study.manifest import StudyManifest

_MAX_FACTOR, _MAX_BYTES = 4, 200e6
_HANGS_AFTER_SECONDS = 300
# Larger images are not written again, which would be slow.
_MAX_WRITTEN_PIXELS = 2**18
_NETWORK_SIDE_PX, _MAX_NETWORK_VALUES = 16, 2**16
_WRITTEN = (".png", ".tif", ".jpg", ".webp", ".bmp")
# Of a hundred inputs.
_SHARES = {"image": 70, "model": 8, "network": 6, "record": 8, "shard": 8}


@dataclasses.dataclass
class Target:
  """A kind of file with its reader.

  Attributes:
    files: name -> sound file.
    damage: (file, generator) -> damaged file.
    read: (name, damaged file, folder, generator) -> bytes of the decoded image, 0 if it is none.
  """

  files: dict[str, bytes]
  damage: Callable[[bytes, np.random.Generator], bytes]
  read: Callable[[str, bytes, str, np.random.Generator], int]


def _put(folder, name, content) -> str:
  path = os.path.join(folder, name)
  with open(path, "wb") as file:
    file.write(content)
  return path


def _read_image(name, content, folder, rng) -> int:
  path = _put(folder, name, content)
  how = rng.integers(4)
  if how == 0:
    header = image_files.read_header(path)
    return header.height * header.width * 3
  if how == 1:
    return image_files.read_rgb(path).nbytes
  if how == 2:
    mask, _ = mask_files.read_mask(path, mask_files.MaskReading(bool(rng.integers(2))))
    return mask.nbytes * 3
  photo = photo_files.read_photo(path)
  if photo.rgb[..., 0].size <= _MAX_WRITTEN_PIXELS:
    again = os.path.join(folder, "again" + _WRITTEN[rng.integers(len(_WRITTEN))])
    photo_files.write_photo(again, photo)
    assert photo_files.read_photo(again).rgb.shape == photo.rgb.shape
  return photo.rgb.nbytes


def _read_model(name, content, folder, rng) -> int:
  del rng
  path = _put(folder, model_weights.MODEL_FILE, content)
  if name == "model":
    model_weights.read_model_file(folder)
  else:
    named_weights.infer_config(named_weights.read_named_weights(path), path)
  return 0


def _read_network(name, content, folder, rng) -> int:
  """Runs the network on an image of 16x16 too, if it says that it takes one."""
  del rng
  network = runtimes.load(_put(folder, f"{name}.onnx", content))
  sides = {name: [side or _NETWORK_SIDE_PX for side in given.shape] for name, given in network.inputs.items()}
  if network.outputs and all(0 < math.prod(each) <= _MAX_NETWORK_VALUES for each in sides.values()):
    inputs = {name: np.zeros(each, network.inputs[name].dtype) for name, each in sides.items()}
    network.run(inputs, network.outputs[0])
  return 0


def _read_record(name, content, folder, rng) -> int:
  if name == "study manifest":
    try:
      StudyManifest.from_json(content.decode("utf-8", "surrogateescape"))
    except ValueError as error:  # As `study.store` does.
      raise InputError(str(error)) from error
    return 0
  if name.startswith("adapter "):
    adapters.read(_put(folder, "adapter.json", content))
    return 0
  runs = os.path.join(folder, "runs")
  os.makedirs(runs, exist_ok=True)
  path = _put(runs, name, content)
  methods = re.search(rb'"methods": {\s*"([^"]+)"', content)
  if methods and rng.integers(2):
    method = methods[1].decode("latin-1")
    command = ["compare", path, path, "--resamples=100", f"--methods={method},{method}"]
  else:
    command = ["report", f"--runs={runs}", f"--output_dir={folder}/report"]
  printed = io.StringIO()
  try:
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
      code = main.main(command)
  finally:
    os.unlink(path)  # The next one is read alone.
  if code == 2:
    raise InputError(printed.getvalue())
  return 0


def _read_shard(name, content, folder, rng) -> int:
  del name, rng
  _put(folder, _Shards.SHARD, _Shards.files[_Shards.SHARD])
  _put(folder, tiled_records.MANIFEST_FILE, _Shards.files[tiled_records.MANIFEST_FILE])
  if content[:1] == b"{":
    _put(folder, tiled_records.MANIFEST_FILE, content)
  else:
    size = len(_Shards.files[_Shards.SHARD])
    _put(folder, _Shards.SHARD, content)
    manifest = _Shards.files[tiled_records.MANIFEST_FILE].replace(
      f'"bytes": {size}'.encode(), f'"bytes": {len(content)}'.encode()
    )
    _put(folder, tiled_records.MANIFEST_FILE, manifest)
  source, size = tiled_records.TiledRecordsSource(folder), 0
  for index in range(min(len(source), 4)):
    source.header(index, decode=True)
    picture = source.open(index)
    size = max(size, picture.shape[0] * picture.shape[1] * 3)
    picture.crop(0, 0, min(8, picture.shape[0]), min(8, picture.shape[1]))
  return size


class _Shards:
  """The sound shard and its list."""

  files: dict[str, bytes] = {}
  SHARD = "images-00000-of-00001.tfrecord"

  @classmethod
  def damaged(cls, content, rng) -> bytes:
    if content[:1] == b"{":
      return mutations.damaged_json(content, rng)
    if rng.integers(2):
      return mutations.damaged(content, rng)
    records = seeds.shard_records(content)
    number = rng.integers(len(records))
    records[number] = mutations.damaged(records[number], rng)
    return b"".join(map(seeds.framed, records))


def _targets() -> dict[str, Target]:
  _Shards.files = seeds.shards()
  return {
    "image": Target(seeds.images(), mutations.damaged, _read_image),
    "model": Target(seeds.models(), mutations.damaged, _read_model),
    "network": Target(seeds.networks(), mutations.damaged, _read_network),
    "record": Target(seeds.records(), mutations.damaged_json, _read_record),
    "shard": Target(_Shards.files, _Shards.damaged, _read_shard),
  }


class _Memory:
  """Measures the peak of memory since `begin`; 0 without /proc."""

  def begin(self) -> None:
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
      file.write("5")
    self._before = self._kilobytes("VmRSS")

  def taken(self) -> float:
    return 1024.0 * (self._kilobytes("VmHWM") - self._before)

  def _kilobytes(self, name) -> int:
    try:
      with open("/proc/self/status", encoding="ascii") as file:
        return int(re.search(rf"{name}:\s+(\d+)", file.read())[1])
    except OSError:
      return 0


def _declared_bytes(folder, name) -> int:
  """Returns the size of a refused image by its header, in bytes; 0 without one."""
  with contextlib.suppress(InputError):
    header = image_files.read_header(os.path.join(folder, name))
    return header.height * header.width * (8 if "16-bit" in header.mode else 4)
  return 0


def run(count: int, seed: int, first: int, findings: str) -> int:
  """Reads `count` damaged files; prints a summary and returns the number that broke a rule."""
  targets, memory = _targets(), _Memory()
  kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
  outcomes, slowest, largest, found = collections.Counter(), 0.0, 0.0, 0
  began = time.monotonic()
  with tempfile.TemporaryDirectory() as folder:
    for number in range(first, first + count):
      faulthandler.dump_traceback_later(_HANGS_AFTER_SECONDS, exit=True, file=sys.__stderr__)
      rng = np.random.default_rng([seed, number])
      kind = kinds[number % len(kinds)]
      target = targets[kind]
      name = sorted(target.files)[rng.integers(len(target.files))]
      content = target.damage(target.files[name], rng)
      problem, size, started = "", 0, time.process_time()
      memory.begin()
      try:
        size = target.read(name, content, folder, rng)
        outcomes[kind, "read"] += 1
      except InputError as error:
        outcomes[kind, "refused"] += 1
        if "\n" in str(error).strip() and kind == "image":
          problem = f"an error of several lines: {error}"
      except Exception:  # What is looked for.
        problem = traceback.format_exc()
      seconds, taken = time.process_time() - started, memory.taken()
      slowest, largest = max(slowest, seconds), max(largest, taken)
      if taken > _MAX_BYTES and kind == "image" and not size:
        size = _declared_bytes(folder, name)
      if taken > _MAX_BYTES + _MAX_FACTOR * size:
        problem = problem or f"{taken / 1e6:.0f} MB for an image of {size / 1e6:.1f} MB"
      if problem:
        found += 1
        os.makedirs(findings, exist_ok=True)
        path = _put(findings, f"{seed}-{number}-{name.replace('/', '_').replace(' ', '_')}", content)
        print(f"{path}: {problem}", flush=True)
  faulthandler.cancel_dump_traceback_later()
  parts = ", ".join(f"{kind} {outcomes[kind, 'read']} read {outcomes[kind, 'refused']} refused" for kind in _SHARES)
  print(
    f"{count} inputs (seed {seed}, from {first}) in {time.monotonic() - began:.0f} s: {parts}; "
    f"{found} broke a rule; slowest {slowest:.1f} s, most memory {largest / 1e6:.0f} MB"
  )
  return found


def _main() -> int:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--count", type=int, default=2000)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--first", type=int, default=0, help="number of the first input")
  parser.add_argument("--findings", default="fuzz_findings", help="folder for files that broke a rule")
  options = parser.parse_args()
  warnings.simplefilter("ignore")
  return 1 if run(**vars(options)) else 0


if __name__ == "__main__":
  sys.exit(_main())

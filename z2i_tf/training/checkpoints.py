"""The checkpoints of a run: all that is needed to go on as if it had never stopped.

A checkpoint holds the variables (weights, optimizers) and one record: step, position in the data, best measurement,
settings. Which checkpoints there are is read from their index files, which appear last and whole, so a process may be
killed at any time.
"""

from collections.abc import Mapping
import dataclasses
import glob
import json
import os
import re
import shutil
import tempfile
from typing import Any

import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.models import model_weights
from z2i_tf.system.atomic_files import atomic_write
from z2i_tf.training.work_dir import CHECKPOINT_FOLDER
from z2i_tf.training.work_dir import writing_errors

_KEPT = 3
_PREFIX = "ckpt"
_LIST = "checkpoint"
# What is being written.
_UNFINISHED = "unfinished"
_INDEX_SUFFIX = ".index"
_INDEX = re.compile(_PREFIX + r"-(\d+)\.index")
_RECORD = "record"
# How tf.train.Checkpoint calls the record's entry.
_RECORD_ENTRY = f"{_RECORD}/.ATTRIBUTES/py_state"
# What TensorFlow raises on damaged files, and on those of other networks.
_UNUSABLE = (tf.errors.OpError, AssertionError, IndexError, KeyError, TypeError, ValueError, RuntimeError)


@dataclasses.dataclass
class RunRecord:
  """Where a run stands.

  Attributes:
    step: finished steps.
    examples: of the data, that were used up; the position in it.
    skipped: steps that were not finite and changed nothing.
    best: the best measurement so far, None before the first.
    measured_on: what it was measured on.
    settings: what must not change while the run is continued, JSON-compatible.
  """

  step: int = 0
  examples: int = 0
  skipped: int = 0
  best: float | None = None
  measured_on: str = ""
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class _TrackedRecord(tf.train.experimental.PythonState):
  """A record as a part of a checkpoint."""

  def __init__(self, record: RunRecord):
    self.record = record

  def serialize(self):
    return json.dumps(dataclasses.asdict(self.record))

  def deserialize(self, string_value):
    for name, value in json.loads(string_value).items():
      setattr(self.record, name, value)


class RunCheckpoints:
  """Saves and restores a run."""

  def __init__(self, work_dir: str, tracked: Mapping[str, tf.Module], record: RunRecord, is_chief: bool):
    """Stores the parts; nothing is read or written yet.

    Args:
      work_dir: of the run; several workers see the same one.
      tracked: networks and optimizers with all their variables, by name.
      record: saved with them, and overwritten when restored.
      is_chief: whether this process writes. All take part in saving, because some variables are means over all.
    """
    self._folder = os.path.join(work_dir, CHECKPOINT_FOLDER)
    self._work_dir, self._record, self._is_chief = work_dir, record, is_chief
    self._unusable: set[str] = set()
    self._checkpoint = tf.train.Checkpoint(**tracked, **{_RECORD: _TrackedRecord(record)})

  def restore(self) -> bool:
    """Restores everything from the newest checkpoint that can be read; returns whether there was one.

    Raises: InputError if there are some, and none can be restored.
    """
    paths = _paths(self._work_dir)
    for path in paths:
      try:
        self._checkpoint.read(path).assert_consumed()
      except _UNUSABLE as error:
        print(f"{path} is damaged or of other networks ({type(error).__name__}); trying the one before")
        self._unusable.add(path)
        continue
      print(f"continuing from {path}")
      return True
    if paths:
      raise _none_usable(paths)
    return False

  def save(self) -> None:
    """Writes a checkpoint of the record's step, then deletes all but the last few; raises InputError if it cannot."""
    if not self._is_chief:
      with tempfile.TemporaryDirectory() as folder, writing_errors(folder):
        self._checkpoint.write(os.path.join(folder, _PREFIX))
      return
    with writing_errors(self._work_dir):
      newest = os.path.join(self._folder, f"{_PREFIX}-{self._record.step}")
      unfinished = os.path.join(self._folder, _UNFINISHED)
      try:
        self._checkpoint.write(unfinished)
        # The index last: without it there is no checkpoint. (TensorFlow itself writes it in place, bit by bit.)
        for path in sorted(glob.glob(glob.escape(unfinished) + ".*"), key=lambda path: path.endswith(_INDEX_SUFFIX)):
          os.replace(path, newest + path[len(unfinished) :])
      except BaseException:
        self._remove_all_but(_paths(self._work_dir))
        raise
      self._unusable.discard(newest)
      paths = [path for path in _paths(self._work_dir) if path not in self._unusable][:_KEPT]
      self._write_list([os.path.basename(path) for path in paths])
      self._remove_all_but(paths)

  def _write_list(self, names):
    """Writes the list by which tf.train.latest_checkpoint finds the newest; nothing here reads it."""
    lines = [f'model_checkpoint_path: "{names[0]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names[::-1])]
    with atomic_write(os.path.join(self._folder, _LIST)) as file:
      file.write("".join(line + "\n" for line in lines).encode())

  def _remove_all_but(self, paths):
    """Deletes other checkpoints, and what saves left that did not come to their end."""
    kept = {os.path.basename(path) for path in paths}
    paths = [
      os.path.join(self._folder, name)
      for name in os.listdir(self._folder)
      if name.startswith((_UNFINISHED, _PREFIX + "-")) and name.partition(".")[0] not in kept
    ]
    for path in sorted(paths, key=lambda path: not path.endswith(_INDEX_SUFFIX)):  # Here, the index first.
      shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def has_checkpoint(work_dir: str) -> bool:
  """Returns whether a run left a checkpoint in the folder, usable or not."""
  return bool(_paths(work_dir))


def read_record(work_dir: str) -> dict[str, Any]:
  """Returns the record of the newest checkpoint that can be read, as `RunRecord` has it, without any network.

  Raises: InputError if none can be read.
  """
  paths = _paths(work_dir)
  for path in paths:
    try:
      return dict(json.loads(tf.train.load_checkpoint(path).get_tensor(_RECORD_ENTRY)))
    except _UNUSABLE:
      continue  # `restore` says so.
  raise _none_usable(paths)


def saved_steps(work_dir: str) -> int:
  """Returns the steps of the newest checkpoint; 0 if there is none, or `model.npz` does not hold its weights.

  Quick: neither networks nor weights are looked at. Raises: InputError if there are checkpoints, and none can be read.
  """
  if not has_checkpoint(work_dir):
    return 0
  step = read_record(work_dir)["step"]
  try:
    return step if model_weights.read_model_config(work_dir).get("step") == step else 0
  except InputError:
    return 0


def _none_usable(paths):
  return InputError(f"{paths[0]}: neither this checkpoint nor one before it can be restored; give another --work_dir")


def _paths(work_dir) -> list[str]:
  """Returns the prefixes of all complete checkpoints, newest first."""
  folder = os.path.join(work_dir, CHECKPOINT_FOLDER)
  names = os.listdir(folder) if os.path.isdir(folder) else []
  steps = sorted((int(match[1]) for match in map(_INDEX.fullmatch, names) if match), reverse=True)
  return [os.path.join(folder, f"{_PREFIX}-{step}") for step in steps]

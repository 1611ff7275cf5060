"""Saves and restores the checkpoints of a run, so that it continues as if it had never stopped.

A checkpoint holds the variables (weights, optimizers) and the run's state: step, position in the data, best
measurement, settings. A checkpoint is complete once its index file exists. The index is renamed into place last, so a
process may be killed at any time.
"""

from collections.abc import Callable
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
# Prefix of a checkpoint that is being written.
_UNFINISHED = "unfinished"
_INDEX_SUFFIX = ".index"
_INDEX = re.compile(_PREFIX + r"-(\d+)\.index")
_RECORD = "record"
# Name of the state's entry in a checkpoint.
_RECORD_ENTRY = f"{_RECORD}/.ATTRIBUTES/py_state"
# Errors that TensorFlow raises for damaged files and for files of other networks.
_UNUSABLE = (tf.errors.OpError, AssertionError, IndexError, KeyError, TypeError, ValueError, RuntimeError)


@dataclasses.dataclass
class RunState:
  """State of a run besides its variables.

  Attributes:
    step: number of finished steps.
    examples: number of examples used so far; the position in the data.
    skipped: number of steps skipped because a loss or gradient was not finite.
    best: the best measurement so far, None before the first.
    measured_on: settings that identify the images `best` was measured on, as JSON.
    settings: settings that must not change when the run continues, JSON-compatible.
  """

  step: int = 0
  examples: int = 0
  skipped: int = 0
  best: float | None = None
  measured_on: str = ""
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class _TrackedState(tf.train.experimental.PythonState):
  """Stores the state in a checkpoint."""

  def __init__(self, state: RunState):
    self.state = state

  def serialize(self):
    return json.dumps(dataclasses.asdict(self.state))

  def deserialize(self, string_value):
    for name, value in json.loads(string_value).items():
      setattr(self.state, name, value)


class Checkpoints:
  """Saves and restores a run."""

  def __init__(
    self, work_dir: str, tracked: Mapping[str, tf.Module], state: RunState, is_chief: bool, say: Callable[[str], None]
  ):
    """Stores the parts; reads and writes nothing yet.

    Args:
      work_dir: folder of the run; all workers see the same one.
      tracked: networks and optimizers with all their variables, by name.
      state: saved with the variables; restoring overwrites it.
      is_chief: whether this process keeps the files. All workers take part in saving: some variables are means over
        all workers.
      say: prints which checkpoint is restored, or skipped because it is damaged.
    """
    self._folder = os.path.join(work_dir, CHECKPOINT_FOLDER)
    self._work_dir, self._state, self._is_chief, self._say = work_dir, state, is_chief, say
    self._unusable: set[str] = set()
    self._checkpoint = tf.train.Checkpoint(**tracked, **{_RECORD: _TrackedState(state)})

  def restore(self) -> bool:
    """Restores everything from the newest usable checkpoint; returns whether there was one.

    Raises: InputError if there are checkpoints and none can be restored.
    """
    paths = _paths(self._work_dir)
    for path in paths:
      try:
        self._checkpoint.read(path).assert_consumed()
      except _UNUSABLE as error:
        self._say(f"{path} is damaged or of other networks ({type(error).__name__}); trying an earlier one")
        self._unusable.add(path)
        continue
      self._say(f"continuing from {path}")
      return True
    if paths:
      raise _none_usable(paths)
    return False

  def save(self) -> None:
    """Writes a checkpoint of the state's step, then deletes all but the last three; raises InputError if it cannot."""
    if not self._is_chief:
      with tempfile.TemporaryDirectory() as folder, writing_errors(folder):
        self._checkpoint.write(os.path.join(folder, _PREFIX))
      return
    with writing_errors(self._work_dir):
      newest = os.path.join(self._folder, f"{_PREFIX}-{self._state.step}")
      unfinished = os.path.join(self._folder, _UNFINISHED)
      try:
        self._checkpoint.write(unfinished)
        # Rename the index last: without it there is no checkpoint. TensorFlow itself writes the index in place.
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
    """Writes the list for tf.train.latest_checkpoint; this package does not read it."""
    lines = [f'model_checkpoint_path: "{names[0]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names[::-1])]
    with atomic_write(os.path.join(self._folder, _LIST)) as file:
      file.write("".join(line + "\n" for line in lines).encode())

  def _remove_all_but(self, paths):
    """Deletes other checkpoints and the files of interrupted saves."""
    kept = {os.path.basename(path) for path in paths}
    paths = [
      os.path.join(self._folder, name)
      for name in (os.listdir(self._folder) if os.path.isdir(self._folder) else [])
      if name.startswith((_UNFINISHED, _PREFIX + "-")) and name.partition(".")[0] not in kept
    ]
    for path in sorted(paths, key=lambda path: not path.endswith(_INDEX_SUFFIX)):  # The index first.
      shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def has_checkpoint(work_dir: str) -> bool:
  """Returns whether a run left a checkpoint in the folder, usable or not."""
  return bool(_paths(work_dir))


def read_state(work_dir: str) -> dict[str, Any]:
  """Reads the `RunState` of the newest usable checkpoint as a dict, without any network.

  Call it only if `has_checkpoint`.

  Raises: InputError if none of the checkpoints can be read.
  """
  paths = _paths(work_dir)
  for path in paths:
    try:
      return dict(json.loads(tf.train.load_checkpoint(path).get_tensor(_RECORD_ENTRY)))
    except _UNUSABLE:
      continue  # `restore` prints it.
  raise _none_usable(paths)


def saved_steps(work_dir: str) -> int:
  """Returns the step of the newest checkpoint; 0 if there is none, or if `model.npz` does not hold its weights.

  Builds no network and reads no weights, so it is quick.

  Raises: InputError if there are checkpoints and none can be read.
  """
  if not has_checkpoint(work_dir):
    return 0
  step = read_state(work_dir)["step"]
  try:
    return step if model_weights.read_model_config(work_dir).get("step") == step else 0
  except InputError:
    return 0


def _none_usable(paths):
  return InputError(f"{paths[0]}: neither this checkpoint nor one before it can be restored; give another `work_dir`")


def _paths(work_dir) -> list[str]:
  """Returns the prefixes of all complete checkpoints, newest first."""
  folder = os.path.join(work_dir, CHECKPOINT_FOLDER)
  names = os.listdir(folder) if os.path.isdir(folder) else []
  steps = sorted((int(match[1]) for match in map(_INDEX.fullmatch, names) if match), reverse=True)
  return [os.path.join(folder, f"{_PREFIX}-{step}") for step in steps]

"""The folder of a run, and whether it belongs to the run that asks for it."""

import contextlib
import json
import os
from typing import Any, Iterator, Mapping

import tensorflow as tf

from z2i_tf import checkpoints
from z2i_tf.atomic_files import atomic_write
from z2i_tf.errors import InputError

CONFIG_FILE = "config.json"
CHECKPOINT_FOLDER = "checkpoints"
EVENTS_FOLDER = "events"


def check_work_dir(work_dir: str, settings: Mapping[str, Any]) -> None:
  """Raises InputError unless a run with these settings may use, or continue in, the folder.

  Nothing is written. A folder without any checkpoint may be used with any settings.

  Args:
    work_dir: may be missing; its parent must exist.
    settings: those that must not change while a run is continued, JSON-compatible.
  """
  parent = os.path.dirname(os.path.abspath(work_dir))
  if not os.path.isdir(parent):
    raise InputError(f"--work_dir={work_dir}: no such folder: {parent}; create it first")
  if os.path.exists(work_dir) and not os.path.isdir(work_dir):
    raise InputError(f"--work_dir={work_dir}: a file; give a folder")
  if not os.access(work_dir if os.path.isdir(work_dir) else parent, os.W_OK | os.X_OK):
    raise InputError(f"--work_dir={work_dir}: cannot write there")
  path = os.path.join(work_dir, CONFIG_FILE)
  if not has_checkpoint(work_dir):
    return
  try:
    with open(path, encoding="utf-8") as file:
      former = dict(json.load(file))
  except (OSError, TypeError, ValueError) as error:
    raise InputError(f"{path}: cannot be read ({error}), so what the checkpoints there belong to is unknown; "
                     "give another --work_dir") from error
  changed = [f"--{name} was {former.get(name)!r}, is {settings.get(name)!r}"
             for name in sorted(settings)
             if former.get(name) != settings.get(name)]
  if changed:
    raise InputError(f"{work_dir} holds a run with other settings: {'; '.join(changed)}; "
                     "give another --work_dir, or the former settings")


def has_checkpoint(work_dir: str) -> bool:
  """Whether a run has begun in the folder."""
  folder = os.path.join(work_dir, CHECKPOINT_FOLDER)
  return os.path.isdir(folder) and bool(os.listdir(folder))


def saved_steps(work_dir: str) -> int:
  """Returns the steps of the newest checkpoint; 0 if there is none, or `model.npz` does not hold its weights.

  Quick: neither networks nor weights are looked at.
  """
  newest = tf.train.latest_checkpoint(os.path.join(work_dir, CHECKPOINT_FOLDER))
  try:
    steps = checkpoints.read_model_config(work_dir).get("step")
  except InputError:
    return 0
  return steps if newest and newest.endswith(f"-{steps}") else 0


def record_settings(work_dir: str, settings: Mapping[str, Any]) -> None:
  """Creates the folder, if missing, and writes its `config.json`; raises InputError if it cannot."""
  try:
    if not os.path.isdir(work_dir):
      os.mkdir(work_dir)
    with atomic_write(os.path.join(work_dir, CONFIG_FILE)) as file:
      file.write((json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
  except OSError as error:
    raise InputError(f"--work_dir={work_dir}: cannot write there: {error.strerror}") from error


@contextlib.contextmanager
def writing_errors(folder: str) -> Iterator[None]:
  """Turns TensorFlow's errors on writing files under `folder` into an InputError."""
  try:
    yield
  except tf.errors.OpError as error:
    raise InputError(f"{folder}: cannot be written (disk full, or no permission?): "
                     f"{error.message[:160]}") from error

"""The folder of a run, and whether it belongs to the run that asks for it."""

import contextlib
import json
import os
from typing import Any, Iterator, List, Mapping

import tensorflow as tf

from z2i_tf.atomic_files import atomic_write
from z2i_tf.errors import InputError
from z2i_tf.training.devices import is_lost_worker

CONFIG_FILE = "config.json"
LOG_FILE = "log.csv"
CHECKPOINT_FOLDER = "checkpoints"
EVENTS_FOLDER = "events"
BEST_FOLDER = "best"
KEPT_FOLDER = "kept"
# The setting that says which kind of stage a folder belongs to.
COMMAND = "command"


def check_work_dir(work_dir: str) -> None:
  """Raises InputError unless a run may write in the folder, which may be missing; nothing is written."""
  existing = os.path.abspath(work_dir)
  while not os.path.lexists(existing):
    existing = os.path.dirname(existing)
  if not os.path.isdir(existing):
    raise InputError(f"--work_dir={work_dir}: {existing} is a file; give a folder")
  if not os.access(existing, os.W_OK | os.X_OK):
    raise InputError(f"--work_dir={work_dir}: cannot write in {existing}")


def changed_settings(work_dir: str, former: Mapping[str, Any], settings: Mapping[str, Any]) -> List[str]:
  """Returns how settings differ from those of the run that the folder holds, a line each.

  Raises: InputError if the folder belongs to another kind of stage.
  """
  if former.get(COMMAND) != settings.get(COMMAND):
    raise InputError(f"--work_dir={work_dir}: holds a run of {former.get(COMMAND)}, not of {settings.get(COMMAND)}; "
                     "give another --work_dir")
  return [f"--{name} was {former.get(name)!r}, is {settings.get(name)!r}"
          for name in sorted(settings) if former.get(name) != settings.get(name)]


def record_settings(work_dir: str, settings: Mapping[str, Any]) -> None:
  """Creates the folder, if missing, and writes its `config.json`; raises InputError if it cannot."""
  make_folder(work_dir)
  try:
    with atomic_write(os.path.join(work_dir, CONFIG_FILE)) as file:
      file.write((json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
  except OSError as error:
    raise InputError(f"--work_dir={work_dir}: cannot write there: {error.strerror}") from error


def make_folder(folder: str) -> None:
  """Creates a work folder, or one within it, if it is missing; raises InputError if it cannot."""
  try:
    os.makedirs(folder, exist_ok=True)
  except OSError as error:
    raise InputError(f"{folder}: cannot be created: {error.strerror}") from error


@contextlib.contextmanager
def writing_errors(path: str) -> Iterator[None]:
  """Turns errors on writing a file, or files under a folder, into an InputError."""
  try:
    yield
  except tf.errors.OpError as error:
    if is_lost_worker(error):  # All workers take part in saving.
      raise
    raise InputError(f"{path}: cannot be written (disk full, or no permission?): {error.message[:160]}") from error
  except OSError as error:
    raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error

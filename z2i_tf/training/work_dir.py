"""The folder of a run, and whether it belongs to the run that asks for it."""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import json
import os
from typing import Any

import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.system.atomic_files import atomic_write
from z2i_tf.system.folder_lock import locked_folder
from z2i_tf.training.devices import is_chief
from z2i_tf.training.devices import is_lost_worker
from z2i_tf.training.devices import mean_over_workers

CONFIG_FILE = "config.json"
LOG_FILE = "log.csv"
CHECKPOINT_FOLDER = "checkpoints"
EVENTS_FOLDER = "events"
BEST_FOLDER = "best"
KEPT_FOLDER = "kept"
RAW_FOLDER = "raw"
LOCK_FILE = "run.lock"
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


@contextlib.contextmanager
def alone_in(work_dir: str, strategy: tf.distribute.Strategy) -> Iterator[None]:
  """Keeps other runs out of the folder, where system and file system have locks.

  A missing folder is created, and goes again if nothing is written in it. All workers call it; the chief has the lock.
  Raises: InputError, in all workers, if another run is there or the folder cannot be written.
  """
  refusal = None
  with contextlib.ExitStack() as held:
    if is_chief(strategy):
      try:
        held.enter_context(_existing(work_dir))
        held.enter_context(
          locked_folder(
            work_dir,
            LOCK_FILE,
            "another run is training here; wait for its end, or give another --work_dir (if there "
            f"is none on any machine, delete {os.path.join(work_dir, LOCK_FILE)})",
          )
        )
      except InputError as error:
        refusal = error
    if mean_over_workers(strategy, float(refusal is not None)):
      raise refusal or InputError(f"--work_dir={work_dir}: the first worker cannot train there, and says why")
    yield


@contextlib.contextmanager
def _existing(folder):
  """Creates the folder and those above it where they are missing; in the end, removes them again if they are empty."""
  missing = []
  path = os.path.abspath(folder)
  while not os.path.isdir(path):
    missing.append(path)
    path = os.path.dirname(path)
  make_folder(folder)
  try:
    yield
  finally:
    for path in missing:
      with contextlib.suppress(OSError):
        os.rmdir(path)


def changed_settings(work_dir: str, former: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
  """Returns how settings differ from those of the run that the folder holds, a line each.

  Raises: InputError if the folder belongs to another kind of stage.
  """
  if former.get(COMMAND) != settings.get(COMMAND):
    raise InputError(
      f"--work_dir={work_dir}: holds a run of {former.get(COMMAND)}, not of {settings.get(COMMAND)}; "
      "give another --work_dir"
    )
  return [
    f"--{name} was {former.get(name)!r}, is {settings.get(name)!r}"
    for name in sorted(settings)
    if former.get(name) != settings.get(name)
  ]


def record_settings(work_dir: str, settings: Mapping[str, Any]) -> None:
  """Writes the folder's `config.json`; raises InputError if it cannot."""
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

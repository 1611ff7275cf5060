"""Work folder of a run: its files, its lock, and whether a run may continue in it."""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import json
import os
from typing import Any

import tensorflow as tf

from z2i_tf import conventions
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
# The setting that names the kind of stage.
COMMAND = "command"
# Settings that change the variables of a checkpoint -> the property that matters.
_SHAPING = {
  "weight_adversarial": bool,
  **dict.fromkeys(("architecture", "zoom", "scale", "width", "sr_width", "discriminator_width"), lambda value: value),
  "precision": lambda value: value == "mixed_float16",
  "ema_decay": bool,
}


def check_work_dir(work_dir: str) -> None:
  """Raises InputError unless a run can write in the folder, which may be missing; writes nothing."""
  existing = os.path.abspath(work_dir)
  while not os.path.lexists(existing):
    existing = os.path.dirname(existing)
  if not os.path.isdir(existing):
    raise InputError(f"`work_dir`={work_dir}: {existing} is a file; give a folder")
  if not os.access(existing, os.W_OK | os.X_OK):
    raise InputError(f"`work_dir`={work_dir}: cannot write in {existing}")


@contextlib.contextmanager
def alone_in(work_dir: str, strategy: tf.distribute.Strategy) -> Iterator[None]:
  """Locks the folder against other runs within the block, if the file system has locks.

  It creates a missing folder, and removes it again if it stays empty. All workers call it; the chief holds the lock.

  Raises: InputError, in all workers, if another run trains in the folder or it cannot be written.
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
            "another run is training here; wait for its end, or give another `work_dir` (if there "
            f"is none on any machine, delete {os.path.join(work_dir, LOCK_FILE)})",
          )
        )
      except InputError as error:
        refusal = error
    if mean_over_workers(strategy, float(refusal is not None)):
      raise refusal or InputError(f"`work_dir`={work_dir}: the first worker cannot train there, and prints the reason")
    yield


@contextlib.contextmanager
def _existing(folder):
  """Creates the folder and its missing parents; after the block, removes those that are still empty."""
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


def compare_settings(
  work_dir: str,
  former: Mapping[str, Any],
  settings: Mapping[str, Any],
  defaults: Mapping[str, Any],
  implied: Mapping[str, Any],
  allow_change: bool,
) -> list[str]:
  """Checks whether the run in the folder can continue with other settings.

  Args:
    work_dir: folder of the run.
    former: settings that the run was recorded with.
    settings: present ones, without those that may change.
    defaults: the value of each setting that an older run did not know yet.
    implied: the value that a setting stands for if it is None.
    allow_change: whether settings may differ as long as the variables of the checkpoint stay the same.
  Returns: the differences, one line each.
  Raises: InputError if the folder belongs to another kind of stage, or the settings differ too much.
  """
  former = {**defaults, **{conventions.FORMER_SETTINGS.get(name, name): value for name, value in former.items()}}
  former, settings = (
    {name: implied.get(name) if value is None else value for name, value in each.items()} for each in (former, settings)
  )
  if former.get(COMMAND) != settings[COMMAND]:
    raise InputError(
      f"`work_dir`={work_dir}: holds a run of {former.get(COMMAND)}, not of {settings[COMMAND]}; "
      "give another `work_dir`"
    )
  for name, property_of in _SHAPING.items():
    if property_of(former.get(name)) != property_of(settings.get(name)):
      raise InputError(
        f"{work_dir} holds a run with other variables: `{name}` was {former.get(name)!r}, is "
        f"{settings.get(name)!r}; give another `work_dir`, perhaps with `init_all`={work_dir}"
      )
  changes = [
    f"{_quoted(name)} was {former.get(name)!r}, is {settings[name]!r}"
    for name in sorted(settings)
    if not _are_equal(name, former.get(name), settings[name])
  ]
  if changes and not allow_change:
    raise InputError(
      f"{work_dir} holds a run with other settings: {'; '.join(changes)}; give another "
      "`work_dir`, or the former settings, or `allow_config_change`"
    )
  return changes


def _quoted(name) -> str:
  """Returns a setting's name as messages show arguments: `data_dir`, and `data_dir` content."""
  argument, _, rest = name.partition(" ")
  return f"`{argument}` {rest}".rstrip()


def _are_equal(name, former, present) -> bool:
  if former == present:
    return True
  if isinstance(former, list) and isinstance(present, list):  # Older runs recorded numbers as text.
    return list(map(_number, former)) == list(map(_number, present))
  # Older runs recorded the name of a bundled model as a path in the current folder.
  is_model_name = name.startswith("init_") and former and present and not os.path.exists(former)
  return bool(is_model_name) and os.path.basename(former) == os.path.basename(present)


def _number(value):
  try:
    return float(value)
  except ValueError:
    return value


def record_settings(work_dir: str, settings: Mapping[str, Any]) -> None:
  """Writes `config.json` into the folder; raises InputError if it cannot."""
  try:
    with atomic_write(os.path.join(work_dir, CONFIG_FILE)) as file:
      file.write((json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
  except OSError as error:
    raise InputError(f"`work_dir`={work_dir}: cannot write there: {error.strerror}") from error


def make_folder(folder: str) -> None:
  """Creates a missing folder and its parents; raises InputError if it cannot."""
  try:
    os.makedirs(folder, exist_ok=True)
  except OSError as error:
    raise InputError(f"{folder}: cannot be created: {error.strerror}") from error


@contextlib.contextmanager
def writing_errors(path: str) -> Iterator[None]:
  """Turns errors while writing a file, or files in a folder, into an InputError that names it."""
  try:
    yield
  except tf.errors.OpError as error:
    if is_lost_worker(error):  # All workers take part in saving.
      raise
    raise InputError(f"{path}: cannot be written (disk full, or no permission?): {error.message[:160]}") from error
  except OSError as error:
    raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error

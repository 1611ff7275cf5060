"""What an analysis leaves: one JSON file with everything that was measured and on what; pictures lie beside it.

A record is a dictionary with "format", "analysis" (what kind it is), "manifest" (on what and with what it was
measured) and what that analysis adds. It has neither dates nor folders of the machine in it, so that the same
analysis of the same files leaves the same bytes.
"""

from collections.abc import Collection
from collections.abc import Mapping
import importlib.metadata
import json
import os
import platform
from typing import Any

import numpy as np

from z2i_tf import __version__
from z2i_tf.analyses import record_shapes
from z2i_tf.errors import InputError
from z2i_tf.system import input_files
from z2i_tf.system.atomic_files import atomic_write

FORMAT = "z2i_tf record 1"
# What every version's begins with, and within how many bytes of the file.
_FORMAT_NAME, _HEAD_BYTES = b"z2i_tf record", 100
# Kinds of records that other code asks for.
TESTSET = "testset"
# The entry that records of z2i evaluate alone have.
SCORES = "scores"
# What may change a pixel or a score.
_PACKAGES = ("tensorflow", "numpy", "opencv-python", "opencv-python-headless", "pillow", "scipy")
# Digits kept of a number: far more than a score has, fewer than rounding may change.
_SIGNIFICANT_DIGITS = 9


def versions() -> dict[str, str]:
  """Returns name -> version of this package, Python and what computes; packages that are not installed are left out."""
  found = {"z2i_tf": __version__, "python": platform.python_version(), "machine": platform.machine()}
  for package in _PACKAGES:
    try:
      found[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      pass
  return found


def sha256(path: str) -> str:
  """Returns a file's hash in hexadecimal; raises InputError if it cannot be read."""
  try:
    return input_files.sha256(path)
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def write_record(folder: str, analysis: str, content: Mapping[str, Any]) -> str:
  """Writes `folder`/`analysis`.json and returns its path.

  Args:
    folder: exists.
    analysis: kind of the record, the name of its file.
    content: "manifest" and what the analysis adds, of JSON's types and NumPy's numbers. Numbers are rounded to nine
      significant digits; those that are not finite become the texts "inf", "-inf" and "nan".
  """
  path = os.path.join(folder, f"{analysis}.json")
  record = {"format": FORMAT, "analysis": analysis, **content}
  text = json.dumps(_plain(record), indent=1, ensure_ascii=False, allow_nan=False)
  with atomic_write(path) as file:
    # Names of files need not be UTF-8; what JSON has for such letters is read back as they were.
    file.write((text + "\n").encode("utf-8", "backslashreplace"))
  return path


def read_record(path: str) -> dict[str, Any]:
  """Returns a record as it was written; numbers that are not finite are texts (see `numbers`).

  Raises: InputError if it cannot be read or is no record.
  """
  try:
    record = input_files.read_json(path)
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror})") from error
  except ValueError as error:
    raise InputError(f"{path}: not a record of z2i evaluate or another analysis (no JSON)") from error
  if not isinstance(record, dict) or record.get("format") != FORMAT:
    raise InputError(f"{path}: not a record of z2i evaluate or another analysis ({FORMAT!r} is expected)")
  return record


def scores_file(path: str) -> str:
  """Returns the file of the record of a z2i evaluate, given it or its folder; raises InputError if there is not one."""
  if not os.path.isdir(path):
    return path
  files = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(".json")]
  found = [file for file in filter(_is_record, files) if SCORES in read_record(file)]
  if len(found) != 1:
    raise InputError(f"{path}: {len(found)} records of z2i evaluate in it; give the file of one")
  return found[0]


def read_scores(path: str) -> dict[str, Any]:
  """Returns the record of a z2i evaluate; raises InputError if the file `path` is none, or damaged."""
  record = read_record(path)
  if SCORES not in record:
    raise InputError(f"{path}: a record of another kind ({record.get('analysis')}); one of z2i evaluate is needed")
  problem = record_shapes.problem_of(record)
  if problem:
    raise InputError(f"{path}: {problem}; run z2i evaluate again")
  return record


def numbers(values: list[Any]) -> np.ndarray:
  """Returns a record's list of numbers as (N,) float64; the texts "inf", "-inf", "nan" become what they name."""
  return np.array([float(value) for value in values], np.float64)


def scan_records(folder: str, kinds: Collection[str]) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
  """Returns (path, record) of every record in a folder and below it, and lines on those that cannot be used.

  Args:
    folder: that is searched; links to folders are not followed.
    kinds: a file called KIND.json of one of them must be a record; other JSON files may be something else, unless they
      begin as records do.
  Returns: records in order of their paths; a line for each file that should be a record and is not.
  Raises: InputError if the folder is none.
  """
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  found, problems = [], []
  for parent, folders, names in os.walk(folder):
    folders.sort()
    for path in (os.path.join(parent, name) for name in sorted(names) if name.endswith(".json")):
      try:
        record = read_record(path)
        if not isinstance(record.get("analysis"), str):
          raise InputError(f"{path}: a record that does not say of what")
        found.append((path, record))
      except InputError as error:
        if os.path.splitext(os.path.basename(path))[0] in kinds or _begins_as_record(path):
          problems.append(str(error))
  return sorted(found, key=lambda item: item[0]), problems


def _begins_as_record(path) -> bool:
  """Whether a file is, or was, a record, perhaps cut short or of another version."""
  try:
    if not os.path.isfile(path):  # Reading a pipe would wait for ever.
      return False
    with open(path, "rb") as file:
      return _FORMAT_NAME in file.read(_HEAD_BYTES)
  except OSError:
    return False


def _is_record(path) -> bool:
  try:
    read_record(path)
  except InputError:
    return False
  return True


def _plain(value):
  """Returns JSON's types, with numbers rounded."""
  if isinstance(value, Mapping):
    return {str(key): _plain(entry) for key, entry in value.items()}
  if isinstance(value, (list, tuple, np.ndarray)):
    return [_plain(entry) for entry in value]
  if isinstance(value, (bool, np.bool_)):
    return bool(value)
  if isinstance(value, (int, np.integer)):
    return int(value)
  if isinstance(value, (float, np.floating)):
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if np.isfinite(value) else str(float(value))
  return value

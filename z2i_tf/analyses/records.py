"""Reads and writes the records of analyses: one JSON file each, with everything measured and the conditions.

A record is a dictionary. "format" and "analysis" identify it, "manifest" says how it was made, and each analysis adds
entries of its own (see `record_schema`). Pictures and tables.md lie beside the file. A record contains neither dates
nor paths of the machine, so the same analysis of the same files writes the same bytes.
"""

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import importlib.metadata
import json
import os
import platform
from typing import Any

import numpy as np

from z2i_tf import __version__
from z2i_tf.analyses import record_schema
from z2i_tf.analyses.tables import Table
from z2i_tf.analyses.tables import to_markdown
from z2i_tf.errors import InputError
from z2i_tf.system import input_files
from z2i_tf.system.atomic_files import atomic_write

FORMAT = "z2i_tf record 1"
# How the format of every version begins, and the part of the file that contains it.
_FORMAT_NAME, _HEAD_BYTES = b"z2i_tf record", 100
# The record of z2i make-testset; not an analysis.
TESTSET = "testset"
# Only records of z2i evaluate have this entry.
SCORES = "scores"
TABLES_FILE = "tables.md"
# Packages that may change a pixel or a score.
_PACKAGES = ("tensorflow", "numpy", "opencv-python", "opencv-python-headless", "pillow", "scipy")
# More digits than a score needs, and few enough to hide differences of rounding.
_SIGNIFICANT_DIGITS = 9


@dataclasses.dataclass(frozen=True)
class AnalysisResult:
  """The outcome of an analysis, ready to be written.

  Attributes:
    analysis: name of the analysis, and of the record's file.
    settings: everything that decides the outcome, for the manifest.
    content: entries that the analysis adds to its record.
    tables: printed, written to tables.md and repeated by the report.
    pictures: names of PNG files in the folder.
  """

  analysis: str
  settings: Mapping[str, Any]
  content: Mapping[str, Any]
  tables: Sequence[Table]
  pictures: Sequence[str]

  def write(self, folder: str) -> None:
    """Writes tables.md, then the record, to an existing folder that already holds the pictures.

    The record comes last, so that every file it names exists once the record does.
    """
    write_tables(folder, self.tables)
    content = {
      "manifest": {"versions": versions(), "settings": dict(self.settings)},
      "pictures": list(self.pictures),
      **self.content,
      "tables": [dataclasses.asdict(table) for table in self.tables],
    }
    write_record(folder, self.analysis, content)


def check_folder_is_free(folder: str, analysis: str) -> None:
  """Refuses a folder with the record of another analysis, whose tables.md would be overwritten.

  Call it before any long work. An analysis may replace its own former record.

  Args:
    folder: existing output folder.
    analysis: name of the analysis that will write to it.
  Raises: InputError if the folder holds another analysis.
  """
  for name in sorted(os.listdir(folder)):
    if not name.endswith(".json"):
      continue
    try:
      found = read_record(os.path.join(folder, name)).get("analysis")
    except InputError:  # Other JSON files are not overwritten.
      continue
    if found not in (analysis, TESTSET):  # A test set has no tables.
      raise InputError(f"`output_dir`={folder} holds a record of {found} ({name}); give another folder")


def versions() -> dict[str, str]:
  """Returns the versions of this package, Python and the installed packages that compute, by name."""
  found = {"z2i_tf": __version__, "python": platform.python_version(), "machine": platform.machine()}
  for package in _PACKAGES:
    try:
      found[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      pass
  return found


def sha256(path: str) -> str:
  """Returns a file's SHA-256 in hexadecimal; raises InputError if the file cannot be read."""
  try:
    return input_files.sha256(path)
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def write_tables(folder: str, tables: Sequence[Table]) -> None:
  """Writes tables to `folder`/tables.md."""
  text = "\n\n".join(map(to_markdown, tables))
  with atomic_write(os.path.join(folder, TABLES_FILE)) as file:
    file.write((text + "\n").encode("utf-8", "backslashreplace"))


def write_record(folder: str, analysis: str, content: Mapping[str, Any]) -> str:
  """Writes `folder`/`analysis`.json and returns its path.

  Args:
    folder: existing folder.
    analysis: name of the analysis.
    content: "manifest" and the entries of the analysis: JSON types and NumPy numbers. Numbers are rounded to nine
      significant digits; infinite and undefined ones become the texts "inf", "-inf" and "nan".
  """
  path = os.path.join(folder, f"{analysis}.json")
  record = {"format": FORMAT, "analysis": analysis, **content}
  text = json.dumps(_to_json(record), indent=1, ensure_ascii=False, allow_nan=False)
  with atomic_write(path) as file:
    # A file name need not be UTF-8; JSON's escapes restore it when the record is read.
    file.write((text + "\n").encode("utf-8", "backslashreplace"))
  return path


def read_record(path: str) -> dict[str, Any]:
  """Reads a record; infinite and undefined numbers stay texts (see `numbers`).

  Raises: InputError if the file cannot be read or is not a record.
  """
  try:
    record = input_files.read_json(path)
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror})") from error
  except ValueError as error:
    raise InputError(f"{path}: not a record of z2i evaluate or another analysis (not JSON)") from error
  if not isinstance(record, dict) or record.get("format") != FORMAT:
    raise InputError(f"{path}: not a record of z2i evaluate or another analysis ({FORMAT!r} is expected)")
  return record


def scores_file(path: str) -> str:
  """Returns the record's file of a z2i evaluate, given the file or its folder.

  Raises: InputError unless the folder holds exactly one.
  """
  if not os.path.isdir(path):
    return path
  files = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(".json")]
  found = [file for file in filter(_is_record, files) if SCORES in read_record(file)]
  if len(found) != 1:
    raise InputError(f"{path}: contains {len(found)} records of z2i evaluate; give the file of one")
  return found[0]


def read_scores(path: str) -> dict[str, Any]:
  """Reads and checks the record of a z2i evaluate; raises InputError if the file is damaged or another record."""
  record = read_record(path)
  if SCORES not in record:
    raise InputError(f"{path}: a record of {record.get('analysis')}; a record of z2i evaluate is needed")
  problem = record_schema.problem_of(record)
  if problem:
    raise InputError(f"{path}: {problem}; run z2i evaluate again")
  return record


def numbers(values: Sequence[Any]) -> np.ndarray:
  """Converts a record's numbers to (N,) float64, the texts "inf", "-inf" and "nan" included."""
  return np.array([float(value) for value in values], np.float64)


def scan_records(folder: str, names: Collection[str]) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
  """Finds every record in a folder and below it.

  Args:
    folder: to search; symbolic links to folders are not followed.
    names: analyses. A file NAME.json of one of them must be a record; any other JSON file may be something else, unless
      it begins as records do.
  Returns: (path, record) in order of the paths, and a line for each file that should be a record and is not.
  Raises: InputError if there is no such folder.
  """
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  found, problems = [], []
  for parent, folders, files in os.walk(folder):
    folders.sort()
    for path in (os.path.join(parent, name) for name in sorted(files) if name.endswith(".json")):
      try:
        record = read_record(path)
        if not isinstance(record.get("analysis"), str):
          raise InputError(f"{path}: a record without the name of its analysis")
        found.append((path, record))
      except InputError as error:
        if os.path.splitext(os.path.basename(path))[0] in names or _begins_as_record(path):
          problems.append(str(error))
  return sorted(found, key=lambda item: item[0]), problems


def _begins_as_record(path: str) -> bool:
  """Returns whether a file looks like a record that was cut short or written by another version."""
  try:
    if not os.path.isfile(path):  # Reading a pipe would block.
      return False
    with open(path, "rb") as file:
      return _FORMAT_NAME in file.read(_HEAD_BYTES)
  except OSError:
    return False


def _is_record(path: str) -> bool:
  try:
    read_record(path)
  except InputError:
    return False
  return True


def _to_json(value: Any) -> Any:
  """Converts to JSON types and rounds numbers."""
  if isinstance(value, Mapping):
    return {str(key): _to_json(entry) for key, entry in value.items()}
  if isinstance(value, (list, tuple, np.ndarray)):
    return [_to_json(entry) for entry in value]
  if isinstance(value, (bool, np.bool_)):
    return bool(value)
  if isinstance(value, (int, np.integer)):
    return int(value)
  if isinstance(value, (float, np.floating)):
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if np.isfinite(value) else str(float(value))
  return value

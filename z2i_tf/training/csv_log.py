"""Writes scalars of training to a CSV file."""

import csv
import io
import os
import re

from z2i_tf.errors import InputError
from z2i_tf.system.atomic_files import atomic_write
from z2i_tf.training.callbacks import Scalars

_STEP = "step"


class CsvLog:
  """Writes scalars to a CSV file: one row per logged step, one column per scalar.

  A cell is empty if its step has no such scalar: evaluations are rarer than logged losses.
  """

  def __init__(self, path: str, start_step: int):
    """Continues the file if it exists, and deletes its rows after `start_step`, which a killed run left.

    Raises: InputError if the file cannot be read or written.
    """
    self._path = path
    self._columns: list[str] = [_STEP]
    rows = [row for row in self._read() if int(row[_STEP]) <= start_step] if os.path.exists(path) else []
    self._rewrite(rows)

  def write(self, step: int, scalars: Scalars) -> None:
    """Adds a row, and a column for each new scalar; raises InputError if the file cannot be written."""
    row = {_STEP: str(step), **{name: f"{value:.7g}" for name, value in scalars.items()}}
    new = [name for name in row if name not in self._columns]
    if new:
      rows = self._read()
      self._columns += new
      self._rewrite([*rows, row])
      return
    try:
      with open(self._path, "a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, self._columns).writerow(row)
    except OSError as error:
      raise self._error(error) from error

  def _read(self):
    try:
      with open(self._path, newline="", encoding="utf-8") as file:
        # A last line without a line end was cut by a kill or a full disk.
        reader = csv.DictReader(line for line in file if line.endswith("\n"))
        rows = [row for row in reader if re.fullmatch("[0-9]+", row.get(_STEP) or "") and None not in row.values()]
        self._columns = list(reader.fieldnames or [_STEP])
    except OSError as error:
      raise self._error(error) from error
    except (UnicodeDecodeError, csv.Error) as error:
      raise InputError(f"{self._path}: not a table of a run: {error}; move it away") from error
    if self._columns[0] != _STEP:
      raise InputError(
        f"{self._path}: not a table of a run: its first column is {self._columns[0]!r}, not {_STEP!r}; move it away"
      )
    return rows

  def _rewrite(self, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, self._columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    try:
      with atomic_write(self._path) as file:
        file.write(text.getvalue().encode())
    except OSError as error:
      raise self._error(error) from error

  def _error(self, error):
    return InputError(f"{self._path}: cannot be read or written: {error.strerror}")

"""What every analysis leaves beside its record: tables.md and pictures."""

import dataclasses
import os
from typing import Any, Dict, Mapping, Sequence

from z2i_tf.atomic_files import atomic_write
from z2i_tf.reports import records
from z2i_tf.reports import tables

TABLES_FILE = "tables.md"


def write_analysis(folder: str, analysis: str, settings: Mapping[str, Any], content: Mapping[str, Any],
                   of_tables: Sequence[tables.Table], pictures: Sequence[str]) -> None:
  """Writes tables.md and the record, in this order: where there is a record, everything it names is there.

  Args:
    folder: exists; the pictures are in it already.
    analysis: kind of the record.
    settings: what decides about the result, for the manifest.
    content: what the analysis adds to its record.
    of_tables: what was found.
    pictures: names of files.
  """
  write_tables(folder, of_tables)
  manifest: Dict[str, Any] = {"versions": records.versions(), "settings": dict(settings)}
  records.write_record(folder, analysis, {
      "manifest": manifest, "pictures": list(pictures), **content,
      "tables": [dataclasses.asdict(table) for table in of_tables]})  # For z2i report.


def write_tables(folder: str, of_tables: Sequence[tables.Table]) -> None:
  """Writes tables to `folder`/tables.md."""
  text = "\n\n".join(map(tables.to_markdown, of_tables))
  with atomic_write(os.path.join(folder, TABLES_FILE)) as file:
    file.write((text + "\n").encode("utf-8", "backslashreplace"))

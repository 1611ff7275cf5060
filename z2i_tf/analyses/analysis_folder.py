"""What every analysis leaves beside its record: tables.md and pictures."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

from z2i_tf.analyses import records
from z2i_tf.analyses import tables
from z2i_tf.errors import InputError
from z2i_tf.system.atomic_files import atomic_write

TABLES_FILE = "tables.md"


def check_is_free(folder: str, analysis: str) -> None:
  """Raises InputError if an existing folder has the record of another analysis, whose tables.md would be overwritten.

  To be called before anything long starts. An analysis' own former record may be replaced; a test set's record is not
  an analysis' one, and has no tables.
  """
  for name in sorted(os.listdir(folder)):
    if not name.endswith(".json"):
      continue
    path = os.path.join(folder, name)
    try:
      found = records.read_record(path).get("analysis")
    except InputError:  # Not a record: other JSON files are not overwritten.
      continue
    if found not in (analysis, records.TESTSET):
      raise InputError(f"--output_dir={folder} holds a record of {found} ({name}); give a folder of its own")


def write_analysis(
  folder: str,
  analysis: str,
  settings: Mapping[str, Any],
  content: Mapping[str, Any],
  of_tables: Sequence[tables.Table],
  pictures: Sequence[str],
) -> None:
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
  manifest: dict[str, Any] = {"versions": records.versions(), "settings": dict(settings)}
  records.write_record(
    folder,
    analysis,
    {
      "manifest": manifest,
      "pictures": list(pictures),
      **content,
      "tables": [dataclasses.asdict(table) for table in of_tables],
    },
  )  # For z2i report.


def write_tables(folder: str, of_tables: Sequence[tables.Table]) -> None:
  """Writes tables to `folder`/tables.md."""
  text = "\n\n".join(map(tables.to_markdown, of_tables))
  with atomic_write(os.path.join(folder, TABLES_FILE)) as file:
    file.write((text + "\n").encode("utf-8", "backslashreplace"))

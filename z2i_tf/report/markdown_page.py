"""A report as Markdown, its pictures as files in a folder beside it."""

from collections.abc import Iterator
from collections.abc import Mapping
import html
import re

from z2i_tf.analyses.tables import escape_markdown
from z2i_tf.analyses.tables import markdown_row
from z2i_tf.report import record_text
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import Picture
from z2i_tf.report.document import Report
from z2i_tf.report.document import Section


def render(report: Report, files: Mapping[str, Picture], folder: str) -> str:
  """Returns the text.

  Args:
    report: that is rendered.
    files: names of the pictures' files, as `Report.picture_files`.
    folder: they are in, as seen from the file that this text is written to.
  """
  names = iter(files)
  parts = [f"# {record_text.TITLE}", *map(escape_markdown, record_text.introduction(report))]
  parts += [part for section in report.sections for part in _section(section, names, folder)]
  if report.left_out:
    parts += ["## Left out", "\n".join(f"* {escape_markdown(line)}" for line in report.left_out)]
  return "\n\n".join(parts) + "\n"


def _section(section: Section, names: Iterator[str], folder: str) -> Iterator[str]:
  yield f"## {escape_markdown(section.title)} ({escape_markdown(section.of_paper)} of the paper)"
  if not section.runs:
    yield f"{escape_markdown(record_text.MISSING)} `{section.command}`"
  for table in section.tables:
    yield from _table(table)
  for run in section.runs:
    for picture in run.pictures:
      caption = escape_markdown(record_text.caption(run, picture))
      yield f"![{caption}]({folder}/{next(names)})\n\n{caption}"
  for table in section.further_tables:
    yield from _table(table)
  for run in section.runs:
    notes = record_text.notes(run)
    if notes:
      yield f"{escape_markdown(run.name)}:\n\n" + "\n".join(f"* {escape_markdown(note)}" for note in notes)
    manifest = record_text.manifest(run)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", manifest)), default=0))
    yield (
      f"<details><summary>How {html.escape(run.name)} was made</summary>\n\n{fence}json\n{manifest}\n{fence}\n\n"
      "</details>"
    )


def _table(table: CitedTable) -> Iterator[str]:
  yield f"### {escape_markdown(table.title)}"
  columns = ["", *table.headings(), "measured on"]
  rows = [
    [group.title, row.name, *(cell.text for cell in row.cells), " ".join(f"[{mark}]" for mark in table.marks(row))]
    for group in table.groups
    for row in group.rows
  ]
  line = "|---|---" + "|---:" * (len(columns) - 3) + "|---|"
  yield "\n".join([markdown_row(columns), line, *map(markdown_row, rows)])
  yield "\n".join(f"* {escape_markdown(f'[{mark}] {source}')}" for mark, source in enumerate(table.source_notes(), 1))
  if table.notes:
    yield "\n".join(f"* {escape_markdown(note)}" for note in table.notes)

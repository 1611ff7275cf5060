"""Renders a report as HTML and as Markdown.

The HTML page is one file with its styles and pictures inside; it has no script and loads nothing. The Markdown text
refers to the pictures as files.
"""

import base64
from collections.abc import Iterator
from collections.abc import Mapping
import html
import os
import re

import jinja2
import markupsafe

from z2i_tf.analyses.tables import escape_markdown
from z2i_tf.analyses.tables import markdown_row
from z2i_tf.report import runs as descriptions
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import Picture
from z2i_tf.report.document import Report
from z2i_tf.report.document import Section

TITLE = "Zoom-to-Inpaint: report of analyses"
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_PAGE, _STYLE = "page.html", "page.css"
# Makes the browser block everything from outside the file, in case a text was not escaped.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_GROUPS_NOTE = (
  "The paper measured other images and masks, unless both sources say the same. Compare the rows of one group; "
  "differences between groups prove nothing by themselves. The best value of a column in its group is bold."
)
_MISSING = "There is no run of these analyses. Each entry has the command that makes one, and the paper's numbers."


def render_html(report: Report) -> str:
  """Returns the HTML page of a report."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  with open(os.path.join(_FOLDER, _STYLE), encoding="utf-8") as file:
    style = markupsafe.Markup(file.read())  # Our own file; CSS needs no HTML escapes.
  return environment.get_template(_PAGE).render(
    report=report,
    title=TITLE,
    summary=_summary(report),
    groups_note=_GROUPS_NOTE,
    missing_note=_MISSING,
    policy=_POLICY,
    style=style,
    descriptions=descriptions,
    base64=lambda data: base64.b64encode(data).decode("ascii"),
  )


def render_markdown(report: Report, files: Mapping[str, Picture], folder: str) -> str:
  """Returns the Markdown text of a report.

  Args:
    report: to render.
    files: the pictures by file name, as `Report.picture_files` returns them.
    folder: of these files, relative to the text's file.
  """
  names = iter(files)
  parts = [f"# {TITLE}", *map(escape_markdown, (_summary(report), _GROUPS_NOTE))]
  for section in report.measured:
    parts += _section(section, names, folder)
  if report.missing:
    parts += ["## Not measured", escape_markdown(_MISSING)]
  for section in report.missing:
    content = [f"`{section.command}`", *(part for table in section.tables for part in _table(table))]
    parts += _folded(f"{section.title} ({section.of_paper} of the paper)", content)
  if report.left_out:
    parts += ["## Left out", "\n".join(f"* {escape_markdown(line)}" for line in report.left_out)]
  return "\n\n".join(parts) + "\n"


def _summary(report: Report) -> str:
  count = sum(len(section.runs) for section in report.sections)
  return (
    f"{count} run{'' if count == 1 else 's'} beside the numbers of the paper "
    '"Zoom-to-Inpaint: Image Inpainting with High-Frequency Details" (Kim et al.). '
    f"Written by z2i_tf {report.version}."
  )


def _section(section: Section, names: Iterator[str], folder: str) -> Iterator[str]:
  yield f"## {escape_markdown(section.title)} ({escape_markdown(section.of_paper)} of the paper)"
  for run in section.runs:
    for picture in run.pictures:
      caption = escape_markdown(descriptions.caption(run, picture))
      yield f"![{caption}]({folder}/{next(names)})\n\n{caption}"
  for table in section.open_tables:
    yield from _table(table)
  for summary, table in section.folded_tables:
    yield from _folded(summary, _table(table))
  for run in section.runs:
    notes = descriptions.notes(run)
    if notes:
      yield f"{escape_markdown(run.name)}:\n\n" + "\n".join(f"* {escape_markdown(note)}" for note in notes)
    manifest = descriptions.manifest(run)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", manifest)), default=0))
    yield from _folded(f"How {run.name} was made", [f"{fence}json\n{manifest}\n{fence}"])


def _folded(summary: str, content: Iterator[str] | list[str]) -> Iterator[str]:
  yield f"<details><summary>{html.escape(summary)}</summary>"
  yield from content
  yield "</details>"


def _table(table: CitedTable) -> Iterator[str]:
  yield f"### {escape_markdown(table.title)}"
  columns = ["", *table.headings(), "source"]
  line = "|---|---" + "|---:" * (len(columns) - 3) + "|---|"
  rows = []
  for group in table.groups:
    for row, best in table.shown_rows(group):
      marks = " ".join(f"[{mark}]" for mark in table.marks(row))
      cells = [group.title, row.name, *(cell.text for cell in row.cells), marks]
      rows.append(markdown_row(cells, [False, False, *best, False]))
  yield "\n".join([markdown_row(columns), line, *rows])
  lines = [f"[{mark}] {source}" for mark, source in enumerate(table.source_notes(), 1)]
  yield "\n".join(f"* {escape_markdown(text)}" for text in [*lines, *table.row_notes(), *table.notes])

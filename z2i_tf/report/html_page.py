"""A report as one HTML file that needs nothing else: no script, nothing from the network, pictures inside."""

import base64
from collections.abc import Iterator
import html
import os

from z2i_tf.report import record_text
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import Report
from z2i_tf.report.document import Row
from z2i_tf.report.document import Section

_STYLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.css")
# The browser refuses whatever is not in the file, even if text got into it unescaped.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_LEFT_OUT = "left-out"


def render(report: Report) -> str:
  """Returns the page."""
  with open(_STYLE, encoding="utf-8") as file:
    style = file.read()
  return "\n".join(
    [
      "<!DOCTYPE html>",
      '<html lang="en">',
      "<head>",
      '<meta charset="utf-8">',
      f'<meta http-equiv="Content-Security-Policy" content="{_text(_POLICY)}">',
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      f"<title>{_text(record_text.TITLE)}</title>",
      f"<style>\n{style}</style>",
      "</head>",
      "<body>",
      *_top(report),
      "<main>",
      *(line for number, section in enumerate(report.sections, 1) for line in _section(section, number)),
      *_left_out(report),
      "</main>",
      "</body>",
      "</html>",
      "",
    ]
  )


def _top(report: Report) -> Iterator[str]:
  yield "<header>"
  yield f"<h1>{_text(record_text.TITLE)}</h1>"
  yield from (f"<p>{_text(line)}</p>" for line in record_text.introduction(report))
  yield '</header>\n<nav aria-label="Contents">\n<ol>'
  for section in report.sections:
    runs = f"{len(section.runs)} run{'s' if len(section.runs) > 1 else ''}" if section.runs else "no run"
    yield f'<li><a href="#{section.key}">{_text(section.title)}</a> ({_text(section.of_paper)}; {runs})</li>'
  yield "</ol>"
  if report.left_out:
    yield f'<p class="left-out"><a href="#{_LEFT_OUT}">Left out: {len(report.left_out)}</a></p>'
  yield "</nav>"


def _section(section: Section, number: int) -> Iterator[str]:
  yield f'<section aria-labelledby="{section.key}">'
  yield f'<h2 id="{section.key}">{_text(section.title)} <small>{_text(section.of_paper)} of the paper</small></h2>'
  if not section.runs:
    yield f'<p class="missing">{_text(record_text.MISSING)} <code>{_text(section.command)}</code></p>'
  for place, table in enumerate(section.tables, 1):
    yield from _table(table, f"t{number}-{place}")
  for run in section.runs:
    for picture in run.pictures:
      data = base64.b64encode(picture.encoded).decode("ascii")
      caption = _text(record_text.caption(run, picture))
      yield (
        f'<figure>\n<img src="data:{picture.media_type};base64,{data}" width="{picture.width}" '
        f'height="{picture.height}" alt="{caption}">\n<figcaption>{caption}</figcaption>\n</figure>'
      )
  for place, table in enumerate(section.further_tables, 1 + len(section.tables)):
    yield from _table(table, f"t{number}-{place}")
  for run in section.runs:
    notes = record_text.notes(run)
    if notes:
      yield f"<p>{_text(run.name)}:</p>\n<ul>"
      yield from (f"<li>{_text(note)}</li>" for note in notes)
      yield "</ul>"
    yield (
      f"<details>\n<summary>How {_text(run.name)} was made</summary>\n"
      f"<pre>{_text(record_text.manifest(run))}</pre>\n</details>"
    )
  yield "</section>"


def _table(table: CitedTable, anchor: str) -> Iterator[str]:
  yield f'<div class="scroll" role="region" aria-label="{_text(table.title)}" tabindex="0">\n<table>'
  yield f"<caption>{_text(table.title)}</caption>\n<thead>"
  if table.spans:
    over = "".join(
      f'<th colspan="{count}"{" scope=colgroup" if heading else ""}>{_text(heading)}</th>'
      for heading, count in table.spans
    )
    yield f'<tr class="over">{over}<th></th></tr>'
  headings = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in table.columns)
  yield f'<tr>{headings}<th scope="col" class="marks">measured on</th></tr>\n</thead>'
  for group in table.groups:
    yield (
      f'<tbody class="{"paper" if group.is_paper else "ours"}">\n<tr><th class="group" scope="rowgroup" '
      f'colspan="{len(table.columns) + 1}">{_text(group.title)}</th></tr>'
    )
    yield from (_row(row, table.marks(row), anchor) for row in group.rows)
    yield "</tbody>"
  yield "</table>\n</div>"
  yield '<ol class="notes">'
  for mark, source in enumerate(table.source_notes(), 1):
    yield f'<li id="{anchor}-{mark}"><span class="mark">[{mark}]</span>{_text(source)}</li>'
  yield from (f'<li><span class="mark"></span>{_text(note)}</li>' for note in table.notes)
  yield "</ol>"


def _row(row: Row, marks: list[int], anchor: str) -> str:
  detail = next((cell.provenance for cell in row.cells), "")
  cells = "".join(f'<td title="{_text(cell.provenance)}">{_text(cell.text)}</td>' for cell in row.cells)
  links = " ".join(f'<a href="#{anchor}-{mark}">[{mark}]</a>' for mark in marks)
  return f'<tr><th scope="row" title="{_text(detail)}">{_text(row.name)}</th>{cells}<td class="marks">{links}</td></tr>'


def _left_out(report: Report) -> Iterator[str]:
  if report.left_out:
    yield f'<section class="left-out">\n<h2 id="{_LEFT_OUT}">Left out</h2>\n<ul>'
    yield from (f"<li>{_text(line)}</li>" for line in report.left_out)
    yield "</ul>\n</section>"


def _text(text: str) -> str:
  return html.escape(text, quote=True)

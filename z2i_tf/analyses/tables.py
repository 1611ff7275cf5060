"""A table of text cells, for the terminal and as Markdown."""

from collections.abc import Sequence
import dataclasses
import re

# A cell without a value.
NONE = "-"
# What may begin a link, emphasis, HTML, a cell, a list or a heading in Markdown; an underscore within a word does not.
_SPECIAL = re.compile(r"([\\`*{}\[\]<>|#~&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


@dataclasses.dataclass(frozen=True)
class Table:
  """A table as it is shown.

  Attributes:
    title: what it is a table of.
    columns: their headings; the first one is that of the rows' names.
    rows: cells as text, as many as columns.
    notes: lines below it: what the cells were measured on, what was left out.
  """

  title: str
  columns: Sequence[str]
  rows: Sequence[Sequence[str]]
  notes: Sequence[str] = ()

  def __post_init__(self):
    for row in self.rows:
      if len(row) != len(self.columns):
        raise ValueError(f"A row of the table {self.title!r} has {len(row)} cells for {len(self.columns)} columns.")


def to_text(table: Table) -> str:
  """Returns the table for a terminal: names to the left, the rest to the right of their columns."""
  lines = [table.columns, *table.rows]
  widths = [max(map(len, cells)) for cells in zip(*lines)]
  return "\n".join([table.title, *(_aligned(line, widths) for line in lines), *table.notes])


def to_markdown(table: Table) -> str:
  """Returns the table as Markdown, its title as a heading of the third level."""
  lines = [
    markdown_row(table.columns),
    "|---" + "|---:" * (len(table.columns) - 1) + "|",
    *map(markdown_row, table.rows),
  ]
  return "\n\n".join([f"### {markdown_text(table.title)}", "\n".join(lines), *map(markdown_text, table.notes)])


def markdown_row(cells: Sequence[str]) -> str:
  """Returns a line of a table in Markdown, of texts that are shown as they are."""
  return "| " + " | ".join(map(markdown_text, cells)) + " |"


def markdown_text(text: str) -> str:
  """Returns Markdown that shows a text, on one line, as it is: nothing in it formats."""
  return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _aligned(cells, widths) -> str:
  return "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()

"""A table of text cells, for the terminal and as Markdown."""

import dataclasses
from typing import Sequence
# A cell without a value.
NONE = "-"


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
  lines = [_markdown_row(table.columns), "|---" + "|---:" * (len(table.columns) - 1) + "|",
           *map(_markdown_row, table.rows)]
  return "\n\n".join([f"### {table.title}", "\n".join(lines), *table.notes])


def _aligned(cells, widths) -> str:
  return "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()


def _markdown_row(cells: Sequence[str]) -> str:
  return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

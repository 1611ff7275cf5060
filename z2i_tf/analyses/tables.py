"""Tables of text cells, rendered for the terminal and as Markdown."""

from collections.abc import Sequence
import dataclasses
import re

# A cell without a value.
NONE = "-"
# Characters that may format in Markdown; an underscore within a word does not.
_SPECIAL = re.compile(r"([\\`*{}\[\]<>|#~&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


@dataclasses.dataclass(frozen=True)
class Table:
  """A table ready to be shown.

  Attributes:
    title: heading of the table.
    columns: headings; the first stands above the names of the rows.
    rows: text cells, one per column.
    notes: lines below the table: the conditions of the measurement, values left out.
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
  """Renders a table for a terminal: the first column left-aligned, the others right-aligned."""
  lines = [table.columns, *table.rows]
  widths = [max(map(len, cells)) for cells in zip(*lines)]
  return "\n".join([table.title, *(_align(line, widths) for line in lines), *table.notes])


def to_markdown(table: Table) -> str:
  """Renders a table as Markdown under a heading of the third level."""
  lines = [
    markdown_row(table.columns),
    "|---" + "|---:" * (len(table.columns) - 1) + "|",
    *map(markdown_row, table.rows),
  ]
  return "\n\n".join([f"### {escape_markdown(table.title)}", "\n".join(lines), *map(escape_markdown, table.notes)])


def markdown_row(cells: Sequence[str], is_bold: Sequence[bool] = ()) -> str:
  """Returns a row of a Markdown table whose cells show the texts unchanged.

  Args:
    cells: texts.
    is_bold: for each cell, whether it is bold; empty for none.
  """
  texts = list(map(escape_markdown, cells))
  if is_bold:
    texts = [f"**{text}**" if bold else text for text, bold in zip(texts, is_bold)]
  return f"| {' | '.join(texts)} |"


def escape_markdown(text: str) -> str:
  """Returns Markdown that shows a text unchanged, on one line."""
  return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
  return "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()

"""Defines the contents of a report, independent of HTML and Markdown."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import re
from typing import Any

from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table

# Which values of a column are best.
HIGHEST, LOWEST, NEITHER = "highest", "lowest", ""
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


@dataclasses.dataclass(frozen=True)
class Cell:
  """A cell of a table.

  Attributes:
    text: value as shown.
    source: images, masks and software of the measurement.
    detail: description of the method, or remark on the value; "" for none.
  """

  text: str
  source: str
  detail: str = ""

  @property
  def provenance(self) -> str:
    """Detail and source as one text."""
    return "; ".join(filter(None, (self.detail, self.source)))


@dataclasses.dataclass(frozen=True)
class Row:
  """A row: its name and its cells."""

  name: str
  cells: Sequence[Cell]

  @property
  def has_values(self) -> bool:
    """Whether any cell has a value."""
    return any(cell.text != NONE for cell in self.cells)


@dataclasses.dataclass(frozen=True)
class RowGroup:
  """Rows measured on the same images.

  Attributes:
    title: of the group.
    is_paper: whether the paper measured the values; otherwise a run did.
    rows: at least one.
  """

  title: str
  is_paper: bool
  rows: Sequence[Row]


@dataclasses.dataclass(frozen=True)
class CitedTable:
  """A table whose cells all have a source.

  Attributes:
    title: of the table.
    columns: headings; the first stands above the names of the rows.
    groups: of rows.
    notes: lines below the table.
    spans: headings above the columns' headings, each with its number of columns; empty for none.
    best: which value of each column is best; empty for none.
    is_folded: whether the table is shown on request only. Tables without values of a run always are.
  """

  title: str
  columns: Sequence[str]
  groups: Sequence[RowGroup]
  notes: Sequence[str] = ()
  spans: Sequence[tuple[str, int]] = ()
  best: Sequence[str] = ()
  is_folded: bool = False

  def __post_init__(self):
    for row in self.rows:
      if len(row.cells) != len(self.columns) - 1:
        raise ValueError(
          f"The row {row.name!r} of {self.title!r} has {len(row.cells)} cells for {len(self.columns)} columns."
        )
    if self.spans and sum(count for _, count in self.spans) != len(self.columns):
      raise ValueError(f"The upper headings of {self.title!r} do not cover its columns.")
    if self.best and len(self.best) != len(self.columns) - 1:
      raise ValueError(f"{self.title!r} does not say for each column which value is best.")

  @property
  def rows(self) -> list[Row]:
    return [row for group in self.groups for row in group.rows]

  @property
  def has_run(self) -> bool:
    """Whether a run has values in it; otherwise it only repeats the paper."""
    return any(row.has_values for group in self.groups if not group.is_paper for row in group.rows)

  @property
  def sources(self) -> list[str]:
    """The sources in the order of the cells, each once; the number of a source is its position, from 1."""
    return list(dict.fromkeys(cell.source for row in self.rows for cell in row.cells if cell.text != NONE))

  def marks(self, row: Row) -> list[int]:
    """Returns the numbers of the sources of a row's values."""
    return sorted({self.sources.index(cell.source) + 1 for cell in row.cells if cell.text != NONE})

  def source_notes(self) -> list[str]:
    """Returns the sources, each after the names of its columns if its rows have several sources."""
    headings = [over or column for over, column in zip(self._upper_headings(), self.columns)][1:]
    notes = []
    for source in self.sources:
      rows = [row for row in self.rows if any(cell.source == source for cell in row.cells)]
      is_shared = any(len(self.marks(row)) > 1 for row in rows)
      columns = dict.fromkeys(
        heading for row in rows for heading, cell in zip(headings, row.cells) if cell.source == source
      )
      notes.append(f"{', '.join(columns)}: {source}" if is_shared else source)
    return notes

  def headings(self) -> list[str]:
    """Returns the columns' headings after their upper headings, for tables with one line of headings."""
    return [f"{over}: {column}" if over else column for over, column in zip(self._upper_headings(), self.columns)]

  def _upper_headings(self) -> list[str]:
    return [heading for heading, count in self.spans for _ in range(count)] or [""] * len(self.columns)

  def shown_rows(self, group: RowGroup) -> list[tuple[Row, list[bool]]]:
    """Returns the rows of a group that have values, each with whether its cells are the best of their columns.

    The best is chosen among the rows of the group, because groups were measured on different images. Equal texts are
    all best; a group with a single value in a column has none.
    """
    rows = [row for row in group.rows if row.has_values]
    columns = zip(self.best or [NEITHER] * (len(self.columns) - 1), zip(*(row.cells for row in rows)))
    flags = [_best([cell.text for cell in cells], direction) for direction, cells in columns]
    return [(row, [column[index] for column in flags]) for index, row in enumerate(rows)]

  def row_notes(self) -> list[str]:
    """Returns a line for each group with rows that have no values, which are not shown."""
    notes = []
    for group in self.groups:
      names = [row.name for row in group.rows if not row.has_values]
      if names:
        notes.append(f"{group.title}: no values of {', '.join(names)}.")
    return notes


def _best(texts: Sequence[str], direction: str) -> list[bool]:
  found = [_NUMBER.match(text) for text in texts]
  values = [float(match[0]) for match in found if match]
  if direction == NEITHER or len(values) < 2:
    return [False] * len(texts)
  best = max(values) if direction == HIGHEST else min(values)
  return [match is not None and float(match[0]) == best for match in found]


def cite(table: Table, group: str, source: str, direction: str = NEITHER, is_folded: bool = False) -> CitedTable:
  """Gives all cells of a run's table one source.

  Args:
    table: of the run.
    group: title of the rows.
    source: of all cells.
    direction: which value of every column is best.
    is_folded: see `CitedTable`.
  """
  rows = [Row(name, [Cell(cell, source) for cell in cells]) for name, *cells in table.rows]
  best = [direction] * (len(table.columns) - 1)
  return CitedTable(
    table.title, table.columns, [RowGroup(group, False, rows)], table.notes, best=best, is_folded=is_folded
  )


@dataclasses.dataclass(frozen=True)
class Picture:
  """A picture of a run.

  Attributes:
    name: of its file.
    encoded: bytes of the file.
    media_type: such as "image/png".
    height: pixels.
    width: pixels.
  """

  name: str
  encoded: bytes
  media_type: str
  height: int
  width: int


@dataclasses.dataclass(frozen=True)
class Run:
  """An analysis found below the searched folder.

  Attributes:
    name: path of the record's file below that folder.
    record: as read.
    pictures: that the record names.
  """

  name: str
  record: Mapping[str, Any]
  pictures: Sequence[Picture]

  @property
  def folder(self) -> str:
    """The run's folder below the searched one, or the record's file if it lies directly in that."""
    return self.name.rpartition("/")[0] or self.name

  @property
  def title(self) -> str:
    """Title of the run's rows."""
    return f"This run: {self.folder}"


@dataclasses.dataclass(frozen=True)
class Section:
  """The part of a report about one analysis.

  Attributes:
    key: anchor.
    title: heading.
    of_paper: tables and figures of the paper that it repeats.
    tables: the runs' numbers, next to the paper's where the paper has any.
    runs: of this analysis; may be empty.
    command: command that makes such a run.
  """

  key: str
  title: str
  of_paper: str
  tables: Sequence[CitedTable]
  runs: Sequence[Run]
  command: str

  @property
  def open_tables(self) -> list[CitedTable]:
    """Tables shown at once."""
    return [table for table in self.tables if table.has_run and not table.is_folded]

  @property
  def folded_tables(self) -> list[tuple[str, CitedTable]]:
    """Tables shown on request, each with the text to click."""
    return [
      (table.title if table.has_run else f"Paper only: {table.title}", table)
      for table in self.tables
      if table.is_folded or not table.has_run
    ]


@dataclasses.dataclass(frozen=True)
class Report:
  """A whole report.

  Attributes:
    sections: pictures of results first, then in the order of the paper's tables.
    left_out: a line for each file that could not be used.
    version: of the program.
  """

  sections: Sequence[Section]
  left_out: Sequence[str]
  version: str

  @property
  def measured(self) -> list[Section]:
    """Sections with runs."""
    return [section for section in self.sections if section.runs]

  @property
  def missing(self) -> list[Section]:
    """Sections without runs."""
    return [section for section in self.sections if not section.runs]

  def picture_files(self) -> dict[str, Picture]:
    """Returns the pictures in the order of the report, each with a unique file name."""
    shown = [(section, picture) for section in self.sections for run in section.runs for picture in run.pictures]
    digits = len(str(len(shown)))
    return {
      f"{number:0{digits}d}_{section.key}.{picture.media_type.rpartition('/')[2]}": picture
      for number, (section, picture) in enumerate(shown, 1)
    }

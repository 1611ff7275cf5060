"""What a report consists of, before it becomes HTML or Markdown."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table


@dataclasses.dataclass(frozen=True)
class Cell:
  """A cell of a table.

  Attributes:
    text: what it shows.
    source: what it was measured on.
    detail: what it was measured of, where the row's name does not say all.
  """

  text: str
  source: str
  detail: str = ""

  @property
  def provenance(self) -> str:
    return "; ".join(filter(None, (self.detail, self.source)))


@dataclasses.dataclass(frozen=True)
class Row:
  """A row: its name, and its cells."""

  name: str
  cells: Sequence[Cell]


@dataclasses.dataclass(frozen=True)
class RowGroup:
  """Rows of one origin.

  Attributes:
    title: of the group.
    is_paper: whether it repeats the paper's numbers.
    rows: at least one.
  """

  title: str
  is_paper: bool
  rows: Sequence[Row]


@dataclasses.dataclass(frozen=True)
class CitedTable:
  """A table each of whose cells says what it was measured on.

  Attributes:
    title: what it is a table of.
    columns: headings; the first one is that of the rows' names.
    groups: of rows.
    notes: lines below it.
    spans: headings above those of the columns, each with how many columns it is above; none of them if empty.
  """

  title: str
  columns: Sequence[str]
  groups: Sequence[RowGroup]
  notes: Sequence[str] = ()
  spans: Sequence[tuple[str, int]] = ()

  def __post_init__(self):
    for row in self.rows:
      if len(row.cells) != len(self.columns) - 1:
        raise ValueError(
          f"The row {row.name!r} of {self.title!r} has {len(row.cells)} cells for {len(self.columns)} columns."
        )
    if self.spans and sum(count for _, count in self.spans) != len(self.columns):
      raise ValueError(f"The headings above the columns of {self.title!r} are not above all of them.")

  @property
  def rows(self) -> list[Row]:
    return [row for group in self.groups for row in group.rows]

  @property
  def sources(self) -> list[str]:
    """What values were measured on, each once, in the order of the cells; a source's number is its place, from 1."""
    return list(dict.fromkeys(cell.source for row in self.rows for cell in row.cells if cell.text != NONE))

  def marks(self, row: Row) -> list[int]:
    """Returns the numbers of the sources of a row's values."""
    return sorted({self.sources.index(cell.source) + 1 for cell in row.cells if cell.text != NONE})

  def source_notes(self) -> list[str]:
    """Returns the sources, each with the columns that it is of in front, where its rows have others too."""
    headings = [over or column for over, column in zip(self._above(), self.columns)][1:]
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
    """Returns the columns' headings with those above them in front, for tables with one line of headings."""
    return [f"{over}: {column}" if over else column for over, column in zip(self._above(), self.columns)]

  def _above(self) -> list[str]:
    return [heading for heading, count in self.spans for _ in range(count)] or [""] * len(self.columns)


def cite(table: Table, group: str, source: str) -> CitedTable:
  """Returns a table all of whose cells are of one run and were measured on the same."""
  rows = [Row(name, [Cell(cell, source) for cell in cells]) for name, *cells in table.rows]
  return CitedTable(table.title, table.columns, [RowGroup(group, False, rows)], table.notes)


@dataclasses.dataclass(frozen=True)
class Picture:
  """A picture of a run.

  Attributes:
    name: of its file.
    encoded: the file's bytes.
    media_type: as "image/png".
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
  """An analysis that was found.

  Attributes:
    name: the record's file, below the folder that was searched.
    record: as it was written.
    pictures: those that it names.
  """

  name: str
  record: Mapping[str, Any]
  pictures: Sequence[Picture]

  @property
  def folder(self) -> str:
    """What the run is called: its folder below the one that was searched, or its file if it lies in that."""
    return self.name.rpartition("/")[0] or self.name


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of the report.

  Attributes:
    key: its anchor.
    title: of it.
    of_paper: the paper's tables and figures that it repeats.
    tables: the paper's numbers beside those of the runs.
    further_tables: of the runs alone; they follow the pictures.
    runs: of this analysis; empty if there are none.
    command: makes such a run.
  """

  key: str
  title: str
  of_paper: str
  tables: Sequence[CitedTable]
  further_tables: Sequence[CitedTable]
  runs: Sequence[Run]
  command: str


@dataclasses.dataclass(frozen=True)
class Report:
  """A whole report.

  Attributes:
    sections: in the order of the paper's tables.
    left_out: a line for each thing that could not be used.
    version: of the program that made it.
  """

  sections: Sequence[Section]
  left_out: Sequence[str]
  version: str

  def picture_files(self) -> dict[str, Picture]:
    """Returns a file name of its own for every picture -> the picture, in the order of the report."""
    shown = [(section, picture) for section in self.sections for run in section.runs for picture in run.pictures]
    digits = len(str(len(shown)))
    return {
      f"{number:0{digits}d}_{section.key}.{picture.media_type.rpartition('/')[2]}": picture
      for number, (section, picture) in enumerate(shown, 1)
    }

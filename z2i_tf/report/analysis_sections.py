"""The paper's tables of the user study, of masks and of complexity with ours beside them; tables of other analyses."""

from collections.abc import Callable
from collections.abc import Sequence

from z2i_tf.analyses import paper
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.report import provenance
from z2i_tf.report.document import Cell
from z2i_tf.report.document import cite
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import Row
from z2i_tf.report.document import RowGroup
from z2i_tf.report.document import Run

# How often ours, and how often the other one, was preferred -> share that preferred ours, lower and upper end of its
# interval, all in [0, 1]; None if there were no choices.
Interval = Callable[[int, int], tuple[float, float, float] | None]


def own_tables(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns the tables that the runs themselves wrote."""
  return [
    cite(Table(**table), f"This run: {run.folder}", provenance.of_settings(run))
    for run in runs
    for table in run.record["tables"]
    if table["rows"]
  ]


def study(runs: Sequence[Run], interval: Interval) -> list[CitedTable]:
  """Returns Table 11, whose percentages are Table 2; a column for every opponent that the paper or a run has."""
  opponents = list(
    dict.fromkeys(
      [
        *paper.TABLE_11[paper.SMALL],
        *(name for run in runs for by_opponent in run.record["kinds"].values() for name in by_opponent),
      ]
    )
  )
  groups = []
  for run in runs:
    kinds = {
      kind: {name: (count["other"], count["ours"]) for name, count in by_opponent.items()}
      for kind, by_opponent in run.record["kinds"].items()
    }
    said = f"{provenance.of_settings(run)}; {run.record['participants']} participants, results with {{}} masks"
    groups.append(
      RowGroup(
        f"This run: {run.folder}",
        False,
        _study_rows(kinds, opponents, interval, {kind: said.format(kind) for kind in kinds}),
      )
    )
  groups.append(
    RowGroup(
      "Paper, Tables 2 and 11",
      True,
      _study_rows(
        paper.TABLE_11,
        opponents,
        interval,
        {
          kind: f"paper, {'Tables 2 and 11' if kind == paper.SMALL else 'Table 11'}: {paper.PARTICIPANTS[kind]} "
          f"participants, {paper.PAIRS} pairs each, {paper.QUESTION!r}; {paper.MASKS[kind]}"
          for kind in paper.TABLE_11
        },
      ),
    )
  )
  return [
    CitedTable(
      "Preferences in pairs of results (Tables 2 and 11)",
      ["Masks", *(f"{name} vs. ours" for name in opponents), "Total"],
      groups,
      [
        "In brackets the 95% interval of the percentage, by Wilson's formula from the counts, the paper's too. It "
        "takes every choice as independent of the others; choices of one person are less so."
      ],
    )
  ]


def _study_rows(kinds, opponents, interval, sources) -> list[Row]:
  rows = []
  for kind, by_opponent in kinds.items():
    counts = [*(by_opponent.get(name) for name in opponents), tuple(map(sum, zip(*by_opponent.values())))]
    for name, texts in (
      ("counts", [f"{count[0]} vs. {count[1]}" if count else NONE for count in counts]),
      ("prefer ours", [_percentage(count, interval) for count in counts]),
    ):
      rows.append(Row(f"{kind}: {name}", [Cell(text, sources[kind]) for text in texts]))
  return rows


def _percentage(count, interval) -> str:
  found = interval(count[1], count[0]) if count else None
  if found is None:
    return NONE
  share, low, high = (f"{100 * value:.2f}" for value in found)
  return f"{share}% [{low}, {high}]"


def mask_statistics(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns the measured part of Table 4."""
  groups = [
    RowGroup(
      f"This run: {run.folder}",
      False,
      [
        Row(
          kind,
          [
            Cell(f"{100 * float(found['hole_ratio'][key]):.2f}%", provenance.of_settings(run))
            for key in ("mean", "max")
          ],
        )
        for kind, found in run.record["masks"].items()
      ],
    )
    for run in runs
  ]
  groups.append(
    RowGroup(
      "Paper, Table 4",
      True,
      [
        Row(kind, [Cell(f"{value}%", paper.TABLE_4_MEASURED_ON) for value in values])
        for kind, values in paper.TABLE_4.items()
      ],
    )
  )
  return [CitedTable("Share of invalid pixels (Table 4)", ["Masks", "mean", "max"], groups)]


def complexity(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns Table 5 with a row per method, so that the paper's methods and ours need not be the same."""
  groups = [RowGroup(f"This run: {run.folder}", False, _complexity_rows(run)) for run in runs]
  groups.append(
    RowGroup(
      "Paper, Table 5",
      True,
      [
        Row(
          method, [Cell(text, paper.TABLE_5_MEASURED_ON, found.remark) for text in (found.parameters, NONE, found.time)]
        )
        for method, found in paper.TABLE_5.items()
      ],
    )
  )
  remarks = [f"Paper, {method}: {found.remark}." for method, found in paper.TABLE_5.items() if found.remark]
  return [
    CitedTable(
      "Complexity (Table 5, with a row per method)",
      ["Method", "Number of parameters", "GFLOP", "Mean time of an image"],
      groups,
      remarks,
    )
  ]


def _complexity_rows(run) -> list[Row]:
  models, latency = run.record["models"], run.record["latency"]
  conditions = ", ".join(f"{name} {value}" for name, value in run.record["measured_on"].items())
  source = f"{provenance.of_settings(run)}; times on {conditions}"
  # Times are those of a model in one arithmetic, "NAME, float32".
  model_of = {name: name if name in models else name.rpartition(", ")[0] for name in latency}
  rows = []
  for name in [*latency, *(model for model in models if model not in model_of.values())]:
    parameters, operations, time = NONE, NONE, NONE
    model = models.get(model_of.get(name, name))
    if model:
      parameters = f"{model['parameters']['total'] / 1e6:.2f}M"
      operations = f"{float(model['flops']['total']) / 1e9:.1f}"
    if name in latency:
      time = f"{float(latency[name]['mean_ms']):.1f} ms"
    rows.append(Row(name, [Cell(text, source) for text in (parameters, operations, time)]))
  return rows

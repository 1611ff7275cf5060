"""Builds the sections of a report, and the tables of all analyses but the scores (see `score_sections`)."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from z2i_tf import __version__
from z2i_tf.analyses import paper
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.metrics import statistics
from z2i_tf.report import runs as descriptions
from z2i_tf.report import score_sections
from z2i_tf.report.document import Cell
from z2i_tf.report.document import cite
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import LOWEST
from z2i_tf.report.document import Report
from z2i_tf.report.document import Row
from z2i_tf.report.document import RowGroup
from z2i_tf.report.document import Run
from z2i_tf.report.document import Section

_EVALUATE = "z2i evaluate --analysis={} --testset=TESTSET --model=NAME=MODEL,... --output_dir=RUNS/NAME"


class _Analysis(NamedTuple):
  """The part of a section that does not depend on the runs."""

  title: str
  of_paper: str
  command: str
  tables: Callable[[Sequence[Run]], list[CitedTable]]


def build(runs: Sequence[Run], left_out: Sequence[str]) -> Report:
  """Builds a report.

  Args:
    runs: in order of their paths.
    left_out: a line for each file that could not be used.
  """
  sections = []
  for key, analysis in _analyses().items():
    found = [run for run in runs if run.record["analysis"] == key]
    sections.append(Section(key, analysis.title, analysis.of_paper, analysis.tables(found), found, analysis.command))
  return Report(sections, list(left_out), __version__)


def _analyses() -> dict[str, _Analysis]:
  """Returns the analyses by the name in their records, in the order of the report: pictures of results first."""
  return {
    "side_by_side": _Analysis(
      "Results side by side",
      "Figures 4, 14 and 15",
      "z2i side-by-side --run=RUNS/COMPARISON --output_dir=RUNS/NAME",
      _own_tables,
    ),
    "failures": _Analysis(
      "Failures on the largest holes",
      "Figure 12",
      "z2i failures --run=RUNS/COMPARISON --methods=NAME,... --output_dir=RUNS/NAME",
      _own_tables,
    ),
    "intermediate": _Analysis(
      "Intermediate results",
      "Figures 2 and 16",
      "z2i intermediate --model=MODEL --image_dir=IMAGES --mask_dir=MASKS --output_dir=RUNS/NAME",
      _own_tables,
    ),
    "comparison": _Analysis(
      "Comparison with other methods",
      "Tables 1, 8 and 10",
      _EVALUATE.format("comparison") + " --result_dir=OTHER=RESULTS,...",
      score_sections.comparison,
    ),
    "study": _Analysis(
      "User study",
      "Tables 2 and 11",
      "z2i study --study_dir=RUNS/STUDY --result_dir=OURS=...,OTHER=... --ours=OURS, "
      "and afterwards z2i study --study_dir=RUNS/STUDY --summary",
      lambda runs: [_study_table(runs)],
    ),
    "ablation": _Analysis(
      "Ablations", "Tables 3 and 6, Figure 15", _EVALUATE.format("ablation"), score_sections.ablation
    ),
    "mask_statistics": _Analysis(
      "Masks",
      "Table 4 and Figure 3",
      "z2i mask-stats --output_dir=RUNS/NAME",
      lambda runs: [_mask_table(runs), *_own_tables(runs)],
    ),
    "complexity": _Analysis(
      "Complexity",
      "Table 5",
      "z2i complexity --model=NAME=MODEL,... --output_dir=RUNS/NAME",
      lambda runs: [_complexity_table(runs), *_own_tables(runs)],
    ),
    "frequency": _Analysis(
      "Frequency analysis", "Table 7 and Figure 6", _EVALUATE.format("frequency"), score_sections.frequency
    ),
    "scale_study": _Analysis(
      "Scale study", "Table 12 and Figure 13", _EVALUATE.format("scale_study"), score_sections.scale_study
    ),
  }


def _own_tables(runs: Iterable[Run]) -> list[CitedTable]:
  """Returns the tables in the records of the runs."""
  return [
    cite(Table(**table), run.title, descriptions.source_of_settings(run))
    for run in runs
    for table in run.record["tables"]
    if table["rows"]
  ]


def _study_table(runs: Sequence[Run]) -> CitedTable:
  """Returns Table 11, whose percentages are Table 2, with a column for every opponent of the paper or a run."""
  found = [*paper.TABLE_11[paper.SMALL]]
  found += [name for run in runs for by_opponent in run.record["kinds"].values() for name in by_opponent]
  opponents = list(dict.fromkeys(found))
  groups = []
  for run in runs:
    kinds = {
      kind: {name: (count["other"], count["ours"]) for name, count in by_opponent.items()}
      for kind, by_opponent in run.record["kinds"].items()
    }
    prefix = f"{descriptions.source_of_settings(run)}; {run.record['participants']} participants"
    sources = {kind: f"{prefix}, results with {kind} masks" for kind in kinds}
    groups.append(RowGroup(run.title, False, _study_rows(kinds, opponents, sources)))
  sources = {
    kind: f"paper, {'Tables 2 and 11' if kind == paper.SMALL else 'Table 11'}: "
    f"{paper.PARTICIPANTS[kind]} participants, {paper.PAIRS} pairs each, {paper.QUESTION!r}; {paper.MASKS[kind]}"
    for kind in paper.TABLE_11
  }
  groups.append(RowGroup("Paper, Tables 2 and 11", True, _study_rows(paper.TABLE_11, opponents, sources)))
  return CitedTable(
    "Preferences in pairs of results (Tables 2 and 11)",
    ["Masks", *(f"{name} vs. ours" for name in opponents), "Total"],
    groups,
    [
      "In brackets: the 95% interval of the percentage by Wilson's formula, applied to the paper's counts too. It "
      "assumes independent choices; choices of one person are less independent, and the true interval is wider."
    ],
  )


def _study_rows(
  kinds: Mapping[str, Mapping[str, tuple[int, int]]], opponents: Sequence[str], sources: Mapping[str, str]
) -> list[Row]:
  """Returns a row of counts and one of preferences for each kind of masks; counts are (opponent's, ours)."""
  rows = []
  for kind, by_opponent in kinds.items():
    total = sum(other for other, _ in by_opponent.values()), sum(ours for _, ours in by_opponent.values())
    counts = [*(by_opponent.get(name) for name in opponents), total]
    for name, texts in (
      ("counts", [f"{count[0]} vs. {count[1]}" if count else NONE for count in counts]),
      ("prefer ours", [_percentage(count) for count in counts]),
    ):
      rows.append(Row(f"{kind}: {name}", [Cell(text, sources[kind]) for text in texts]))
  return rows


def _percentage(count: tuple[int, int] | None) -> str:
  """Returns the share of choices for ours with its interval; `count` is (opponent's, ours)."""
  if not count or not sum(count):
    return NONE
  other, ours = count
  ends = statistics.wilson_interval(ours, ours + other)
  share, low, high = (f"{100 * value:.2f}" for value in (ours / (ours + other), *ends))
  return f"{share}% [{low}, {high}]"


def _mask_table(runs: Sequence[Run]) -> CitedTable:
  """Returns the measured part of Table 4."""
  groups = []
  for run in runs:
    source = descriptions.source_of_settings(run)
    rows = [
      Row(kind, [Cell(f"{100 * float(found['hole_ratio'][key]):.2f}%", source) for key in ("mean", "max")])
      for kind, found in run.record["masks"].items()
    ]
    groups.append(RowGroup(run.title, False, rows))
  rows = [
    Row(kind, [Cell(f"{value}%", paper.TABLE_4_MEASURED_ON) for value in values])
    for kind, values in paper.TABLE_4.items()
  ]
  groups.append(RowGroup("Paper, Table 4", True, rows))
  return CitedTable("Share of invalid pixels (Table 4)", ["Masks", "mean", "max"], groups)


def _complexity_table(runs: Sequence[Run]) -> CitedTable:
  """Returns Table 5 with a row per method, so that its methods and a run's may differ."""
  groups = [RowGroup(run.title, False, _complexity_rows(run)) for run in runs]
  rows = []
  for method, found in paper.TABLE_5.items():
    texts = (found.parameters, NONE, found.time)
    cells = [Cell(text, paper.TABLE_5_MEASURED_ON, found.remark) for text in texts]
    rows.append(Row(score_sections.paper_name(method), cells))
  groups.append(RowGroup("Paper, Table 5", True, rows))
  return CitedTable(
    "Complexity (Table 5, with a row per method)",
    ["Method", "Number of parameters", "GFLOP", "Mean time of an image"],
    groups,
    score_sections.paper_remarks({method: found.remark for method, found in paper.TABLE_5.items() if found.remark}),
    best=[LOWEST] * 3,
  )


def _complexity_rows(run: Run) -> list[Row]:
  models, latency = run.record["models"], run.record["latency"]
  conditions = ", ".join(f"{name} {value}" for name, value in run.record["measured_on"].items())
  source = f"{descriptions.source_of_settings(run)}; times on {conditions}"
  # Times belong to a model in one precision: "NAME, float32".
  model_of = {name: name if name in models else name.rpartition(", ")[0] for name in latency}
  rows = []
  for name in [*latency, *(model for model in models if model not in model_of.values())]:
    parameters, operations, time = NONE, NONE, NONE
    model = models.get(model_of.get(name, name))
    if model:
      parameters = f"{model['parameters']['total'] / 1e6:.2f}M"
      operations = f"{float(model['flops']['total']) / 1e9:.1f}" if "flops" in model else NONE
    if name in latency:
      time = f"{float(latency[name]['mean_ms']):.1f} ms"
    rows.append(Row(name, [Cell(text, source) for text in (parameters, operations, time)]))
  return rows

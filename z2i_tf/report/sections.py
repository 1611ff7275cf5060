"""The sections of a report: what of the paper each repeats, and which command makes it."""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses

from z2i_tf import __version__
from z2i_tf.report import analysis_sections
from z2i_tf.report import score_sections
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import Report
from z2i_tf.report.document import Run
from z2i_tf.report.document import Section

_EVALUATE = "z2i evaluate --analysis={} --testset=TESTSET --model=NAME=MODEL,... --output_dir=RUNS/NAME"


@dataclasses.dataclass(frozen=True)
class _Kind:
  """What there is to know of an analysis: its record's name, and what `Section` has; tables are made of the runs."""

  analysis: str
  title: str
  of_paper: str
  command: str
  tables: Callable[[Sequence[Run]], list[CitedTable]]
  further_tables: Callable[[Sequence[Run]], list[CitedTable]]


def build(runs: Sequence[Run], left_out: Sequence[str], interval: analysis_sections.Interval) -> Report:
  """Builds a report.

  Args:
    runs: those that were found, in order.
    left_out: a line for each thing that could not be used.
    interval: of the study's preferences.
  """
  sections = []
  for kind in _kinds(interval):
    of_kind = [run for run in runs if run.record["analysis"] == kind.analysis]
    sections.append(
      Section(
        kind.analysis,
        kind.title,
        kind.of_paper,
        kind.tables(of_kind),
        kind.further_tables(of_kind),
        of_kind,
        kind.command,
      )
    )
  return Report(sections, list(left_out), __version__)


def _kinds(interval) -> list[_Kind]:
  """In the order of the paper's tables; pictures follow the tables that they belong to."""
  own, by_hole_size = analysis_sections.own_tables, score_sections.by_hole_size
  return [
    _Kind(
      "comparison",
      "Comparison with other methods",
      "Tables 1, 8 and 10",
      _EVALUATE.format("comparison") + " --result_dir=OTHER=RESULTS,...",
      score_sections.comparison,
      by_hole_size,
    ),
    _Kind(
      "side_by_side",
      "Results side by side",
      "Figures 4, 14 and 15",
      "z2i side-by-side --run=RUNS/COMPARISON --output_dir=RUNS/NAME",
      _none,
      own,
    ),
    _Kind(
      "study",
      "User study",
      "Tables 2 and 11",
      "z2i study --study_dir=RUNS/STUDY --result_dir=OURS=...,OTHER=... --ours=OURS, "
      "and afterwards z2i study --study_dir=RUNS/STUDY --summary",
      lambda runs: analysis_sections.study(runs, interval),
      _none,
    ),
    _Kind(
      "ablation",
      "Ablations",
      "Tables 3 and 6, Figure 15",
      _EVALUATE.format("ablation"),
      score_sections.ablation,
      by_hole_size,
    ),
    _Kind(
      "mask_statistics",
      "Masks",
      "Table 4 and Figure 3",
      "z2i mask-stats --output_dir=RUNS/NAME",
      analysis_sections.mask_statistics,
      own,
    ),
    _Kind(
      "complexity",
      "Complexity",
      "Table 5",
      "z2i complexity --model=NAME=MODEL,... --output_dir=RUNS/NAME",
      analysis_sections.complexity,
      own,
    ),
    _Kind(
      "frequency",
      "Frequency analysis",
      "Table 7 and Figure 6",
      _EVALUATE.format("frequency"),
      score_sections.frequency,
      by_hole_size,
    ),
    _Kind(
      "scale_study",
      "Scale study",
      "Table 12 and Figure 13",
      _EVALUATE.format("scale_study"),
      score_sections.scale_study,
      by_hole_size,
    ),
    _Kind(
      "failures",
      "Failures on the largest holes",
      "Figure 12",
      "z2i failures --run=RUNS/COMPARISON --methods=NAME,... --output_dir=RUNS/NAME",
      _none,
      own,
    ),
    _Kind(
      "intermediate",
      "Intermediate results",
      "Figures 2 and 16",
      "z2i intermediate --model=MODEL --image_dir=IMAGES --mask_dir=MASKS --output_dir=RUNS/NAME",
      _none,
      own,
    ),
  ]


def _none(_: Sequence[Run]) -> list[CitedTable]:
  """The paper has only pictures, or ours all is beside the paper's."""
  return []

"""Puts scores of runs beside the paper's: comparison, ablations, frequency ranges, scales."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from z2i_tf.analyses import paper
from z2i_tf.analyses import score_tables
from z2i_tf.analyses.tables import NONE
from z2i_tf.report import runs as descriptions
from z2i_tf.report.document import Cell
from z2i_tf.report.document import cite
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import HIGHEST
from z2i_tf.report.document import LOWEST
from z2i_tf.report.document import NEITHER
from z2i_tf.report.document import Row
from z2i_tf.report.document import RowGroup
from z2i_tf.report.document import Run

# Name of the paper's own model, which the paper calls "Ours".
THIS_WORK = "This work (paper)"
_OURS = "Ours"
_NO_PAPER = "The paper has no numbers for these masks."
_BANDS = dict(zip(dict(score_tables.BANDS), (paper.LOW, paper.MID, paper.HIGH)))
# Source of channels, scales and numbers of parameters.
_MODEL_ITSELF = "a property of the model; not measured on images"
_NOT_IN_PAPER = "not in the paper"


def paper_name(method: str) -> str:
  """Returns the paper's name of a method, but `THIS_WORK` for "Ours", which readers could take for a run."""
  return THIS_WORK if method == _OURS else method


def paper_remarks(remarks: Mapping[str, str]) -> list[str]:
  """Returns notes on the paper's methods, given method -> remark."""
  return [f"{THIS_WORK if method == _OURS else f'Paper, {method}'}: {remark}." for method, remark in remarks.items()]


def comparison(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns tables by kind of masks (Tables 1, 8 and 10), by hole size, and of other publications."""
  made = []
  for masks in _test_sets(runs):
    with_masks = [run for run in runs if masks in run.record["test_sets"]]
    of_paper = [key for key in paper.TABLE_1 if key[0] == masks]
    measured = {metric for run in with_masks for metric in score_tables.measured_metrics(run.record, masks)}
    if of_paper:
      measured |= {metric for table in (paper.TABLE_1, paper.TABLE_10) for metric in table[of_paper[0]][_OURS]}
    metrics = [metric for metric in score_tables.METRICS if metric in measured]
    groups = [_run_group(run, [masks], metrics) for run in with_masks]
    groups += [_paper_group(*key, metrics) for key in of_paper]
    remarks = paper_remarks(paper.REMARKS_ON_SCORES) if of_paper else [_NO_PAPER]
    made.append(
      CitedTable(
        f"Comparison, {masks} masks",
        ["Method", *metrics],
        groups,
        _missing_values(with_masks, [masks], metrics) + remarks,
        best=_directions(metrics),
      )
    )
  return [*made, *_by_hole_size(runs), _other_publications()]


def ablation(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns the layout of Table 6, which includes Table 3, and tables by hole size."""

  def paper_rows(sets):
    rows = []
    for (name, channels), scores in paper.TABLE_6.items():
      tables = "Tables 3 and 6" if channels == paper.CHANNELS_3 else "Table 6"
      sources = {masks: f"paper, {tables}: {paper.IMAGES[paper.DIV2K]}, {said}" for masks, said in paper.MASKS.items()}
      parameters = Cell(paper.PARAMETERS_6[name, channels], _MODEL_ITSELF)
      rows.append(Row(name, [Cell(channels, _MODEL_ITSELF), *_paper_cells(sets, scores, sources), parameters]))
    return rows

  return [_wide("Ablations (Tables 3 and 6)", runs, "ch.", "width", True, paper_rows), *_by_hole_size(runs)]


def scale_study(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns the layout of Table 12 and tables by hole size."""

  def paper_rows(sets):
    sources = {masks: f"paper, Table 12: {paper.TABLE_12_IMAGES}; {said}" for masks, said in paper.MASKS.items()}
    return [
      Row(name, [Cell(scale, _MODEL_ITSELF), *_paper_cells(sets, scores, sources)])
      for (name, scale), scores in paper.TABLE_12.items()
    ]

  return [_wide("Scale study (Table 12)", runs, "scale", "scale", False, paper_rows), *_by_hole_size(runs)]


def frequency(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns Table 7 with a row per model, so that its models and a run's may differ, and tables by hole size."""
  groups = []
  for run in runs:
    first = next(iter(run.record["methods"]))
    for masks in run.record["test_sets"]:
      rows = []
      for method, entry in run.record["methods"].items():
        values, base = (
          [score_tables.mean_of(run.record, masks, name, metric).value for metric in _BANDS] for name in (method, first)
        )
        texts = [score_tables.format_score(value, metric) for value, metric in zip(values, _BANDS)]
        texts += [
          NONE if method == first else _signed(score_tables.format_score(value - of_first, metric))
          for value, of_first, metric in zip(values, base, _BANDS)
        ]
        rows.append(_run_row(method, entry, texts, [descriptions.source_of_test_set(run, masks)] * len(texts)))
      groups.append(RowGroup(f"{run.title}, {masks} masks", False, rows))
  first, *_ = models = list(paper.TABLE_7[paper.LOW])
  rows = []
  for model in models:
    texts = [paper.TABLE_7[band][model] for band in _BANDS.values()]
    texts += [NONE if model == first else _signed(paper.TABLE_7_DIFFERENCES[band][model]) for band in _BANDS.values()]
    rows.append(Row(model, [Cell(text, paper.TABLE_7_MEASURED_ON) for text in texts]))
  groups.append(RowGroup("Paper, Table 7", True, rows))
  bands = ["low", "mid", "high"]
  table = CitedTable(
    "SSIM by frequency range (Table 7, with a row per model)",
    ["Model", *bands, *bands],
    groups,
    [note for run in runs for note in _missing_values([run], list(run.record["test_sets"]), list(_BANDS))],
    [("", 1), ("SSIM", len(bands)), ("minus the first model", len(bands))],
    [HIGHEST] * 2 * len(bands),
  )
  return [table, *_by_hole_size(runs)]


def _by_hole_size(runs: Sequence[Run]) -> list[CitedTable]:
  return [
    cite(table, run.title, descriptions.source_of_test_set(run, masks), HIGHEST, is_folded=True)
    for run in runs
    for masks in run.record["test_sets"]
    for table in score_tables.bucket_tables(run.record, [masks])
  ]


def _wide(
  title: str,
  runs: Sequence[Run],
  heading: str,
  key: str,
  with_parameters: bool,
  paper_rows: Callable[[Sequence[str]], list[Row]],
) -> CitedTable:
  """Returns a row per method, with the paper's metrics of every test set side by side."""
  sets, metrics = _test_sets(runs), score_tables.PAPER_METRICS
  groups = [_run_group(run, sets, metrics, key, with_parameters) for run in runs]
  groups.append(RowGroup("Paper", True, paper_rows(sets)))
  return CitedTable(
    title,
    ["Model", heading, *(metric for _ in sets for metric in metrics)] + ["Parameters"] * with_parameters,
    groups,
    _missing_values(runs, sets, metrics),
    [("", 2), *((f"{masks} masks", len(metrics)) for masks in sets)] + [("", 1)] * with_parameters,
    [NEITHER, *_directions(metrics) * len(sets)] + [LOWEST] * with_parameters,
  )


def _directions(metrics: Sequence[str]) -> list[str]:
  return [LOWEST if metric in score_tables.LOWER_IS_BETTER else HIGHEST for metric in metrics]


def _run_group(
  run: Run, sets: Sequence[str], metrics: Sequence[str], key: str | None = None, with_parameters: bool = False
) -> RowGroup:
  """Returns a row per method of a run: its entry `key` if one is given, its means, its parameters if wanted."""
  rows = []
  for method, entry in run.record["methods"].items():
    texts, sources = [], []
    for masks in sets:
      if masks in run.record["test_sets"]:
        texts += [score_tables.format_mean(run.record, masks, method, metric) for metric in metrics]
        sources += [descriptions.source_of_test_set(run, masks, metric) for metric in metrics]
      else:
        texts += [NONE] * len(metrics)
        sources += [f"this run ({run.folder}) has no {masks} masks"] * len(metrics)
    if key:
      texts.insert(0, str(entry.get(key, NONE)))
      sources.insert(0, _MODEL_ITSELF)
    if with_parameters:
      texts.append(score_tables.format_parameters(entry))
      sources.append(_MODEL_ITSELF)
    rows.append(_run_row(method, entry, texts, sources))
  return RowGroup(run.title, False, rows)


def _run_row(method: str, entry: Mapping[str, Any], texts: Sequence[str], sources: Sequence[str]) -> Row:
  detail = descriptions.describe_method(method, entry)
  return Row(method, [Cell(text, source, detail) for text, source in zip(texts, sources)])


def _paper_group(masks: str, images: str, metrics: Sequence[str]) -> RowGroup:
  rows = []
  for method in paper.TABLE_1[masks, images]:
    cells = {
      metric: Cell(
        text, f"paper, {tables}: {paper.IMAGES[images]}, {paper.MASKS[masks]}", paper.REMARKS_ON_SCORES.get(method, "")
      )
      for tables, scores in ((paper.TABLES_WITH_TABLE_1[images], paper.TABLE_1), ("Table 10", paper.TABLE_10))
      for metric, text in scores[masks, images][method].items()
    }
    rows.append(Row(paper_name(method), [cells.get(metric, Cell(NONE, _NOT_IN_PAPER)) for metric in metrics]))
  return RowGroup(f"Paper: {images}", True, rows)


def _paper_cells(
  sets: Sequence[str], scores: Mapping[str, Mapping[str, str]], sources: Mapping[str, str]
) -> list[Cell]:
  return [
    Cell(scores[masks][metric], sources[masks]) if masks in scores else Cell(NONE, _NOT_IN_PAPER)
    for masks in sets
    for metric in score_tables.PAPER_METRICS
  ]


def _other_publications() -> CitedTable:
  cited = "its own publication, as the paper's Tables 8 and 9 cite it"
  rows = [
    Row(method, [Cell(text, f"{cited}: {paper.TABLE_9[method]}") for text in scores.values()])
    for method, scores in paper.TABLE_8_COPIED.items()
  ]
  return CitedTable(
    "Values of other publications, as the paper cites them (Table 8)",
    ["Method", *score_tables.PAPER_METRICS],
    [RowGroup("Paper: copied from the publications", True, rows)],
    ["Each publication used its own images and masks: do not compare these values with others or with one another."],
  )


def _test_sets(runs: Sequence[Run]) -> list[str]:
  """Returns the paper's kinds of masks, then all other test sets."""
  return list(dict.fromkeys([*paper.MASKS, *(name for run in runs for name in run.record["test_sets"])]))


def _missing_values(runs: Sequence[Run], sets: Sequence[str], metrics: Sequence[str]) -> list[str]:
  return [
    f"{run.folder}: {note}"
    for run in runs
    for masks in sets
    if masks in run.record["test_sets"]
    for note in score_tables.missing_values(run.record, masks, metrics)
  ]


def _signed(text: str) -> str:
  return text if text.startswith(("-", "+")) else f"+{text}"

"""The paper's tables of scores with ours beside them: comparison, ablations, frequency ranges, scales."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from z2i_tf.analyses import paper
from z2i_tf.analyses import score_tables
from z2i_tf.analyses.tables import NONE
from z2i_tf.report import provenance
from z2i_tf.report.document import Cell
from z2i_tf.report.document import cite
from z2i_tf.report.document import CitedTable
from z2i_tf.report.document import Row
from z2i_tf.report.document import RowGroup
from z2i_tf.report.document import Run

_NO_PAPER = "The paper has no numbers for these masks."
_BANDS = dict(zip(dict(score_tables.BANDS), (paper.LOW, paper.MID, paper.HIGH)))
# What channels, scales and numbers of parameters belong to.
_MODEL_ITSELF = "a property of the model; not measured on images"
_NOT_IN_PAPER = "not in the paper"


def comparison(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns a table per kind of masks (Tables 1, 8 and 10), and other publications' numbers."""
  made = []
  for masks in _test_sets(runs):
    with_masks = [run for run in runs if masks in run.record["test_sets"]]
    of_paper = [key for key in paper.TABLE_1 if key[0] == masks]
    measured = {metric for run in with_masks for metric in score_tables.measured_metrics(run.record, masks)}
    if of_paper:
      measured |= {metric for table in (paper.TABLE_1, paper.TABLE_10) for metric in table[of_paper[0]]["Ours"]}
    metrics = [metric for metric in score_tables.METRICS if metric in measured and metric not in _BANDS]
    groups = [_ours(run, [masks], metrics) for run in with_masks]
    groups += [_comparison_of_paper(*key, metrics) for key in of_paper]
    remarks = [f"Paper, {method}: {remark}." for method, remark in paper.REMARKS_ON_SCORES.items() if of_paper]
    made.append(
      CitedTable(
        f"Comparison, {masks} masks",
        ["Method", *metrics],
        groups,
        _notes(with_masks, [masks], metrics, of_paper) + remarks,
      )
    )
  return [*made, _other_publications()]


def ablation(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns the layout of Table 6, which has all of Table 3 and the rows of 70 channels."""

  def of_paper(sets):
    rows = []
    for (name, channels), scores in paper.TABLE_6.items():
      tables = "Tables 3 and 6" if channels == paper.CHANNELS_3 else "Table 6"
      source = {masks: f"paper, {tables}: {paper.IMAGES[paper.DIV2K]}, {said}" for masks, said in paper.MASKS.items()}
      rows.append(
        Row(
          name,
          [
            Cell(channels, _MODEL_ITSELF),
            *_cells_of_paper(sets, scores, source),
            Cell(paper.PARAMETERS_6[name, channels], _MODEL_ITSELF),
          ],
        )
      )
    return rows

  return [_wide("Ablations (Tables 3 and 6)", runs, "ch.", "width", True, of_paper)]


def scale_study(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns the layout of Table 12."""

  def of_paper(sets):
    source = {masks: f"paper, Table 12: {paper.TABLE_12_IMAGES}; {paper.MASKS[masks]}" for masks in paper.MASKS}
    return [
      Row(name, [Cell(scale, _MODEL_ITSELF), *_cells_of_paper(sets, scores, source)])
      for (name, scale), scores in paper.TABLE_12.items()
    ]

  return [_wide("Scale study (Table 12)", runs, "scale", "scale", False, of_paper)]


def frequency(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns Table 7 with a row per model, so that the paper's models and ours need not be the same."""
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
        rows.append(_row(method, entry, texts, [provenance.of_test_set(run, masks)] * len(texts)))
      groups.append(RowGroup(f"This run: {run.folder}, {masks} masks", False, rows))
  first, *_ = models = list(paper.TABLE_7[paper.LOW])
  rows = []
  for model in models:
    texts = [paper.TABLE_7[band][model] for band in _BANDS.values()]
    texts += [NONE if model == first else _signed(paper.TABLE_7_DIFFERENCES[band][model]) for band in _BANDS.values()]
    rows.append(Row(model, [Cell(text, paper.TABLE_7_MEASURED_ON) for text in texts]))
  groups.append(RowGroup("Paper, Table 7", True, rows))
  bands = ["low", "mid", "high"]
  return [
    CitedTable(
      "SSIM by frequency range (Table 7, with a row per model)",
      ["Model", *bands, *bands],
      groups,
      [note for run in runs for note in _left_out(run, list(run.record["test_sets"]), _BANDS)],
      [("", 1), ("SSIM", len(bands)), ("minus the first model", len(bands))],
    )
  ]


def by_hole_size(runs: Sequence[Run]) -> list[CitedTable]:
  """Returns ours by size of the hole; the paper has no such tables."""
  return [
    cite(table, f"This run: {run.folder}", provenance.of_test_set(run, masks))
    for run in runs
    for masks in run.record["test_sets"]
    for table in score_tables.bucket_tables(run.record, [masks])
  ]


def _wide(title, runs, heading, key, with_parameters, of_paper) -> CitedTable:
  """A row per method, the paper's metrics of every test set side by side."""
  sets, metrics = _test_sets(runs), score_tables.PAPER_METRICS
  groups = [_ours(run, sets, metrics, key, with_parameters) for run in runs]
  groups.append(RowGroup("Paper", True, of_paper(sets)))
  spans = [("", 2), *((f"{masks} masks", len(metrics)) for masks in sets)] + ([("", 1)] if with_parameters else [])
  columns = ["Model", heading, *(metric for _ in sets for metric in metrics)]
  return CitedTable(
    title, columns + (["Parameters"] if with_parameters else []), groups, _notes(runs, sets, metrics, True), spans
  )


def _ours(run, sets, metrics, key=None, with_parameters=False) -> RowGroup:
  """The means of a run's methods; a column for the entry `key` first, one for the parameters last."""
  rows = []
  for method, entry in run.record["methods"].items():
    texts, sources = [], []
    for masks in sets:
      is_there = masks in run.record["test_sets"]
      texts += [
        score_tables.format_score(score_tables.mean_of(run.record, masks, method, metric).value, metric)
        if is_there
        else NONE
        for metric in metrics
      ]
      sources += [
        provenance.of_test_set(run, masks, metric) if is_there else f"this run ({run.folder}) has no {masks} masks"
        for metric in metrics
      ]
    if key:
      texts.insert(0, str(entry.get(key, NONE)))
      sources.insert(0, _MODEL_ITSELF)
    if with_parameters:
      texts.append(score_tables.format_parameters(entry))
      sources.append(_MODEL_ITSELF)
    rows.append(_row(method, entry, texts, sources))
  return RowGroup(f"This run: {run.folder}", False, rows)


def _row(method, entry, texts, sources) -> Row:
  detail = provenance.of_method(method, entry)
  return Row(method, [Cell(text, source, detail) for text, source in zip(texts, sources)])


def _comparison_of_paper(masks, images, metrics) -> RowGroup:
  rows = []
  for method in paper.TABLE_1[masks, images]:
    cells = {
      metric: Cell(
        text, f"paper, {tables}: {paper.IMAGES[images]}, {paper.MASKS[masks]}", paper.REMARKS_ON_SCORES.get(method, "")
      )
      for tables, scores in ((paper.TABLES_WITH_TABLE_1[images], paper.TABLE_1), ("Table 10", paper.TABLE_10))
      for metric, text in scores[masks, images][method].items()
    }
    rows.append(Row(method, [cells.get(metric, Cell(NONE, _NOT_IN_PAPER)) for metric in metrics]))
  return RowGroup(f"Paper: {images}", True, rows)


def _cells_of_paper(sets, scores: Mapping[str, Any], source) -> list[Cell]:
  return [
    Cell(scores[masks][metric], source[masks]) if masks in scores else Cell(NONE, _NOT_IN_PAPER)
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
    ["Measured on different images and masks: not to be compared with those above, nor with one another."],
  )


def _test_sets(runs) -> list[str]:
  """The names of the paper's kinds of masks, then all others."""
  return list(dict.fromkeys([*paper.MASKS, *(name for run in runs for name in run.record["test_sets"])]))


def _notes(runs, sets, metrics, has_paper) -> list[str]:
  return [note for run in runs for note in _left_out(run, sets, metrics)] + ([] if has_paper else [_NO_PAPER])


def _left_out(run, sets, metrics) -> list[str]:
  return [
    f"{run.folder}: {note}"
    for masks in sets
    if masks in run.record["test_sets"]
    for note in score_tables.missing_values(run.record, masks, metrics)
  ]


def _signed(text: str) -> str:
  return text if text.startswith(("-", "+")) else f"+{text}"

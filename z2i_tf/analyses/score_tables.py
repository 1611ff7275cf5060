"""The paper's tables of an evaluation's record: comparison, ablation, frequency analysis, scale study."""

from collections.abc import Mapping
from collections.abc import Sequence
import csv
import io
from typing import Any

import numpy as np

from z2i_tf.analyses import records
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.metrics import statistics

# Metric -> digits after the point, in the order of the tables (those of the paper's).
METRICS = {
  "PSNR": 2,
  "SSIM": 4,
  "MS-SSIM": 4,
  "L1": 5,
  "LPIPS": 4,
  "FID": 2,
  "ST-LPIPS alex": 4,
  "ST-LPIPS vgg": 4,
  "hole PSNR": 2,
  "hole L1": 5,
  "hole SSIM": 4,
  "SSIM high": 4,
  "SSIM mid": 4,
  "SSIM low": 4,
}
LOWER_IS_BETTER = ("L1", "LPIPS", "FID", "ST-LPIPS alex", "ST-LPIPS vgg", "hole L1")
# The metrics of the paper's tables of ablations and scales.
PAPER_METRICS = ("PSNR", "SSIM", "MS-SSIM", "L1")
BANDS = (("SSIM low", "Low frequency"), ("SSIM mid", "Mid frequency"), ("SSIM high", "High frequency"))
_BUCKET_METRICS = ("PSNR", "hole PSNR")


def tables_of(analysis: str, record: Mapping[str, Any]) -> list[Table]:
  """Returns the tables of a record of z2i evaluate in the layout of an analysis."""
  made = {"comparison": _comparison, "ablation": _ablation, "frequency": _frequency, "scale_study": _scale_study}
  return [*made[analysis](record), *bucket_tables(record)]


def mean_of(record: Mapping[str, Any], test_set: str, method: str, metric: str) -> statistics.Mean:
  """Returns the mean of a metric, or the value of one of the whole set (FID)."""
  per_set = record["set_scores"].get(test_set, {}).get(method, {})
  if metric in per_set:
    return statistics.mean(records.numbers([per_set[metric]]))
  return statistics.mean(records.numbers(record["scores"][test_set][method].get(metric, [])))


def number(value: float, metric: str) -> str:
  """Returns a score as the tables show it."""
  return f"{value:.{METRICS[metric]}f}" if np.isfinite(value) else NONE


def measured_on(record: Mapping[str, Any], test_set: str) -> str:
  """Returns what a set consists of, in words."""
  images = record["test_sets"][test_set]["images"]
  sizes = sorted({(image["height"], image["width"]) for image in images})
  size = f"{sizes[0][0]}x{sizes[0][1]}" if len(sizes) == 1 else f"{len(sizes)} sizes"
  ratio = 100 * np.mean([image["hole_ratio"] for image in images])
  return f"{len(images)} images ({size}), {test_set} masks, mean hole {ratio:.2f}%"


def scores_csv(record: Mapping[str, Any]) -> str:
  """Returns a row per test set, image and method."""
  metrics = metrics_in(record["scores"])
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(["test_set", "image", "hole_ratio", "method", *metrics])
  for test_set, entry in record["test_sets"].items():
    for index, image in enumerate(entry["images"]):
      for method in record["methods"]:
        scores = record["scores"][test_set][method]
        writer.writerow(
          [
            test_set,
            image["name"],
            f"{image['hole_ratio']:.9g}",
            method,
            *(f"{float(scores[metric][index]):.9g}" for metric in metrics),
          ]
        )
  return text.getvalue()


def _comparison(record) -> list[Table]:
  made = []
  for test_set in record["test_sets"]:
    metrics = [
      metric
      for metric in METRICS
      if metric not in dict(BANDS)
      and (
        metric in metrics_in({test_set: record["scores"][test_set]})
        or metric in metrics_in({test_set: record["set_scores"].get(test_set, {})})
      )
    ]
    rows = [
      [method, *(number(mean_of(record, test_set, method, metric).value, metric) for metric in metrics)]
      for method in record["methods"]
    ]
    made.append(Table(f"Comparison, {test_set} masks", ["Method", *metrics], rows, notes_on(record, test_set, metrics)))
  return made


def _ablation(record) -> list[Table]:
  return [_wide(record, "Ablations", "ch.", "width", True)]


def _scale_study(record) -> list[Table]:
  return [_wide(record, "Scale study", "scale", "scale", False)]


def _wide(record, title, heading, key, with_parameters) -> Table:
  """A row per method, the paper's metrics of every test set side by side."""
  sets = list(record["test_sets"])
  columns = ["Models", heading, *(f"{test_set}: {metric}" for test_set in sets for metric in PAPER_METRICS)]
  rows = []
  for method in record["methods"]:
    entry = record["methods"][method]
    cells = [
      method,
      str(entry.get(key, NONE)),
      *(
        number(mean_of(record, test_set, method, metric).value, metric) for test_set in sets for metric in PAPER_METRICS
      ),
    ]
    rows.append(cells + ([parameters(entry)] if with_parameters else []))
  notes = [note for test_set in sets for note in notes_on(record, test_set, PAPER_METRICS)]
  return Table(title, columns + (["Parameters"] if with_parameters else []), rows, list(dict.fromkeys(notes)))


def parameters(entry: Mapping[str, Any]) -> str:
  """Returns a method's number of trainable weights as the paper writes it, in millions."""
  return f"{entry['parameters'] / 1e6:.2f}M" if "parameters" in entry else NONE


def _frequency(record) -> list[Table]:
  made = []
  first, *others = record["methods"]
  for test_set in record["test_sets"]:
    rows = []
    for metric, heading in BANDS:
      values = {method: mean_of(record, test_set, method, metric).value for method in record["methods"]}
      rows.append(
        [
          heading,
          *(number(value, metric) for value in values.values()),
          *(number(values[method] - values[first], metric) for method in others),
        ]
      )
    made.append(
      Table(
        f"SSIM by frequency, {test_set} masks",
        ["Frequency range", *record["methods"], *(f"{name} - {first}" for name in others)],
        rows,
        notes_on(record, test_set, [metric for metric, _ in BANDS]),
      )
    )
  return made


def bucket_tables(record: Mapping[str, Any]) -> list[Table]:
  """Returns the PSNR by size of the hole, for test sets whose holes are of several sizes."""
  made = []
  for test_set, entry in record["test_sets"].items():
    members = statistics.buckets(np.array([image["hole_ratio"] for image in entry["images"]]))
    if len(members) < 2:
      continue
    for metric in _BUCKET_METRICS:
      rows = []
      for method in record["methods"]:
        values = records.numbers(record["scores"][test_set][method][metric])
        rows.append([method, *(number(statistics.mean(values[chosen]).value, metric) for chosen in members.values())])
      headings = [f"{name} ({chosen.sum()} images)" for name, chosen in members.items()]
      made.append(Table(f"{metric} by size of the hole, {test_set} masks", ["Method", *headings], rows))
  return made


def notes_on(record: Mapping[str, Any], test_set: str, metrics: Sequence[str]) -> list[str]:
  """Returns what a table's cells were measured on, which values are not in its means, and the record's notes."""
  return list(
    dict.fromkeys(
      [f"{measured_on(record, test_set)}.", *left_out_of_means(record, test_set, metrics), *record["notes"]]
    )
  )


def left_out_of_means(record: Mapping[str, Any], test_set: str, metrics: Sequence[str]) -> list[str]:
  """Returns a line for each metric with values that are not in its means."""
  notes = []
  for metric in metrics:
    for method in record["methods"]:
      found = mean_of(record, test_set, method, metric)
      if found.infinite:
        notes.append(
          f"{metric} of {method}: {found.infinite} images equal the original (infinite) and are not in the mean."
        )
      if found.undefined:
        notes.append(
          f"{metric}: not defined for {found.undefined} of the images with {test_set} masks, which are not in the mean."
        )
  return list(dict.fromkeys(notes))


def metrics_in(scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
  """Returns the metrics that test sets -> methods -> metrics have, in the order of the tables."""
  found = {metric for methods in scores.values() for metrics in methods.values() for metric in metrics}
  return [metric for metric in METRICS if metric in found]

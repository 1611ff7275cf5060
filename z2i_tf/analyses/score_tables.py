"""Makes the tables of an evaluation in the paper's layouts."""

from collections.abc import Iterable
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

# Metric -> the paper's decimal places, in the order of the tables.
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
# Metrics of the paper's tables of ablations and scales.
PAPER_METRICS = ("PSNR", "SSIM", "MS-SSIM", "L1")
# Metrics that these tables add when measured.
_PERCEPTUAL_METRICS = ("LPIPS", "ST-LPIPS alex", "ST-LPIPS vgg")
BANDS = (("SSIM low", "Low frequency"), ("SSIM mid", "Mid frequency"), ("SSIM high", "High frequency"))
_BUCKET_METRICS = ("PSNR", "hole PSNR")
# Layouts of the tables of z2i evaluate.
ANALYSES = ("comparison", "ablation", "frequency", "scale_study")


def tables_of(analysis: str, record: Mapping[str, Any]) -> list[Table]:
  """Returns the tables of a record of z2i evaluate in the layout of an analysis."""
  made = dict(zip(ANALYSES, (_comparison, _ablation, _frequency, _scale_study)))
  return [*made[analysis](record), *bucket_tables(record)]


def scores_of(record: Mapping[str, Any], test_set: str, method: str, metric: str) -> np.ndarray:
  """Returns the (N,) scores of the images of a test set, empty if the metric was not measured per image."""
  return records.numbers(record["scores"][test_set][method].get(metric, []))


def mean_of(record: Mapping[str, Any], test_set: str, method: str, metric: str) -> statistics.Mean:
  """Returns the mean of a metric over a test set, or the value of a metric of the whole set (FID)."""
  per_set = record["set_scores"].get(test_set, {}).get(method, {})
  if metric in per_set:
    return statistics.mean(records.numbers([per_set[metric]]))
  return statistics.mean(scores_of(record, test_set, method, metric))


def format_score(value: float, metric: str) -> str:
  """Returns a score with the metric's decimal places, or a dash if it is infinite or undefined."""
  return f"{value:.{METRICS[metric]}f}" if np.isfinite(value) else NONE


def format_mean(record: Mapping[str, Any], test_set: str, method: str, metric: str) -> str:
  """Returns `mean_of` as text."""
  return format_score(mean_of(record, test_set, method, metric).value, metric)


def format_parameters(entry: Mapping[str, Any]) -> str:
  """Returns a method's number of trainable weights in millions, as the paper writes it."""
  return f"{entry['parameters'] / 1e6:.2f}M" if "parameters" in entry else NONE


def measured_on(record: Mapping[str, Any], test_set: str) -> str:
  """Describes a test set: number and size of its images, masks, mean hole."""
  images = record["test_sets"][test_set]["images"]
  sizes = sorted({(image["height"], image["width"]) for image in images})
  size = f"{sizes[0][0]}x{sizes[0][1]}" if len(sizes) == 1 else f"{len(sizes)} sizes"
  ratio = 100 * np.mean([image["hole_ratio"] for image in images])
  return f"{len(images)} images ({size}), {test_set} masks, mean hole {ratio:.2f}%"


def measured_metrics(record: Mapping[str, Any], test_set: str) -> list[str]:
  """Returns the metrics of a test set without the frequency bands, in the order of the tables."""
  found = {
    metric
    for entry in ("scores", "set_scores")
    for metrics in record[entry].get(test_set, {}).values()
    for metric in metrics
  }
  return [metric for metric in METRICS if metric in found and metric not in dict(BANDS)]


def scores_csv(record: Mapping[str, Any]) -> str:
  """Returns CSV with a row per test set, image and method."""
  found = {metric for methods in record["scores"].values() for metrics in methods.values() for metric in metrics}
  metrics = [metric for metric in METRICS if metric in found]
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(["test_set", "image", "hole_ratio", "method", *metrics])
  for test_set, entry in record["test_sets"].items():
    for index, image in enumerate(entry["images"]):
      for method in record["methods"]:
        scores = record["scores"][test_set][method]
        values = (f"{float(scores[metric][index]):.9g}" for metric in metrics)
        writer.writerow([test_set, image["name"], f"{image['hole_ratio']:.9g}", method, *values])
  return text.getvalue()


def _comparison(record: Mapping[str, Any]) -> list[Table]:
  made = []
  for test_set in record["test_sets"]:
    metrics = measured_metrics(record, test_set)
    rows = [
      [method, *(format_mean(record, test_set, method, metric) for metric in metrics)] for method in record["methods"]
    ]
    notes = _notes(record, test_set, metrics)
    made.append(Table(f"Comparison, {test_set} masks", ["Method", *metrics], rows, notes))
  return made


def _ablation(record: Mapping[str, Any]) -> list[Table]:
  return [_wide(record, "Ablations", "ch.", "width", True)]


def _scale_study(record: Mapping[str, Any]) -> list[Table]:
  return [_wide(record, "Scale study", "scale", "scale", False)]


def _wide(record: Mapping[str, Any], title: str, heading: str, key: str, with_parameters: bool) -> Table:
  """Returns a row per method, with the paper's and the perceptual metrics of every test set side by side."""
  metrics = {
    test_set: [*PAPER_METRICS, *(name for name in measured_metrics(record, test_set) if name in _PERCEPTUAL_METRICS)]
    for test_set in record["test_sets"]
  }
  cells = [(test_set, metric) for test_set, names in metrics.items() for metric in names]
  columns = ["Models", heading, *map(": ".join, cells)] + ["Parameters"] * with_parameters
  rows = [
    [method, str(entry.get(key, NONE)), *(format_mean(record, test_set, method, metric) for test_set, metric in cells)]
    + [format_parameters(entry)] * with_parameters
    for method, entry in record["methods"].items()
  ]
  notes = [note for test_set in record["test_sets"] for note in _notes(record, test_set, metrics[test_set])]
  return Table(title, columns, rows, list(dict.fromkeys(notes)))


def _frequency(record: Mapping[str, Any]) -> list[Table]:
  made = []
  first, *others = record["methods"]
  for test_set in record["test_sets"]:
    rows = []
    for metric, heading in BANDS:
      values = {method: mean_of(record, test_set, method, metric).value for method in record["methods"]}
      differences = [values[method] - values[first] for method in others]
      rows.append([heading, *(format_score(value, metric) for value in [*values.values(), *differences])])
    made.append(
      Table(
        f"SSIM by frequency, {test_set} masks",
        ["Frequency range", *record["methods"], *(f"{name} - {first}" for name in others)],
        rows,
        _notes(record, test_set, [metric for metric, _ in BANDS]),
      )
    )
  return made


def bucket_tables(record: Mapping[str, Any], test_sets: Iterable[str] | None = None) -> list[Table]:
  """Returns tables of PSNR by hole size, for test sets with holes of several sizes.

  Args:
    record: of z2i evaluate.
    test_sets: names; all if None.
  """
  made = []
  for test_set in record["test_sets"] if test_sets is None else test_sets:
    members = hole_size_buckets(record, test_set)
    if len(members) < 2:
      continue
    headings = [f"{name} ({chosen.sum()} image{'' if chosen.sum() == 1 else 's'})" for name, chosen in members.items()]
    for metric in _BUCKET_METRICS:
      rows = []
      for method in record["methods"]:
        values = scores_of(record, test_set, method, metric)
        means = (statistics.mean(values[chosen]).value for chosen in members.values())
        rows.append([method, *(format_score(mean, metric) for mean in means)])
      made.append(Table(f"{metric} by size of the hole, {test_set} masks", ["Method", *headings], rows))
  return made


def hole_size_buckets(record: Mapping[str, Any], test_set: str) -> dict[str, np.ndarray]:
  """Groups the images of a test set by hole size: name of the bucket -> (N,) bool, its members."""
  images = record["test_sets"][test_set]["images"]
  return statistics.buckets(np.array([image["hole_ratio"] for image in images]))


def _notes(record: Mapping[str, Any], test_set: str, metrics: Sequence[str]) -> list[str]:
  lines = [f"{measured_on(record, test_set)}.", *missing_values(record, test_set, metrics), *record["notes"]]
  return list(dict.fromkeys(lines))


def missing_values(record: Mapping[str, Any], test_set: str, metrics: Sequence[str]) -> list[str]:
  """Returns a line for each mean that leaves out infinite or undefined values."""
  notes = []
  for metric in metrics:
    for method in record["methods"]:
      found = mean_of(record, test_set, method, metric)
      if found.infinite:
        notes.append(
          f"{metric} of {method}: the mean leaves out {found.infinite} images equal to the original (infinite)."
        )
      if found.undefined:
        notes.append(
          f"{metric}: the mean leaves out {found.undefined} images with {test_set} masks for which it is undefined."
        )
  return list(dict.fromkeys(notes))

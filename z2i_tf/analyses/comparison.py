"""Two evaluations of the same images and masks, compared image by image."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from z2i_tf.analyses import records
from z2i_tf.analyses import score_tables
from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.errors import InputError
from z2i_tf.metrics import statistics


def check_are_of_the_same(paths: Sequence[str], found: Sequence[Mapping[str, Any]]) -> None:
  """Raises InputError unless two records (of the files `paths`) are of the same test sets."""
  first, second = (record["test_sets"] for record in found)
  if set(first) != set(second):
    raise InputError(
      f"{paths[0]} has the test sets {', '.join(first)}, {paths[1]} has {', '.join(second)}; only "
      "evaluations of the same ones can be compared"
    )
  for name in first:
    if first[name]["hash"] != second[name]["hash"]:
      images = [
        {image["name"]: (image["image"], image["mask"]) for image in sets[name]["images"]} for sets in (first, second)
      ]
      differing = sum(images[0].get(image) != images[1].get(image) for image in {*images[0], *images[1]})
      raise InputError(
        f"{paths[0]} and {paths[1]} are of different test sets: {differing} images or masks of {name!r} "
        "differ; evaluate both on the same"
      )


def method_of(path: str, record: Mapping[str, Any], name: str | None) -> str:
  """Returns a method of a record; without a name its only model (or method). Raises InputError if that is unclear."""
  methods = record["methods"]
  if name is not None:
    if name not in methods:
      raise InputError(f"--methods: {path} has no {name}; it has {', '.join(methods)}")
    return name
  for chosen in ([name for name, entry in methods.items() if entry["kind"] == "model"], list(methods)):
    if len(chosen) == 1:
      return chosen[0]
  raise InputError(f"{path} has several methods: choose one of {', '.join(methods)} with --methods=A_NAME,B_NAME")


def paired_tables(
  found: Sequence[Mapping[str, Any]],
  names: Sequence[str],
  metrics: Sequence[str] | None,
  confidence: float,
  resamples: int,
  seed: int,
) -> list[Table]:
  """Returns a table per test set: every metric's means, their paired difference (second minus first), its interval.

  Args:
    found: two records of the same test sets.
    names: of the method of each.
    metrics: to compare; None: all that both have per image.
    confidence: of the bootstrap intervals.
    resamples: of the bootstrap.
    seed: of it.
  Raises: InputError for a metric that is not in both.
  """
  made = []
  for test_set, entry in found[0]["test_sets"].items():
    scores = [record["scores"][test_set][name] for record, name in zip(found, names)]
    both = [metric for metric in score_tables.METRICS if all(metric in each for each in scores)]
    for metric in metrics or []:
      if metric not in both:
        raise InputError(f"--metrics={metric}: not in both records per image; they have {', '.join(both)}")
    ratios = np.array([image["hole_ratio"] for image in entry["images"]])
    groups = {"all": np.ones(len(ratios), bool), **statistics.buckets(ratios)}
    rows = []
    for metric in metrics or both:
      pairs = np.stack([records.numbers(each[metric]) for each in scores])
      for group, members in groups.items():
        rows.append([metric, group, *_compared(pairs[:, members], metric, confidence, resamples, seed)])
    made.append(
      Table(
        f"{names[1]} (B) minus {names[0]} (A), {test_set} masks",
        ["Metric", "hole", "images", "A", "B", "B - A", f"{100 * confidence:g}% interval", "B better"],
        rows,
        [
          f"{score_tables.measured_on(found[0], test_set)}. Means over images where both are finite; percentile "
          f"bootstrap of the paired difference, {resamples} resamples, seed {seed}."
        ],
      )
    )
  return made


def _compared(pairs, metric, confidence, resamples, seed):
  """Cells of a row, of (2, N) scores."""
  first, second = pairs[:, np.isfinite(pairs).all(axis=0)]
  if not len(first):
    return ["0", *[NONE] * 5]
  differences = second - first
  interval = NONE
  if len(first) > 1:
    lower, upper = statistics.bootstrap_interval(differences, np.random.default_rng(seed), resamples, confidence)
    interval = f"{score_tables.number(lower, metric)} .. {score_tables.number(upper, metric)}"
  better = differences < 0 if metric in score_tables.LOWER_IS_BETTER else differences > 0
  return [
    str(len(first)),
    score_tables.number(first.mean(), metric),
    score_tables.number(second.mean(), metric),
    f"{differences.mean():+.{score_tables.METRICS[metric]}f}",
    interval,
    f"{100 * better.mean():.0f}%",
  ]

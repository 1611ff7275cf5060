"""Compares two records of z2i evaluate image by image."""

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


def check_same_test_sets(paths: Sequence[str], found: Sequence[Mapping[str, Any]]) -> None:
  """Raises InputError unless two records, read from the files `paths`, evaluate the same test sets."""
  first, second = (record["test_sets"] for record in found)
  if set(first) != set(second):
    raise InputError(
      f"{paths[0]} has the test sets {', '.join(first)}, {paths[1]} has {', '.join(second)}; evaluate both on the same"
    )
  for name in first:
    if first[name]["hash"] != second[name]["hash"]:
      images = [
        {image["name"]: (image["image"], image["mask"]) for image in sets[name]["images"]} for sets in (first, second)
      ]
      differing = sum(images[0].get(image) != images[1].get(image) for image in {*images[0], *images[1]})
      raise InputError(
        f"{paths[0]} and {paths[1]} have different test sets: {differing} images or masks of {name!r} differ; "
        "evaluate both on the same"
      )


def choose_method(path: str, record: Mapping[str, Any], name: str | None) -> str:
  """Returns the method of a record to compare.

  Args:
    path: of the record, for messages.
    record: of z2i evaluate.
    name: of the method; None for the record's only model, or else its only method.
  Raises: InputError if the record lacks the method, or several could be meant.
  """
  methods = record["methods"]
  if name is not None:
    if name not in methods:
      raise InputError(f"`methods`: {path} has no {name}; it has {', '.join(methods)}")
    return name
  for chosen in ([name for name, entry in methods.items() if entry["kind"] == "model"], list(methods)):
    if len(chosen) == 1:
      return chosen[0]
  raise InputError(f"{path} has several methods; choose one of {', '.join(methods)} with `methods`")


def paired_tables(
  found: Sequence[Mapping[str, Any]],
  names: Sequence[str],
  metrics: Sequence[str] | None,
  confidence: float,
  resamples: int,
  seed: int,
) -> list[Table]:
  """Compares two methods image by image: means, paired difference (second minus first) and its interval.

  Args:
    found: two records of the same test sets.
    names: the method of each.
    metrics: to compare; None for all that both have per image.
    confidence: of the bootstrap intervals, in (0, 1).
    resamples: number of bootstrap resamples.
    seed: of the bootstrap.
  Returns: a table per test set.
  Raises: InputError for a metric that either record lacks.
  """
  made = []
  for test_set in found[0]["test_sets"]:
    scores = [record["scores"][test_set][name] for record, name in zip(found, names)]
    both = [metric for metric in score_tables.METRICS if all(metric in each for each in scores)]
    for metric in metrics or []:
      if metric not in both:
        raise InputError(f"`metrics`={metric}: not in both records per image; they have {', '.join(both)}")
    count = len(found[0]["test_sets"][test_set]["images"])
    groups = {"all": np.ones(count, bool), **score_tables.hole_size_buckets(found[0], test_set)}
    rows = []
    for metric in metrics or both:
      pairs = np.stack([records.numbers(each[metric]) for each in scores])
      for group, members in groups.items():
        rows.append([metric, group, *_compare(pairs[:, members], metric, confidence, resamples, seed)])
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


def _compare(pairs: np.ndarray, metric: str, confidence: float, resamples: int, seed: int) -> list[str]:
  """Returns the cells of a row for (2, N) scores."""
  first, second = pairs[:, np.isfinite(pairs).all(axis=0)]
  if not len(first):
    return ["0", *[NONE] * 5]
  differences = second - first
  interval = NONE
  if len(first) > 1:
    ends = statistics.bootstrap_interval(differences, np.random.default_rng(seed), resamples, confidence)
    interval = " .. ".join(score_tables.format_score(end, metric) for end in ends)
  better = differences < 0 if metric in score_tables.LOWER_IS_BETTER else differences > 0
  return [
    str(len(first)),
    score_tables.format_score(first.mean(), metric),
    score_tables.format_score(second.mean(), metric),
    f"{differences.mean():+.{score_tables.METRICS[metric]}f}",
    interval,
    f"{100 * better.mean():.0f}%",
  ]

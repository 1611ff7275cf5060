"""Means, hole-size buckets and confidence intervals."""

import math
from typing import NamedTuple

import numpy as np

# Lower edges of the buckets, as shares of the image (tenths, as in LaMa and others); the last bucket is open.
BUCKET_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
# Quantile of the normal distribution for intervals of 95%.
_Z_95 = 1.959963984540054
# Numbers drawn at once; bounds the memory of the bootstrap to about 16 MiB (indices and values).
_DRAWS_AT_ONCE = 2**20


class Mean(NamedTuple):
  """A mean over finite values.

  Attributes:
    value: the mean; NaN if no value is finite.
    count: number of finite values.
    infinite: number of infinite values, which the mean omits: PSNR of identical images.
    undefined: number of NaN values, which the mean omits: images too small for the metric.
  """

  value: float
  count: int  # type: ignore[assignment]  # Shadows tuple.count.
  infinite: int
  undefined: int


def mean(values: np.ndarray) -> Mean:
  """Returns the `Mean` of (N,) values."""
  finite = np.isfinite(values)
  undefined = int(np.isnan(values).sum())
  return Mean(
    float(np.mean(values[finite])) if finite.any() else float("nan"),
    int(finite.sum()),
    int((~finite).sum()) - undefined,
    undefined,
  )


def buckets(hole_ratios: np.ndarray) -> dict[str, np.ndarray]:
  """Groups images by the size of their hole relative to the image.

  Args:
    hole_ratios: (N,) in [0, 1].
  Returns: name ("10-20%") -> (N,) bool, members of each bucket that is not empty.
  """
  number = np.searchsorted(BUCKET_EDGES, hole_ratios, side="right") - 1
  ends = (*BUCKET_EDGES[1:], 1.0)
  members = {
    f"{100 * start:.0f}-{100 * end:.0f}%": number == index for index, (start, end) in enumerate(zip(BUCKET_EDGES, ends))
  }
  return {name: chosen for name, chosen in members.items() if chosen.any()}


def bootstrap_interval(
  differences: np.ndarray, rng: np.random.Generator, resamples: int = 10_000, confidence: float = 0.95
) -> tuple[float, float]:
  """Returns the percentile bootstrap interval of a mean (Efron and Tibshirani 1993, chapter 13).

  Args:
    differences: (N,) paired differences, N >= 1.
    rng: draws the resamples.
    resamples: number of resamples.
    confidence: of the interval.
  Returns: lower and upper end.
  """
  count = len(differences)
  at_once = max(1, _DRAWS_AT_ONCE // count)
  means = [
    differences[rng.integers(count, size=(min(at_once, resamples - done), count))].mean(axis=1)
    for done in range(0, resamples, at_once)
  ]
  lower, upper = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
  return float(lower), float(upper)


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
  """Returns the lower and upper end of Wilson's 95% interval of a share, both in [0, 1].

  Unlike the usual p +- 1.96 s it stays within [0, 1], and it keeps its 95% for small numbers and extreme shares
  (Wilson, "Probable inference, the law of succession, and statistical inference", 1927).

  Args:
    successes: number of successes.
    total: number of trials, at least 1.
  """
  share = successes / total
  center = share + _Z_95**2 / (2 * total)
  reach = _Z_95 * math.sqrt(share * (1 - share) / total + (_Z_95 / (2 * total)) ** 2)
  scale = 1 + _Z_95**2 / total
  # At shares of 0 and 1 the interval ends there; rounding must not put it beyond.
  return max(0.0, (center - reach) / scale), min(1.0, (center + reach) / scale)

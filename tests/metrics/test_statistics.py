"""Means, buckets and confidence intervals."""

import numpy as np
import pytest

from z2i_tf.metrics import statistics


def test_mean_counts_what_it_leaves_out():
  found = statistics.mean(np.array([30.0, np.inf, np.nan, 20.0, np.inf]))
  assert found == (25.0, 2, 2, 1)
  empty = statistics.mean(np.array([np.nan, np.inf]))
  assert np.isnan(empty.value) and empty[1:] == (0, 1, 1)


def test_buckets_hold_every_image_once():
  ratios = np.array([0.0, 0.05, 0.1, 0.49, 0.5, 0.99, 1.0])
  found = statistics.buckets(ratios)
  assert {name: list(ratios[chosen]) for name, chosen in found.items()} == {
    "0-10%": [0.0, 0.05],
    "10-20%": [0.1],
    "40-50%": [0.49],
    "50-100%": [0.5, 0.99, 1.0],
  }


def test_bootstrap_interval_against_scipy():
  stats = pytest.importorskip("scipy.stats")
  differences = np.random.default_rng(0).gamma(2.0, 1.0, 80) - 1.5
  ours = statistics.bootstrap_interval(differences, np.random.default_rng(1), 20_000, 0.9)
  theirs = stats.bootstrap(
    (differences,),
    np.mean,
    n_resamples=20_000,
    confidence_level=0.9,
    method="percentile",
    random_state=np.random.default_rng(2),
  ).confidence_interval
  np.testing.assert_allclose(ours, theirs, atol=0.02)
  assert ours[0] < differences.mean() < ours[1]


def test_bootstrap_interval_of_many_values_and_odd_numbers_of_resamples(monkeypatch):
  values = np.random.default_rng(0).normal(size=50)
  expected = statistics.bootstrap_interval(values, np.random.default_rng(1), 701)
  monkeypatch.setattr(statistics, "_DRAWS_AT_ONCE", 130)
  np.testing.assert_allclose(statistics.bootstrap_interval(values, np.random.default_rng(1), 701), expected)

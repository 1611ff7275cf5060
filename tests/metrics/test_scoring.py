import numpy as np
import pytest

from z2i_tf.metrics import batch_metrics
from z2i_tf.metrics import fid
from z2i_tf.metrics import scoring
from z2i_tf.metrics.image_scores import score_image


def _pair(seed=0, shape=(2, 24, 32, 3)):
  rng = np.random.default_rng(seed)
  target = rng.random(shape).astype(np.float32)
  return np.clip(target + rng.normal(0, 0.05, shape), 0, 1).astype(np.float32), target


def test_psnr_and_l1_by_numpy():
  predicted, target = _pair()
  error = predicted.astype(float) - target
  np.testing.assert_allclose(
    batch_metrics.psnr(predicted, target), -10 * np.log10((error**2).mean((1, 2, 3))), rtol=1e-4
  )
  np.testing.assert_allclose(batch_metrics.l1_error(predicted, target), np.abs(error).mean((1, 2, 3)), rtol=1e-5)


def _ssim_by_loops(predicted, target):
  """Wang et al. 2004 on one channel, window by window."""
  offsets = np.arange(11) - 5
  window = np.exp(-(offsets**2) / (2 * 1.5**2))
  window = np.outer(window, window) / window.sum() ** 2
  values = []
  for y in range(predicted.shape[0] - 10):
    for x in range(predicted.shape[1] - 10):
      a, b = (image[y : y + 11, x : x + 11].astype(float) for image in (predicted, target))
      mean_a, mean_b = (window * a).sum(), (window * b).sum()
      var_a, var_b = (window * a * a).sum() - mean_a**2, (window * b * b).sum() - mean_b**2
      covariance = (window * a * b).sum() - mean_a * mean_b
      values.append(
        (2 * mean_a * mean_b + 1e-4)
        * (2 * covariance + 9e-4)
        / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4))
      )
  return np.mean(values)


def test_ssim_by_loops():
  predicted, target = _pair(shape=(1, 16, 14, 3))
  expected = np.mean([_ssim_by_loops(predicted[0, ..., c], target[0, ..., c]) for c in range(3)])
  np.testing.assert_allclose(batch_metrics.ssim(predicted, target), [expected], rtol=1e-4)


def _examples(count, test_set="set"):
  images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
  return [
    scoring.Example(test_set, str(number), image, np.eye(16, dtype=np.uint8)) for number, image in enumerate(images)
  ]


def test_evaluate_hides_the_original_and_scores_every_example_of_every_set():
  examples, seen, kept = _examples(3) + _examples(2, "other"), [], []

  def keep_holes(example):
    seen.append(example.masked)
    return example.masked

  methods = {"hole": keep_holes, "original": lambda example: example.original}
  scores = scoring.collect(
    scoring.score_example(
      methods, example, keep=lambda example, name, result: kept.append((example.name, name, result))
    )
    for example in examples
  )
  for masked, example in zip(seen, examples):
    assert not masked[example.mask == 1].any()
    np.testing.assert_array_equal(masked[example.mask == 0], example.original[example.mask == 0])
  assert [len(scores.per_image[name]["hole"]["PSNR"]) for name in ("set", "other")] == [3, 2]
  for value, example in zip(scores.per_image["set"]["hole"]["PSNR"], examples):
    assert value == score_image(example.masked, example.original, example.mask)["PSNR"]
  assert scores.per_image["other"]["original"]["PSNR"] == [np.inf] * 2 and not scores.per_set
  assert [(name, method) for name, method, _ in kept[:3]] == [("0", "hole"), ("0", "original"), ("1", "hole")]


def test_evaluate_with_distance_and_features():
  examples = _examples(3) + _examples(1, "single")
  mean = lambda image: image.mean(axis=(0, 1)) / 255  # Three features.
  methods = {"hole": lambda example: example.masked, "original": lambda example: example.original}
  distances = {"LPIPS": lambda result, original: np.abs(result.astype(float) - original).mean(axis=(1, 2, 3))}
  scores = scoring.collect(scoring.score_example(methods, example, distances, mean) for example in examples)
  assert scores.per_image["set"]["original"]["LPIPS"] == [0.0] * 3
  np.testing.assert_allclose(
    scores.per_image["set"]["hole"]["LPIPS"],
    [np.abs(example.masked.astype(float) - example.original).mean() for example in examples[:3]],
  )
  expected = fid.fid(
    np.stack([mean(example.masked) for example in examples[:3]]),
    np.stack([mean(example.original) for example in examples[:3]]),
  )
  assert scores.per_set["set"]["hole"]["FID"] == pytest.approx(expected) and expected > 0
  assert scores.per_set["set"]["original"]["FID"] == pytest.approx(0, abs=1e-9) and "single" not in scores.per_set

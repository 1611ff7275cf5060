import math

import numpy as np
import pytest
from skimage import metrics as skimage_metrics
import tensorflow as tf

from z2i_tf.metrics import batch_metrics
from z2i_tf.metrics import image_scores
from z2i_tf.metrics.image_scores import score_image

_RNG = np.random.default_rng(0)


def _example(height, width, noise=20):
  """A smooth image with noise, the same with more noise, and a mask of a third of the pixels."""
  y, x = np.mgrid[:height, :width]
  smooth = 120 + 90 * np.stack([np.sin(y / 9), np.cos(x / 7), np.sin((x + y) / 11)], axis=-1)
  original = np.clip(smooth + _RNG.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
  result = np.clip(original + _RNG.normal(0, noise, smooth.shape), 0, 255).astype(np.uint8)
  return result, original, (_RNG.random((height, width)) < 0.3).astype(np.uint8)


def _skimage_ssim(result, original, data_range=255):
  """SSIM and its map at valid positions."""
  value, ssim_map = skimage_metrics.structural_similarity(
    result,
    original,
    channel_axis=-1,
    gaussian_weights=True,
    sigma=1.5,
    use_sample_covariance=False,
    data_range=data_range,
    full=True,
  )
  return value, ssim_map[5:-5, 5:-5]


@pytest.mark.parametrize("size", [(64, 80), (11, 11), (13, 300), (271, 30)])
def test_scores_by_numpy_and_skimage(size):
  result, original, mask = _example(*size)
  scores = score_image(result, original, mask)
  error = (result.astype(float) - original) / 255
  hole = mask == 1
  ssim, ssim_map = _skimage_ssim(result, original)
  expected = {
    "PSNR": skimage_metrics.peak_signal_noise_ratio(original, result),
    "L1": np.abs(error).mean(),
    "hole PSNR": -10 * np.log10((error[hole] ** 2).mean()),
    "hole L1": np.abs(error[hole]).mean(),
    "SSIM": ssim,
  }
  if hole[5:-5, 5:-5].any():
    expected["hole SSIM"] = ssim_map[hole[5:-5, 5:-5]].mean()
  assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)
  assert tuple(scores) == image_scores.IMAGE_METRICS
  assert image_scores.psnr(result, original) == scores["PSNR"]
  with pytest.raises(ValueError, match="expected two"):
    image_scores.psnr(result, original[1:])


def test_training_measures_the_same():
  result, original, mask = _example(40, 33)
  pair = [image[np.newaxis] / np.float32(255) for image in (result, original)]
  hole = mask[np.newaxis, ..., np.newaxis].astype(np.float32)
  in_training = {
    "PSNR": batch_metrics.psnr(*pair),
    "SSIM": batch_metrics.ssim(*pair),
    "L1": batch_metrics.l1_error(*pair),
    "hole PSNR": batch_metrics.hole_psnr(*pair, hole),
    "hole L1": batch_metrics.hole_l1_error(*pair, hole),
  }
  scores = score_image(result, original, mask)
  assert {name: float(values[0]) for name, values in in_training.items()} == pytest.approx(
    {name: scores[name] for name in in_training}, rel=1e-4
  )


@pytest.mark.parametrize("size", [(176, 176), (177, 203)])
def test_ms_ssim_by_tensorflow(size):
  result, original, mask = _example(*size, noise=50)
  result //= 2  # So that the luminance counts,
  result[-1], result[:, -1] = 255, 0  # and what an odd side's last row is averaged with.
  expected = float(tf.image.ssim_multiscale(result[np.newaxis], original[np.newaxis], max_val=255)[0])
  assert score_image(result, original, mask)["MS-SSIM"] == pytest.approx(expected, abs=2e-5)


def test_ms_ssim_of_opposite_images_is_zero():
  _, original, mask = _example(176, 176)
  assert score_image(255 - original, original, mask)["MS-SSIM"] == 0.0


def _enlarged(image, height, width):
  """Burt and Adelson's: zeros between, then the kernel, at twice its weight along each axis."""
  spread = np.zeros((height, width) + image.shape[2:])
  spread[::2, ::2] = image
  return 4 * _blurred(spread)


def _blurred(image):
  kernel = np.array([1, 4, 6, 4, 1]) / 16
  for axis in (0, 1):
    padding = [(2, 2) if each == axis else (0, 0) for each in range(3)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, padding, mode="reflect"), 5, axis=axis)
    image = windows @ kernel
  return image


def _pyramid(image):
  levels = []
  for _ in range(2):
    lower = _blurred(image)[::2, ::2]
    levels.append(image - _enlarged(lower, *image.shape[:2]))
    image = lower
  return levels + [image]


def test_ssim_of_bands_by_a_pyramid_in_numpy():
  result, original, mask = _example(52, 64)
  scores = score_image(result, original, mask)
  levels = zip(*(_pyramid(image / 255) for image in (result, original)))
  expected = [_skimage_ssim(*level, data_range=1.0)[0] for level in levels]
  assert [scores[name] for name in ("SSIM high", "SSIM mid", "SSIM low")] == pytest.approx(expected, abs=1e-5)
  assert len({round(value, 3) for value in expected}) == 3  # The order is seen.


def test_tiles_are_not_seen(monkeypatch):
  example = _example(60, 45)
  whole = score_image(*example)
  monkeypatch.setattr(image_scores, "_TILE", 17)
  assert score_image(*example) == pytest.approx(whole, abs=1e-6, nan_ok=True)


def test_equal_images_and_a_hole_left_out():
  _, original, mask = _example(176, 176)
  scores = score_image(original, original, mask)
  assert scores.pop("PSNR") == scores.pop("hole PSNR") == math.inf
  assert scores.pop("L1") == scores.pop("hole L1") == 0.0
  assert scores == pytest.approx(dict.fromkeys(scores, 1.0), abs=1e-6)
  scores = score_image(original, original, np.zeros_like(mask))
  assert {name for name, value in scores.items() if math.isnan(value)} == {"hole PSNR", "hole L1", "hole SSIM"}


@pytest.mark.parametrize(
  "size, undefined",
  [
    ((10, 40), {"SSIM", "MS-SSIM", "hole SSIM", "SSIM high", "SSIM mid", "SSIM low"}),
    ((11, 40), {"MS-SSIM", "SSIM mid", "SSIM low"}),
    ((40, 40), {"MS-SSIM", "SSIM low"}),
    ((41, 41), {"MS-SSIM"}),
    ((175, 300), {"MS-SSIM"}),
    ((176, 176), set()),
  ],
)
def test_what_a_size_leaves_undefined_is_nan(size, undefined):
  result, original, mask = _example(*size)
  mask[:] = 1
  scores = score_image(result, original, mask)
  assert {name for name, value in scores.items() if math.isnan(value)} == undefined


def test_a_hole_at_the_border_has_no_ssim():
  result, original, mask = _example(30, 30)
  mask[:] = 0
  mask[:5] = 1
  scores = score_image(result, original, mask)
  assert math.isnan(scores["hole SSIM"]) and math.isfinite(scores["hole PSNR"])


@pytest.mark.parametrize(
  "change",
  [
    lambda a, b, m: (a / 255, b, m),
    lambda a, b, m: (a[1:], b, m),
    lambda a, b, m: (a, b, m[..., None]),
    lambda a, b, m: (a, b, m == 1),
  ],
)
def test_other_shapes_and_types_are_refused(change):
  with pytest.raises(ValueError, match="uint8"):
    score_image(*change(*_example(16, 16)))

"""Scores one 8-bit image against its original with OpenCV; used in evaluation.

Training scores batches in its graph (`batch_metrics`). For single images OpenCV's separable float32 filters are several
times faster, and one set of filtered moments serves SSIM, the SSIM of the hole and the first scale of MS-SSIM.
`tests/metrics/test_image_scores.py` compares the two.
"""

from collections.abc import Iterator
import math
import threading

import cv2
import numpy as np

PSNR, SSIM, MS_SSIM, L1 = "PSNR", "SSIM", "MS-SSIM", "L1"
HOLE_PSNR, HOLE_L1, HOLE_SSIM = "hole PSNR", "hole L1", "hole SSIM"
SSIM_HIGH, SSIM_MID, SSIM_LOW = "SSIM high", "SSIM mid", "SSIM low"
IMAGE_METRICS = (PSNR, SSIM, MS_SSIM, L1, HOLE_PSNR, HOLE_L1, HOLE_SSIM, SSIM_HIGH, SSIM_MID, SSIM_LOW)

# Wang et al. 2004: the side of SSIM's window in pixels, its sigma, and the constants that keep the quotients finite.
SSIM_WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
# Wang et al. 2003, finest scale first.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Shorter sides have no window at the coarsest scale.
MS_SSIM_SIDE = SSIM_WINDOW * 2 ** (len(_SCALE_WEIGHTS) - 1)

_LEVELS = 255.0
_C1, _C2 = (_K1 * _LEVELS) ** 2, (_K2 * _LEVELS) ** 2
_WINDOW = cv2.getGaussianKernel(SSIM_WINDOW, _SIGMA, cv2.CV_32F)
_MARGIN = SSIM_WINDOW // 2
# Valid positions along a side of a tile of SSIM's map. Tiles bound the memory to a few MiB for any image.
_TILE = 256

# Sum and difference of two images, (H, W, 3) float32, in levels. SSIM needs only the windowed means of both and of
# their squares: four filters instead of five. The sum is stored less an offset of 255, so that its squares keep their
# digits in float32; `_ssim_maps` adds the offset again.
_Pair = tuple[np.ndarray, np.ndarray]


def score_image(result: np.ndarray, original: np.ndarray, mask: np.ndarray) -> dict[str, float]:
  """Returns each of `IMAGE_METRICS` for one image; NaN for metrics that are undefined for its size or mask.

  * PSNR: in dB, infinite for equal images. L1: mean absolute difference of values in [0, 1].
  * SSIM: that of Wang et al. 2004 (Gaussian window, valid positions only, population covariance, mean over RGB); needs
    sides of at least `SSIM_WINDOW` pixels.
  * MS-SSIM: that of `tf.image.ssim_multiscale`; needs sides of at least `MS_SSIM_SIDE` pixels.
  * "hole PSNR" and "hole L1": over the hole's pixels. "hole SSIM": mean of SSIM's map over the windows whose centre is
    in the hole.
  * "SSIM high", "mid" and "low": SSIM of the levels of a Laplacian pyramid (Burt and Adelson 1983; kernel
    [1 4 6 4 1] / 16), which are two bands and the rest at a quarter of the size. The bands are signed, in [-1, 1] for
    images in [0, 1]. They are neither shifted nor rescaled, and SSIM's constants are the image's (k1 0.01, k2 0.03,
    range 1), so that equal differences count equally in every level.

  Nothing is resized.

  Args:
    result: (H, W, 3) uint8.
    original: (H, W, 3) uint8.
    mask: (H, W) uint8, 1 = hole.
  Raises: ValueError for other shapes or types.
  """
  _check(result, original, mask)
  scores = dict.fromkeys(IMAGE_METRICS, float("nan"))
  scores[PSNR], scores[L1] = _pixel_scores(result, original, None)
  scores[HOLE_PSNR], scores[HOLE_L1] = _pixel_scores(result, original, mask)
  if not _has_windows(mask):
    return scores
  total = np.asarray(cv2.add(result, original, dtype=cv2.CV_32F), np.float32)
  total -= np.float32(_LEVELS)
  pair = total, cv2.subtract(result, original, dtype=cv2.CV_32F)
  structure, ssim, scores[HOLE_SSIM] = _ssim_means(pair, _LEVELS, mask)
  scores[SSIM] = float(ssim.mean())
  if min(mask.shape) >= MS_SSIM_SIDE:
    scores[MS_SSIM] = _ms_ssim(structure, pair)
  for name, (band, offset) in zip((SSIM_HIGH, SSIM_MID, SSIM_LOW), _laplacian_levels(pair)):
    if _has_windows(band[0]):
      scores[name] = float(_ssim_means(band, offset)[1].mean())
  return scores


def psnr(result: np.ndarray, original: np.ndarray) -> float:
  """Returns only the PSNR of `score_image`, in dB, of two (H, W, 3) uint8 images; raises as `score_image`."""
  _check(result, original, np.empty(original.shape[:2], np.uint8))
  return _pixel_scores(result, original, None)[0]


def _check(result, original, mask):
  if (
    result.shape != original.shape
    or result.shape != mask.shape + (3,)
    or any(array.dtype != np.uint8 for array in (result, original, mask))
  ):
    raise ValueError(
      "expected two (H, W, 3) uint8 images and an (H, W) uint8 mask; received "
      + ", ".join(f"{array.shape} {array.dtype}" for array in (result, original, mask))
    )


def _has_windows(image):
  return min(image.shape[:2]) >= SSIM_WINDOW


def _pixel_scores(result, original, mask: np.ndarray | None) -> tuple[float, float]:
  """Returns PSNR and L1 over the mask's pixels (None: all); NaN if there are none."""
  values = 3 * (cv2.countNonZero(mask) if mask is not None else result.shape[0] * result.shape[1])
  if not values:
    return float("nan"), float("nan")
  square_error = cv2.norm(result, original, cv2.NORM_L2SQR, mask) / (values * _LEVELS**2)
  psnr = -10.0 * math.log10(square_error) if square_error else float("inf")
  return psnr, cv2.norm(result, original, cv2.NORM_L1, mask) / (values * _LEVELS)


class _Workspace(threading.local):
  """Arrays that SSIM's maps are computed in, a set per thread: fresh ones would take longer than the arithmetic."""

  def __init__(self):
    super().__init__()
    self._values = np.empty((5, 3 * (_TILE + 2 * _MARGIN) ** 2), np.float32)

  def arrays(self, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Returns five arrays of a shape up to a tile's; their content is lost."""
    return [values[: math.prod(shape)].reshape(shape) for values in self._values]


_workspace = _Workspace()


def _ssim_means(pair: _Pair, offset: float, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, float]:
  """Returns means of SSIM's maps over all valid positions.

  Args:
    pair: sum and difference, (H, W, 3).
    offset: subtracted from the sum's values.
    mask: (H, W) uint8, 1 = hole.
  Returns: SSIM's contrast-and-structure term and SSIM, (3,) each, and SSIM over the hole's positions and RGB (NaN if
    there are none).
  """
  height, width = (side - 2 * _MARGIN for side in pair[0].shape[:2])
  sums, hole_sum, hole_positions = np.zeros((2, 3)), 0.0, 0
  for top in range(0, height, _TILE):
    for left in range(0, width, _TILE):
      rows, columns = slice(top, top + _TILE + 2 * _MARGIN), slice(left, left + _TILE + 2 * _MARGIN)
      total, difference = (image[rows, columns] for image in pair)
      maps = [_valid(values) for values in _ssim_maps(total, difference, offset)]
      sums += [cv2.sumElems(values)[:3] for values in maps]
      if mask is not None:
        centres = _valid(mask[rows, columns])
        positions = cv2.countNonZero(centres)
        hole_sum += positions * float(np.mean(cv2.mean(maps[1], centres)[:3]))
        hole_positions += positions
  structure, ssim = sums / (height * width)
  return structure, ssim, hole_sum / hole_positions if hole_positions else float("nan")


def _valid(values):
  """Returns the positions whose window lies within the image."""
  return values[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _ssim_maps(total: np.ndarray, difference: np.ndarray, offset: float) -> tuple[np.ndarray, np.ndarray]:
  """Returns SSIM's contrast-and-structure term and SSIM at every position; overwritten by the thread's next call.

  Args:
    total: sum of two images less `offset`, (H, W, 3) float32 of at most a tile.
    difference: of the two images, of the same shape.
  """
  mean_total, variance_total, mean_difference, variance_difference, spare = _workspace.arrays(total.shape)
  for image, mean, variance in (
    (total, mean_total, variance_total),
    (difference, mean_difference, variance_difference),
  ):
    _filter(image, mean)
    _filter(np.multiply(image, image, out=spare), variance)
    variance -= np.multiply(mean, mean, out=spare)
  # (a + b)^2 - (a - b)^2 = 4 a b, (a + b)^2 + (a - b)^2 = 2 (a^2 + b^2): of means, and so of variance and covariance.
  structure = _similarity(variance_total, variance_difference, _C2, out=spare)
  mean_total += np.float32(offset)
  mean_total *= mean_total
  mean_difference *= mean_difference
  ssim = _similarity(mean_total, mean_difference, _C1, out=variance_difference)
  ssim *= structure
  return structure, ssim


def _filter(image, out):
  cv2.sepFilter2D(image, cv2.CV_32F, _WINDOW, _WINDOW, dst=out)


def _similarity(of_total, of_difference, constant, out):
  """Returns (total - difference + c) / (total + difference + c), in `out`; overwrites `of_total`."""
  constant = np.float32(2.0 * constant)
  np.subtract(of_total, of_difference, out=out)
  out += constant
  of_total += of_difference
  of_total += constant
  out /= of_total
  return out


def _ms_ssim(structure: np.ndarray, pair: _Pair) -> float:
  """Returns MS-SSIM, given the finest scale's mean term of contrast and structure (3,)."""
  terms = [structure]
  for _ in _SCALE_WEIGHTS[1:]:
    pair = _halved(pair[0]), _halved(pair[1])
    structure, ssim, _ = _ssim_means(pair, _LEVELS)
    terms.append(structure)
  terms[-1] = ssim  # The coarsest scale includes the luminance.
  # Negative terms have no real power; they count as 0, as in TensorFlow.
  return float(np.mean(np.prod(np.maximum(terms, 0.0) ** np.array(_SCALE_WEIGHTS)[:, np.newaxis], axis=0)))


def _halved(image):
  """Averages blocks of 2x2; repeats the last row or column of an odd side, as `tf.image.ssim_multiscale` does."""
  height, width = image.shape[:2]
  if height % 2 or width % 2:
    image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
  return cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _laplacian_levels(pair: _Pair) -> Iterator[tuple[_Pair, float]]:
  """Yields the pyramid's two bands and its rest, each with the `offset` that `_ssim_means` takes."""
  for _ in range(2):
    lower = cv2.pyrDown(pair[0]), cv2.pyrDown(pair[1])
    yield (_without(pair[0], lower[0]), _without(pair[1], lower[1])), 0.0
    pair = lower
  yield pair, _LEVELS


def _without(image, lower):
  enlarged = cv2.pyrUp(lower, dstsize=image.shape[1::-1])
  return np.subtract(image, enlarged, out=enlarged)

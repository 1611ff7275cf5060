"""Speed of evaluation's metrics on this machine, as ratios within one run.

  python benchmarks/evaluation.py [--parts=metrics,memory] [--side=256] [--images=20] [--rounds=5]

metrics: images per second of the scores alone; nothing is read or filled meanwhile. The images are crops of the sample
  photographs with noise in holes of the paper's small masks. Ours are all of `image_scores.IMAGE_METRICS`. "PSNR and
  SSIM" are two calls of scikit-image; "all but MS-SSIM", which scikit-image lacks, gives the same numbers as ours:
  SSIM with its map, PSNR and L1 of image and hole, and SSIM of the levels of a Laplacian pyramid (OpenCV's). The paths
  take turns, image by image, so that other load on the machine affects all of them. The last column is the largest
  difference between their scores and ours.
memory: peak memory of processes that run `z2i evaluate` (the bundled model and Telea, all results kept) on 25 images,
  and on copies of these up to 200, so that growing memory means data that accumulates. Other images could have larger
  holes, which take more memory.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
from skimage import metrics as skimage_metrics

import machine
from z2i_tf.images import image_files
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.metrics import image_scores
from z2i_tf.system import processor

_SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "images")
_PARTS = ("metrics", "memory")
_COUNTS = (25, 100, 200)
_NOISE_LEVELS = 30
_OURS, _TWO, _SAME = "ours, all", "scikit-image, PSNR and SSIM", "scikit-image, all but MS-SSIM"
_MARGIN = image_scores.SSIM_WINDOW // 2


def _examples(count, side):
  """Returns (result, original, mask) of crops of the sample photographs; enlarges photographs smaller than `side`."""
  rng, mixture = np.random.default_rng(0), MaskMixture.parse("small")
  photos = [image_files.read_rgb(path) for path in image_files.list_images(_SAMPLES)]
  examples = []
  for number in range(count):
    photo = photos[number % len(photos)]
    factor = side / min(photo.shape[:2])
    if factor > 1:
      photo = cv2.resize(photo, None, fx=factor, fy=factor)
    top, left = (rng.integers(length - side + 1) for length in photo.shape[:2])
    original = np.ascontiguousarray(photo[top : top + side, left : left + side])
    mask = mixture.draw(side, side, rng).astype(np.uint8)
    noisy = np.clip(original + rng.normal(0, _NOISE_LEVELS, original.shape), 0, 255).astype(np.uint8)
    examples.append((np.where(mask[..., np.newaxis] == 1, noisy, original), original, mask))
  return examples


def _skimage_ssim(result, original, data_range, full=False):
  return skimage_metrics.structural_similarity(
    result,
    original,
    channel_axis=-1,
    gaussian_weights=True,
    sigma=1.5,
    use_sample_covariance=False,
    data_range=data_range,
    full=full,
  )


def _psnr_and_ssim(result, original, mask):
  del mask
  return {
    image_scores.PSNR: skimage_metrics.peak_signal_noise_ratio(original, result),
    image_scores.SSIM: _skimage_ssim(result, original, 255),
  }


def _all_but_ms_ssim(result, original, mask):
  hole = mask == 1
  ssim, ssim_map = _skimage_ssim(result, original, 255, full=True)
  valid = (slice(_MARGIN, -_MARGIN),) * 2
  error = np.abs(result.astype(np.float32) - original) / 255
  scores = {
    image_scores.PSNR: skimage_metrics.peak_signal_noise_ratio(original, result),
    image_scores.L1: error.mean(),
    image_scores.SSIM: ssim,
    image_scores.HOLE_PSNR: skimage_metrics.peak_signal_noise_ratio(original[hole], result[hole]),
    image_scores.HOLE_L1: error[hole].mean(),
    image_scores.HOLE_SSIM: ssim_map[valid][hole[valid]].mean(),
  }
  names = image_scores.SSIM_HIGH, image_scores.SSIM_MID, image_scores.SSIM_LOW
  for name, levels in zip(names, zip(_laplacian(result), _laplacian(original))):
    scores[name] = _skimage_ssim(*levels, data_range=1.0)
  return scores


def _laplacian(image):
  image, levels = image.astype(np.float32) / 255, []
  for _ in range(2):
    lower = cv2.pyrDown(image)
    levels.append(image - cv2.pyrUp(lower, dstsize=image.shape[1::-1]))
    image = lower
  return levels + [image]


def _measure_metrics(arguments):
  paths = {_TWO: _psnr_and_ssim, _SAME: _all_but_ms_ssim, _OURS: image_scores.score_image}
  examples = _examples(arguments.images, arguments.side)
  seconds = {name: np.zeros(2) for name in paths}
  scores = {name: [path(*example) for example in examples] for name, path in paths.items()}
  for _ in range(arguments.rounds):
    for example in examples:
      for name, path in paths.items():
        start = np.array([time.perf_counter(), time.process_time()])
        path(*example)
        seconds[name] += [time.perf_counter(), time.process_time()] - start
  count = arguments.rounds * arguments.images
  print(
    f"\n{arguments.side}x{arguments.side}, {arguments.images} images, {arguments.rounds} round(s), "
    f"{processor.usable_cores()} cores of {processor.model_name()}\n"
  )
  print("| scores | images per second | per processor second | ours / this | of processor time | largest difference |")
  print("|" + "---|" * 6)
  for name in paths:
    (rate, processor_rate), (ratio, processor_ratio) = count / seconds[name], seconds[name] / seconds[_OURS]
    print(
      f"| {name} | {rate:.1f} | {processor_rate:.1f} | {ratio:.2f} | {processor_ratio:.2f} | "
      f"{_largest_difference(scores[name], scores[_OURS]):.1e} |"
    )


def _largest_difference(scores, others):
  """Returns the largest difference of any score in `scores` from `others`; both are lists of name -> score."""
  return max(
    abs(each[name] - other[name]) for each, other in zip(scores, others) for name in each if np.isfinite(each[name])
  )


def _measure_memory(arguments):
  print("\n| images | peak memory, MiB | seconds |")
  print("|" + "---|" * 3)
  examples = _examples(_COUNTS[0], arguments.side)
  with tempfile.TemporaryDirectory() as folder:
    for count in _COUNTS:
      images, masks, run = (os.path.join(folder, f"{name}_{count}") for name in ("images", "masks", "run"))
      os.mkdir(images)
      os.mkdir(masks)
      for number, (_, original, mask) in enumerate(itertools.islice(itertools.cycle(examples), count)):
        image_files.write_rgb(os.path.join(images, f"{number:03d}.png"), original)
        image_files.write_mask(os.path.join(masks, f"{number:03d}.png"), mask)
      start = time.perf_counter()
      process = subprocess.Popen(
        [
          sys.executable,
          "-m",
          "z2i_tf",
          "evaluate",
          f"--image_dir={images}",
          f"--mask_dir={masks}",
          f"--output_dir={run}",
          "--baseline=telea",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
      )
      _, status, usage = os.wait4(process.pid, 0)
      if status:
        raise SystemExit(f"z2i evaluate ended with status {status}")
      print(f"| {count} | {usage.ru_maxrss / 2**10:.0f} | {time.perf_counter() - start:.0f} |", flush=True)


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--parts", default=",".join(_PARTS))
  parser.add_argument("--side", type=int, default=256, help="of the images, pixels")
  parser.add_argument("--images", type=int, default=20)
  parser.add_argument("--rounds", type=int, default=5)
  arguments = parser.parse_args()
  machine.print_load()
  chosen = arguments.parts.split(",")
  if not set(chosen) <= set(_PARTS):
    parser.error(f"--parts={arguments.parts}: known are {', '.join(_PARTS)}")
  if "metrics" in chosen:
    _measure_metrics(arguments)
  if "memory" in chosen:
    _measure_memory(arguments)


if __name__ == "__main__":
  main()

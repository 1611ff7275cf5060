"""Speed and memory of the data pipeline, as ratios within one run.

  python benchmarks/data.py [--photos_dir=DIR] [--rounds=3] [--examples=5000]

Examples are the paper's joint stage's: 512x512 crops of 2040x1356 PNGs, their 256x256 bicubic halves, fresh small
masks. The PNGs are made from the sample photographs (a mosaic of parts of them), or from the photographs of a folder
(scaled and cropped). "Plain" decodes a PNG for every crop, as the paper's pipeline does. Rates are medians over
rounds that take turns, each over at least one block of crops, the pipeline running; memory is measured in a process
of its own per pipeline.
"""

import argparse
import io
import multiprocessing
import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import psutil
from PIL import Image
from PIL import ImageOps

from z2i_tf import image_io
from z2i_tf.datasets import pipelines
from z2i_tf.datasets import prepared
from z2i_tf.datasets.bad_images import BadImages
from z2i_tf.datasets.sources import FolderSource
from z2i_tf.masks.mixture import MaskMixture

_SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "images")
_HEIGHT, _WIDTH = 1356, 2040
_IMAGES = 12
_CROP_SIZE, _BATCH_SIZE = 256, 16
_CROPS_PER_IMAGE = 8
# Crops per round: a whole number of blocks.
_PLAIN_CROPS, _FAST_CROPS = 128, 512
# 8 GPUs, a global batch of 16, 3 steps per second.
_NEEDED_PER_SECOND = 48.0
_MASK_RUNS = 500


def _write_images(folder, photos_dir):
  """Writes PNGs of the size of DIV2K's."""
  photos = [image_io.read_rgb(path) for path in image_io.list_images(photos_dir or _SAMPLES, recursive=True)[:_IMAGES]]
  rng = np.random.default_rng(0)
  for number in range(_IMAGES):
    if photos_dir:
      image = ImageOps.fit(Image.fromarray(photos[number % len(photos)]), (_WIDTH, _HEIGHT))
    else:
      image = Image.fromarray(_mosaic(photos, rng))
    image.save(os.path.join(folder, f"{number:02d}.png"))


def _mosaic(photos, rng):
  """Fills an image with 128x128 parts of the photographs."""
  image, side = np.zeros((_HEIGHT + 127, _WIDTH + 127, 3), np.uint8), 128
  for top in range(0, _HEIGHT, side):
    for left in range(0, _WIDTH, side):
      photo = photos[rng.integers(len(photos))]
      y, x = (rng.integers(length - side + 1) for length in photo.shape[:2])
      image[top:top + side, left:left + side] = photo[y:y + side, x:x + side]
  return image[:_HEIGHT, :_WIDTH]


def _dataset(kind, folder, records):
  source = prepared.PreparedSource(records) if kind == "tfrecord" else FolderSource(folder)
  config = pipelines.ExampleConfig(
      crop_size=_CROP_SIZE, scale=2, masks=MaskMixture.parse("small"), seed=0,
      crops_per_image=_CROPS_PER_IMAGE if kind == "crops_per_image" else 1)
  return pipelines.training_dataset(source, config, _BATCH_SIZE)


def _rates(folder, records, rounds):
  """Returns kind -> crops per second; one pipeline runs at a time."""
  crops = {"plain": _PLAIN_CROPS, "crops_per_image": _FAST_CROPS, "tfrecord": _FAST_CROPS}
  rates = {kind: [] for kind in crops}
  for _ in range(rounds):
    for kind, count in crops.items():
      batches = iter(_dataset(kind, folder, records))
      for _ in range(count // _BATCH_SIZE):  # Until the pipeline runs evenly.
        next(batches)
      start = time.perf_counter()
      for _ in range(count // _BATCH_SIZE):
        next(batches)
      rates[kind].append(count / (time.perf_counter() - start))
      del batches
  return {kind: statistics.median(values) for kind, values in rates.items()}


def _peaks_mib(kind, folder, records, examples, queue):
  """Puts the peak resident memory after a tenth, half and all of the examples."""
  process, peak, peaks = psutil.Process(), 0, []
  for step, _ in enumerate(_dataset(kind, folder, records), start=1):
    peak = max(peak, process.memory_info().rss / 2**20)
    if step in [max(1, part * examples // 10 // _BATCH_SIZE) for part in (1, 5, 10)]:
      peaks.append(peak)
    if len(peaks) == 3:
      break
  queue.put(peaks)


def _milliseconds(function, runs):
  start = time.perf_counter()
  for run in range(runs):
    function(run)
  return 1000 * (time.perf_counter() - start) / runs


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--photos_dir")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--examples", type=int, default=5000)
  arguments = parser.parse_args()
  cores = os.cpu_count()

  with tempfile.TemporaryDirectory() as folder:
    images, records = os.path.join(folder, "images"), os.path.join(folder, "records")
    for path in (images, records):
      os.mkdir(path)
    _write_images(images, arguments.photos_dir)
    source = FolderSource(images)
    seconds = _milliseconds(lambda _: prepared.write_shards(
        source, records, {}, 128, 4, BadImages(fail=True), lambda: None), 1) / 1000
    size = {path: sum(os.path.getsize(entry) for entry in os.scandir(path)) / 2**20 for path in (images, records)}
    print(f"{_IMAGES} PNGs of {_WIDTH}x{_HEIGHT}, {size[images]:.0f} MiB; prepared: {size[records]:.0f} MiB, "
          f"{_IMAGES / seconds:.1f} images/s; {cores} cores")

    rates = _rates(images, records, arguments.rounds)
    print(f"\n{'pipeline':<28}{'crops/s':>9}{'x plain':>9}{'per core':>10}{'cores for 48/s':>16}")
    for kind, rate in rates.items():
      name = f"--crops_per_image={_CROPS_PER_IMAGE}" if kind == "crops_per_image" else kind
      print(f"{name:<28}{rate:9.1f}{rate / rates['plain']:9.2f}{rate / cores:10.1f}"
            f"{_NEEDED_PER_SECOND * cores / rate:16.1f}")

    jpeg = io.BytesIO()
    Image.fromarray(source.open(0).crop(0, 0, _CROP_SIZE, _CROP_SIZE)).save(jpeg, "JPEG", quality=95)
    decode = _milliseconds(lambda _: image_io.read_rgb("", jpeg.getvalue()), _MASK_RUNS)
    print(f"\none 256x256 JPEG decoded   {decode:6.2f} ms")
    for kind in ("small", "large", "rect"):
      masks = MaskMixture.parse(kind)
      mask = _milliseconds(lambda run: masks.draw(_CROP_SIZE, _CROP_SIZE, np.random.default_rng(run)), _MASK_RUNS)
      print(f"one 256x256 {kind:<5} mask     {mask:6.2f} ms, {1000 / mask:6.0f} per second and core, "
            f"{mask / decode:.2f} x the JPEG")

    print(f"\npeak resident memory, MiB, after {arguments.examples // 10}, {arguments.examples // 2} and "
          f"{arguments.examples} examples")
    context = multiprocessing.get_context("spawn")
    for kind in ("tfrecord", "crops_per_image", "plain"):
      queue = context.Queue()
      process = context.Process(target=_peaks_mib, args=(kind, images, records, arguments.examples, queue))
      process.start()
      print(f"{kind:<28}" + "".join(f"{peak:9.0f}" for peak in queue.get()), flush=True)
      process.join()


if __name__ == "__main__":
  main()

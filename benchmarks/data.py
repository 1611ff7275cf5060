"""Speed and memory of the data pipeline, as ratios within one run.

  python benchmarks/data.py [--photos_dir=DIR] [--rounds=1] [--examples=160] [--thorough]

Examples are the paper's joint stage's: 512x512 crops of 2040x1356 PNGs, their 256x256 bicubic halves, fresh small
masks. The PNGs are made from the sample photographs (a mosaic of parts of them), or from the photographs of a folder
(scaled and cropped). "Plain" decodes a PNG for every crop, as the paper's pipeline does. Rates are medians over
rounds that take turns. A round warms up the pipeline, then times at least one block of crops. Each round and each
measurement of memory has a process of its own. --thorough: 3 rounds of twice the crops, 5,000 examples. Linux only.
"""

import argparse
import collections
import io
import multiprocessing
import os
import queue as queue_module
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image
from PIL import ImageOps
import psutil

import machine
from z2i_tf.datasets import pipelines
from z2i_tf.datasets import tiled_records
from z2i_tf.datasets.examples import ExampleConfig
from z2i_tf.datasets.folder_source import FolderSource
from z2i_tf.datasets.sources import BadImages
from z2i_tf.images import image_files
from z2i_tf.masks.mixture import MaskMixture

_SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "images")
_HEIGHT, _WIDTH = 1356, 2040
_IMAGES = 12
_CROP_SIZE, _BATCH_SIZE = 256, 16
_CROPS_PER_IMAGE = 8
# Pipeline -> crops per round, a whole number of blocks of 256 where there are blocks.
_CROPS = {"plain": 64, f"--crops_per_image={_CROPS_PER_IMAGE}": 256, "tfrecord": 256}
# 8 GPUs, a global batch of 16, 3 steps per second.
_NEEDED_PER_SECOND = 48.0
_MASK_RUNS = 500


def _write_images(folder, photos_dir):
  """Writes PNGs of the size of DIV2K's."""
  photos = [
    image_files.read_rgb(path) for path in image_files.list_images(photos_dir or _SAMPLES, recursive=True)[:_IMAGES]
  ]
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
      image[top : top + side, left : left + side] = photo[y : y + side, x : x + side]
  return image[:_HEIGHT, :_WIDTH]


def _dataset(kind, folder, records):
  source = tiled_records.TiledRecordsSource(records) if kind == "tfrecord" else FolderSource(folder)
  config = ExampleConfig(
    crop_size=_CROP_SIZE,
    scale=2,
    masks=MaskMixture.parse("small"),
    seed=0,
    crops_per_image=_CROPS_PER_IMAGE if kind.startswith("--") else 1,
  )
  return pipelines.training_dataset(source, config, _BATCH_SIZE)


def _measure_rate(kind, folder, records, cores, count, queue):
  """Puts crops per second into the queue, measured in this process on the first `cores` cores."""
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # Before TensorFlow starts its threads.
  batches = iter(_dataset(kind, folder, records))
  for _ in range(count // _BATCH_SIZE):  # Warms up the pipeline.
    next(batches)
  start = time.perf_counter()
  for _ in range(count // _BATCH_SIZE):
    next(batches)
  rate = count / (time.perf_counter() - start)
  del batches
  queue.put(rate)


def _measure_memory(kind, folder, records, examples, queue):
  """Puts the peak resident memory, MiB, after each tenth of the examples into the queue."""
  process, peak, peaks = psutil.Process(), 0, []
  steps = examples // _BATCH_SIZE
  for step, _ in enumerate(_dataset(kind, folder, records).take(steps), start=1):
    peak = max(peak, process.memory_info().rss / 2**20)
    if step * 10 // steps > len(peaks):
      peaks.append(peak)
  queue.put(peaks)


def _in_process(function, *arguments):
  """Runs a function that puts its result into the queue given last, in a fresh process."""
  context = multiprocessing.get_context("spawn")
  queue = context.Queue()
  process = context.Process(target=function, args=(*arguments, queue))
  process.start()
  while True:
    try:
      result = queue.get(timeout=1)
      process.join()
      return result
    except queue_module.Empty:
      if process.exitcode:
        raise SystemExit(f"{function.__name__} failed") from None


def _milliseconds(function, runs):
  start = time.perf_counter()
  for run in range(runs):
    function(run)
  return 1000 * (time.perf_counter() - start) / runs


def _print_rates(images, records, rounds, cores, crops_factor):
  samples = collections.defaultdict(list)
  for _ in range(rounds):
    for kind in _CROPS:
      for used in sorted({1, cores}):
        samples[kind, used].append(_in_process(_measure_rate, kind, images, records, used, crops_factor * _CROPS[kind]))
  rates = {key: statistics.median(values) for key, values in samples.items()}
  print(f"\n{'crops per second on':<22}{'1 core':>9}{cores:>6} cores{'x plain':>9}{'cores for 48/s':>17}")
  for kind in _CROPS:
    rate = rates[kind, cores]
    print(
      f"{kind:<22}{rates[kind, 1]:9.1f}{rate:12.1f}{rate / rates['plain', cores]:9.2f}"
      f"{_NEEDED_PER_SECOND * cores / rate:17.1f}"
    )
  print(f"(cores for 48/s: as if further cores brought as much as each of the {cores})")


def _print_memory(images, records, examples):
  print(f"\npeak resident memory, MiB, after each tenth of {examples} examples")
  for kind in _CROPS:
    peaks = _in_process(_measure_memory, kind, images, records, examples)
    print(f"{kind:<22}" + "".join(f"{peak:6.0f}" for peak in peaks), flush=True)


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--photos_dir")
  parser.add_argument("--rounds", type=int, default=1, help="0: measure no rates")
  parser.add_argument("--examples", type=int, default=160, help="0: measure no memory; otherwise at least 160")
  parser.add_argument("--thorough", action="store_true", help="3 rounds of twice the crops, 5,000 examples")
  arguments = parser.parse_args()
  crops_factor = 1
  if arguments.thorough:
    arguments.rounds, arguments.examples, crops_factor = 3, 5000, 2
  machine.print_load()
  cores = len(os.sched_getaffinity(0))

  with tempfile.TemporaryDirectory() as folder:
    images, records = os.path.join(folder, "images"), os.path.join(folder, "records")
    for path in (images, records):
      os.mkdir(path)
    _write_images(images, arguments.photos_dir)
    source = FolderSource(images)
    seconds = (
      _milliseconds(
        lambda _: tiled_records.write_tiled_records(source, records, {}, 128, 4, BadImages(fail=True), lambda: None), 1
      )
      / 1000
    )
    size = {path: sum(os.path.getsize(entry) for entry in os.scandir(path)) / 2**20 for path in (images, records)}
    print(
      f"{_IMAGES} PNGs of {_WIDTH}x{_HEIGHT}, {size[images]:.0f} MiB; prepared: {size[records]:.0f} MiB, "
      f"{_IMAGES / seconds:.1f} images/s; {cores} cores"
    )

    if arguments.rounds:
      _print_rates(images, records, arguments.rounds, cores, crops_factor)

    jpeg = io.BytesIO()
    Image.fromarray(source.open(0).crop(0, 0, _CROP_SIZE, _CROP_SIZE)).save(jpeg, "JPEG", quality=95)
    decode = _milliseconds(lambda _: image_files.read_rgb("", jpeg.getvalue()), _MASK_RUNS)
    print(f"\none 256x256 JPEG decoded   {decode:6.2f} ms")
    for kind in ("small", "large", "rect"):
      masks = MaskMixture.parse(kind)
      mask = _milliseconds(lambda run: masks.draw(_CROP_SIZE, _CROP_SIZE, np.random.default_rng(run)), _MASK_RUNS)
      print(
        f"one 256x256 {kind:<5} mask     {mask:6.2f} ms, {1000 / mask:6.0f} per second and core, "
        f"{mask / decode:.2f} x the JPEG"
      )

    if arguments.examples:
      _print_memory(images, records, arguments.examples)


if __name__ == "__main__":
  main()

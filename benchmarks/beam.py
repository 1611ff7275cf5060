"""Throughput of z2i beam-inpaint against z2i inpaint, as a ratio within one run, on 1 and on 2 cores.

  python benchmarks/beam.py [--few=8] [--many=32] [--rounds=1]

The sample photographs, 768x512 with one small hole each, are filled by commands that take turns. The time of a
photograph is the difference between many and few of them, so the start of the processes does not count. On 2 cores
Beam runs two threads in one process, or two processes. Processor time is summed over all processes; other programs
disturb it less than wall time. Linux only.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

import machine
from z2i_tf.images import image_files

_SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "images")
_WIDTH, _HEIGHT = 768, 512
_INPAINT = ["inpaint", "{}/images", "{}/masks", "--output={}/out"]
_BEAM = ["beam-inpaint", "--images={}/images", "--masks={}/masks", "--output={}/out", "--"]
_THREADS = [*_BEAM, "--direct_running_mode=multi_threading"]
_PROCESSES = [*_BEAM, "--direct_running_mode=multi_processing"]
# Cores -> name -> arguments.
_RUNS = {
  1: {"z2i inpaint": _INPAINT, "z2i beam-inpaint": [*_BEAM, "--direct_num_workers=1"]},
  2: {
    "z2i inpaint": _INPAINT,
    "z2i beam-inpaint, 2 threads": [*_THREADS, "--direct_num_workers=2"],
    "z2i beam-inpaint, 2 processes": [*_PROCESSES, "--direct_num_workers=2"],
  },
}


def _write(folder, count):
  """Writes photographs and masks."""
  rng = np.random.default_rng(0)
  samples = [cv2.resize(image_files.read_rgb(path), (_WIDTH, _HEIGHT)) for path in image_files.list_images(_SAMPLES)]
  for kind in ("images", "masks"):
    os.makedirs(os.path.join(folder, kind))
  for number in range(count):
    mask = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    top, left = rng.integers(100, 380, 2)
    mask[top : top + 40, left : left + 60] = 1
    image_files.write_rgb(os.path.join(folder, "images", f"{number:04d}.png"), samples[number % len(samples)])
    image_files.write_mask(os.path.join(folder, "masks", f"{number:04d}.png"), mask)


def _times(arguments, folder, cores):
  """Runs a command; returns its seconds of wall time and of processor time."""
  before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
  subprocess.run(
    [sys.executable, "-m", "z2i_tf", *(argument.format(folder) for argument in arguments)],
    check=True,
    stdout=subprocess.DEVNULL,
    preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores]),
  )
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return np.array([time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime])


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--few", type=int, default=8)
  parser.add_argument("--many", type=int, default=32)
  parser.add_argument("--rounds", type=int, default=1)
  options = parser.parse_args()
  machine.print_load()
  with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
    _write(few, options.few)
    _write(many, options.many)
    for cores, runs in _RUNS.items():
      found = {name: [] for name in runs}
      for _ in range(options.rounds):
        for name, arguments in runs.items():
          difference = _times(arguments, many, cores) - _times(arguments, few, cores)
          found[name].append(difference / (options.many - options.few))
      base = None
      for name, rounds in found.items():
        wall, processor = (statistics.median(column) for column in np.transpose(rounds))
        base = base or (wall, processor)
        print(
          f"{cores} core{'s' * (cores > 1)}, {name}: {wall:.2f} s per photograph ({wall / base[0]:.2f}), "
          f"processor {processor:.2f} s ({processor / base[1]:.2f})",
          flush=True,
        )
  machine.print_load()


if __name__ == "__main__":
  main()

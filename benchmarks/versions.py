"""Seconds per 256x256 image with several installations, such as those of two Pythons, as ratios within one run.

  python benchmarks/versions.py .venv/bin/python .venv-second/bin/python [--model=compact] [--masks=10]
                                [--precision=float32]

Each Python named has a process with the model loaded. All fill the same photographs with the paper's masks, one image
at a time and in turn, so that other load on the machine affects all of them. Seconds are means, of wall time and of
processor time: "networks" is their own result (--native), "photograph" with texture and blend. The last column is the
largest difference from the first Python, in gray levels.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import machine

_KINDS = ("small", "large")
_WAYS = {"networks": True, "photograph": False}


class _Installation:
  """A process of one Python that fills an image per request."""

  def __init__(self, python, arguments, folder):
    self._result = os.path.join(folder, "result.npy")
    self._process = subprocess.Popen(
      [
        python,
        os.path.abspath(__file__),
        "--child",
        f"--model={arguments.model}",
        f"--masks={arguments.masks}",
        f"--precision={arguments.precision}",
        self._result,
      ],
      text=True,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
    )
    self.title = self._answer()

  def _answer(self):
    line = self._process.stdout.readline().strip()
    if not line:
      raise SystemExit(f"{self._process.args[0]} ends: is z2i_tf installed there?")
    return line

  def fill(self, kind, number, way):
    """Returns the image (H, W, 3) uint8, wall and processor seconds."""
    print(kind, number, way, file=self._process.stdin, flush=True)
    seconds = [float(part) for part in self._answer().split()]
    return np.load(self._result).astype(int), seconds

  def close(self):
    self._process.stdin.close()
    self._process.wait()


def _serve(arguments):
  """Answers each request on stdin, "kind number way", with seconds on stdout; the image goes to a file."""
  import tensorflow as tf

  import examples
  from z2i_tf.inference.inpainter import Inpainter

  inpainter = Inpainter.load(arguments.model, arguments.precision)
  photos = examples.small_samples()
  masks = {kind: examples.paper_masks(kind, arguments.masks) for kind in _KINDS}
  print(f"Python {sys.version.split()[0]}, TensorFlow {tf.__version__}", flush=True)
  for line in sys.stdin:
    kind, number, way = line.split()
    photo, mask = photos[int(number) % len(photos)], masks[kind][int(number)]
    start = time.perf_counter(), time.process_time()
    filled = inpainter(photo, mask, native=_WAYS[way])
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    np.save(arguments.pythons[0], filled)
    print(*seconds, flush=True)


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("pythons", nargs="+")
  parser.add_argument("--model", default="compact", help="a bundled model's name, or a model folder")
  parser.add_argument("--masks", type=int, default=10, help="of a kind")
  parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
  parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.child:
    _serve(arguments)
    return
  machine.print_load()
  with tempfile.TemporaryDirectory() as folder:
    installations = []
    for number, python in enumerate(arguments.pythons):
      os.mkdir(os.path.join(folder, str(number)))
      installations.append(_Installation(python, arguments, os.path.join(folder, str(number))))
    print(
      f"model {arguments.model}, {arguments.precision}, {arguments.masks} masks of a kind\n\n| installation | way "
      "| seconds | x first | processor seconds | x first | largest difference |\n|" + "---|" * 7
    )
    for way in _WAYS:
      _compare(installations, way, arguments.masks)
    for installation in installations:
      installation.close()


def _compare(installations, way, count):
  for installation in installations:
    installation.fill(_KINDS[0], 0, way)  # Traces and warms up.
  seconds, differences = [[] for _ in installations], [0] * len(installations)
  for kind in _KINDS:
    for number in range(count):
      first = None
      for place, installation in enumerate(installations):
        filled, times = installation.fill(kind, number, way)
        first = filled if first is None else first
        seconds[place].append(times)
        differences[place] = max(differences[place], np.abs(filled - first).max())
  means = [np.mean(times, axis=0) for times in seconds]
  for installation, (wall, processor), difference in zip(installations, means, differences):
    print(
      f"| {installation.title} | {way} | {wall:.2f} | {wall / means[0][0]:.2f} | {processor:.2f} | "
      f"{processor / means[0][1]:.2f} | {difference} |",
      flush=True,
    )


if __name__ == "__main__":
  main()

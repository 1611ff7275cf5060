"""Inference at the paper's size on this machine: time, memory, and the share of its matrix-multiply rate.

  python benchmarks/inference.py [--width=64] [--runs=10]

One photograph of 256x256 pixels, float32, random weights (time does not depend on them). FLOPs are counted
by TensorFlow's profiler on the traced network (it does not know einsum, so the resizes' products are left
out); the machine's rate is that of a 2048x2048 float32 product, measured in the same process right before
and right after. Times are medians.
"""

import argparse
import os
import resource
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_io
from z2i_tf.models.zoom_inpainter import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
_SIDE = 256
_PRODUCT_SIDE = 2048


def _median_seconds(function, runs):
  seconds = []
  for _ in range(runs):
    start = time.perf_counter()
    function()
    seconds.append(time.perf_counter() - start)
  return statistics.median(seconds)


def _product_rate(runs):
  """Floating-point operations per second of a large matrix product."""
  matrices = [tf.random.stateless_normal([_PRODUCT_SIDE] * 2, [seed, 0]) for seed in range(2)]
  product = lambda: tf.matmul(*matrices).numpy()
  product()
  return 2 * _PRODUCT_SIDE**3 / _median_seconds(product, runs)


def _count_flops(concrete_function):
  profiler = tf.compat.v1.profiler
  options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
  return profiler.profile(
      concrete_function.graph, options=options.with_empty_output().build()).total_float_ops


def _peak_mib():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--width", type=int, default=64)
  parser.add_argument("--runs", type=int, default=10)
  arguments = parser.parse_args()

  image = image_io.read_rgb(os.path.join(_DATA, "images", "astronaut.jpg"))[:_SIDE, :_SIDE]
  mask = image_io.read_mask(os.path.join(_DATA, "masks", "astronaut.png"))[:_SIDE, :_SIDE]
  batch = {conventions.IMAGE_LR: tf.constant(image[np.newaxis] / np.float32(255)),
           conventions.MASK_LR: tf.constant(mask[np.newaxis, ..., np.newaxis].astype(np.float32))}
  model = ZoomInpainter(ModelConfig(width=arguments.width))
  predict = tf.function(model).get_concrete_function(
      tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), batch))
  flops = _count_flops(predict)
  rates = [_product_rate(arguments.runs)]
  before = _peak_mib()
  run = lambda: predict(batch)[conventions.RESULT].numpy()
  run()
  seconds = _median_seconds(run, arguments.runs)
  peak = _peak_mib()
  rates.append(_product_rate(arguments.runs))
  rate = statistics.mean(rates)

  print(f"{_SIDE}x{_SIDE}, width {arguments.width}, float32, {os.cpu_count()} cores, "
        f"median of {arguments.runs} runs")
  print(f"time                 {1000 * seconds:8.0f} ms")
  print(f"peak resident memory {peak:8.0f} MiB (before the first run: {before:.0f} MiB)")
  print(f"operations           {flops / 1e9:8.1f} GFLOP")
  print(f"achieved rate        {flops / seconds / 1e9:8.1f} GFLOP/s")
  print(f"matrix product       {rate / 1e9:8.1f} GFLOP/s (before {rates[0] / 1e9:.1f}, "
        f"after {rates[1] / 1e9:.1f})")
  print(f"share                {100 * flops / seconds / rate:8.1f} %")


if __name__ == "__main__":
  main()

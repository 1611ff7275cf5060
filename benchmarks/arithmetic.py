"""Counts and times TensorFlow's operations for the benchmarks."""

import collections
from collections import Counter
from collections.abc import Callable
import glob
import os
import statistics
import tempfile
import time

import tensorflow as tf

_PRODUCT_SIDE = 2048
_PRODUCT_RUNS = 10


def product_rate() -> float:
  """Returns floating-point operations per second of a large float32 matrix product."""
  matrices = [tf.random.stateless_normal([_PRODUCT_SIDE] * 2, [seed, 0]) for seed in range(2)]
  tf.matmul(*matrices).numpy()
  seconds = []
  for _ in range(_PRODUCT_RUNS):
    start = time.perf_counter()
    tf.matmul(*matrices).numpy()
    seconds.append(time.perf_counter() - start)
  return 2 * _PRODUCT_SIDE**3 / statistics.median(seconds)


def count_flops(function) -> int:
  """Returns the operations of a concrete function that its outputs need, as TensorFlow's profiler counts them.

  The profiler does not know einsum (the resizes), and counts nothing where it cannot infer a shape.
  """
  profiler = tf.compat.v1.profiler
  options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output()
  traced = function.graph
  # The traced graph also contains gradients that are never run (of VGG19's kernels).
  run = [output.op.name for output in traced.outputs] + [operation.name for operation in traced.control_outputs]
  definition = tf.compat.v1.graph_util.extract_sub_graph(traced.as_graph_def(add_shapes=True), run)
  with tf.Graph().as_default() as graph:
    tf.graph_util.import_graph_def(definition, name="")
    return profiler.profile(graph, options=options.build()).total_float_ops


def seconds_by_kind(run: Callable[[], object]) -> Counter[str]:
  """Returns operation kind -> seconds in one call; concurrent operations are both counted in full."""
  from tensorflow.tsl.profiler.protobuf import xplane_pb2

  space = xplane_pb2.XSpace()
  with tempfile.TemporaryDirectory() as folder:
    with tf.profiler.experimental.Profile(folder):
      run()
    (path,) = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
    with open(path, "rb") as file:
      space.ParseFromString(file.read())
  seconds = collections.Counter()
  for plane in space.planes:
    for line in plane.lines:
      for event in line.events:
        name = plane.event_metadata[event.metadata_id].name  # "path/of/the/operation:Kind"
        if name.count(":") == 1 and " " not in name:
          seconds[name.split(":")[1]] += event.duration_ps * 1e-12
  return seconds

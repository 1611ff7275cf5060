"""Counts are compared with ordinary networks, whose layers do what the paper says, and with TensorFlow's profiler."""

import os
import types

import tensorflow as tf

from z2i_tf.models import complexity
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import super_resolution_net
from z2i_tf.models.zoom_inpainter import ModelConfig

_BENCHMARKS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "benchmarks")


def _profiled(network, shape):
  """Returns the operations of convolutions and matrix products."""
  traced = tf.function(network, autograph=False).get_concrete_function(tf.TensorSpec(shape))
  profiler = tf.compat.v1.profiler
  options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output().build()
  with tf.Graph().as_default() as graph:
    tf.graph_util.import_graph_def(traced.graph.as_graph_def(add_shapes=True), name="")
    node, found = profiler.profile(graph, cmd="op", options=options), {}
  while node.children:
    (node,) = node.children
    found[node.name] = node.float_ops
  return sum(found.get(kind, 0) for kind in ("Conv2D", "BatchMatMulV2", "MatMul"))


def test_counts_are_those_of_ordinary_networks(monkeypatch):
  monkeypatch.syspath_prepend(_BENCHMARKS)
  import plain_networks  # pylint: disable=import-error

  networks = plain_networks.generator(2, 2)
  # Without the coarse network, whose layers are the refinement network's.
  model = types.SimpleNamespace(
    networks={"sr": super_resolution_net(2, 2), "refine": refinement_net(2)}, model_config=ModelConfig(width=2)
  )
  assert complexity.count_parameters(model) == {
    name: sum(weight.shape.num_elements() for weight in networks[name].trainable_weights) for name in model.networks
  }
  # At these sizes TensorFlow's dilated convolutions compute nothing beyond the image.
  shapes = {"sr": [1, 32, 48, 3], "refine": [1, 64, 96, 4]}
  assert complexity.count_flops(model, 32, 48) == {name: _profiled(networks[name], shapes[name]) for name in shapes}

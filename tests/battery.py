"""Checks that every layer and network goes through."""

import numpy as np
import tensorflow as tf

from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model


def check_network(build, inputs, output_shape, other_sizes=()):
  """Runs the battery on a network.

  Symbolic, eager and graph calls agree; any batch and any of `other_sizes` (height, width) works; outputs are
  finite; every trainable weight gets a gradient; saved weights restore another instance.

  Args:
    build: no arguments -> a Model; called twice.
    inputs: (B, H, W, C) array, B >= 2.
    output_shape: expected, without the batch.
    other_sizes: further heights and widths to call it with.
  """
  network = build()
  eager = network(inputs).numpy()
  assert eager.shape == (len(inputs),) + tuple(output_shape)
  assert np.isfinite(eager).all()
  graph = tf.function(network, input_signature=[tf.TensorSpec([None, None, None, inputs.shape[-1]])])
  np.testing.assert_allclose(graph(inputs), eager, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(graph(inputs[:1]), eager[:1], rtol=1e-4, atol=1e-5)
  for height, width in other_sizes:
    assert np.isfinite(graph(np.ones((1, height, width, inputs.shape[-1]), np.float32))).all()
  check_gradients(network, inputs)
  other = build()
  other.set_weights(network.get_weights())
  np.testing.assert_allclose(other(inputs), network(inputs), rtol=1e-5, atol=1e-6)


def check_layer(layer, inputs):
  """Runs the battery on a layer: in a functional model, from its configuration, in a graph, with gradients.

  Args:
    layer: built or not.
    inputs: array, or list of arrays, with a batch dimension.
  Returns: the layer's output.
  """
  symbolic_inputs = tf.nest.map_structure(lambda array: layers.Input(array.shape[1:]), inputs)
  network = Model(symbolic_inputs, layer(symbolic_inputs))
  output = network(inputs).numpy()
  assert np.isfinite(output).all()
  np.testing.assert_allclose(layer(inputs), output, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(tf.function(network)(inputs), output, rtol=1e-5, atol=1e-6)
  assert (
    tuple(layer.compute_output_shape(tf.nest.map_structure(lambda array: tf.TensorShape(array.shape), inputs)))
    == output.shape
  )
  copy = type(layer).from_config(layer.get_config())
  copy(inputs)
  copy.set_weights(layer.get_weights())
  np.testing.assert_allclose(copy(inputs), output, rtol=1e-5, atol=1e-6)
  check_gradients(network, inputs)
  return output


def check_gradients(network, inputs):
  """Fails unless every trainable weight gets a finite gradient, not zero everywhere."""
  with tf.GradientTape() as tape:
    output = network(inputs, training=True)
    # Random targets: no weight's gradient cancels by symmetry.
    loss = tf.reduce_mean((output - tf.random.stateless_normal(tf.shape(output), [1, 2])) ** 2)
  variables = network.trainable_variables
  for variable, gradient in zip(variables, tape.gradient(loss, variables)):
    assert gradient is not None, variable.name
    gradient = gradient.numpy()
    assert np.isfinite(gradient).all() and gradient.any(), variable.name

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from tests import battery
from z2i_tf.keras_api import layers
from z2i_tf.layers.spectral_norm import spectral_norm
from z2i_tf.layers.spectral_norm import SpectralNormalization


@pytest.fixture(name="wrap", params=[spectral_norm, SpectralNormalization], ids=["installed", "ours"])
def _wrap(request):
  return request.param


def _layer(wrap, seed=3):
  layer = wrap(layers.Conv2D(6, 3, padding="same", kernel_initializer="random_normal", name="c"))
  layer.build([None, 8, 8, 4])
  rng = np.random.default_rng(seed)
  layer.layer.kernel.assign(rng.normal(size=(3, 3, 4, 6)))
  return layer


def _largest_singular_value(layer):
  return np.linalg.svd(layer.layer.kernel.numpy().reshape(-1, 6), compute_uv=False)[0]


def test_training_calls_bring_the_largest_singular_value_to_one(wrap):
  layer, image = _layer(wrap), np.ones((1, 8, 8, 4), np.float32)
  errors = []
  for _ in range(30):
    layer(image, training=True)
    errors.append(abs(_largest_singular_value(layer) - 1.0))
  assert errors[0] > 1e-3  # One iteration is not enough,
  assert errors[-1] < 1e-3  # many are.


def test_nothing_changes_outside_training(wrap):
  layer = _layer(wrap)
  before = [variable.numpy() for variable in layer.variables]
  layer(np.ones((1, 8, 8, 4), np.float32), training=False)
  for former, variable in zip(before, layer.variables):
    np.testing.assert_array_equal(former, variable)


def test_initial_vector_is_small(wrap):
  u = _layer(wrap).u.numpy()
  assert u.shape == (1, 6) and 0 < np.abs(u).max() <= 0.04


def test_ours_is_a_layer_like_others():
  battery.check_layer(_layer(SpectralNormalization), np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("f4"))
  with pytest.raises(ValueError, match="power_iterations=0"):
    SpectralNormalization(layers.Conv2D(6, 3), power_iterations=0)


def test_more_iterations_at_once_are_as_good_as_many_calls():
  layer = SpectralNormalization(layers.Conv2D(6, 3, name="c"), power_iterations=1000)
  layer(np.ones((1, 8, 8, 4), np.float32), training=True)
  assert abs(_largest_singular_value(layer) - 1.0) < 1e-3


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow_addons"), reason="tensorflow_addons is not installed")
def test_ours_equals_that_of_tensorflow_addons():
  ours, theirs = _layer(SpectralNormalization), _layer(spectral_norm)
  assert type(ours) is not type(theirs)
  assert [(v.name, v.shape, v.dtype, v.trainable) for v in ours.variables] == [
    (v.name, v.shape, v.dtype, v.trainable) for v in theirs.variables
  ]
  ours.set_weights(theirs.get_weights())
  image = np.random.default_rng(1).normal(size=(2, 8, 8, 4)).astype(np.float32)
  for _ in range(3):
    results = []
    for layer in (ours, theirs):
      with tf.GradientTape() as tape:
        output = layer(image, training=True)
        loss = tf.reduce_sum(output**2)
      results.append([output, *tape.gradient(loss, layer.trainable_variables), *layer.variables])
    for ours_now, theirs_now in zip(*results):
      np.testing.assert_array_equal(ours_now, theirs_now)

import numpy as np

from z2i_tf.keras_api import layers
from z2i_tf.layers.spectral_norm import spectral_norm


def _layer(seed=3):
  layer = spectral_norm(layers.Conv2D(6, 3, padding="same", kernel_initializer="random_normal", name="c"))
  layer.build([None, 8, 8, 4])
  rng = np.random.default_rng(seed)
  layer.layer.kernel.assign(rng.normal(size=(3, 3, 4, 6)))
  return layer


def _largest_singular_value(layer):
  return np.linalg.svd(layer.layer.kernel.numpy().reshape(-1, 6), compute_uv=False)[0]


def test_training_calls_bring_the_largest_singular_value_to_one():
  layer, image = _layer(), np.ones((1, 8, 8, 4), np.float32)
  errors = []
  for _ in range(30):
    layer(image, training=True)
    errors.append(abs(_largest_singular_value(layer) - 1.0))
  assert errors[0] > 1e-3  # One iteration is not enough,
  assert errors[-1] < 1e-3  # many are.


def test_nothing_changes_outside_training():
  layer = _layer()
  before = [variable.numpy() for variable in layer.variables]
  layer(np.ones((1, 8, 8, 4), np.float32), training=False)
  for former, variable in zip(before, layer.variables):
    np.testing.assert_array_equal(former, variable)


def test_initial_vector_is_small():
  u = _layer().u.numpy()
  assert u.shape == (1, 6) and 0 < np.abs(u).max() <= 0.04

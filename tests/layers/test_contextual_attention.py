import numpy as np
import pytest
import tensorflow as tf

from tests import battery
from tests import recordings
from z2i_tf.layers.contextual_attention import ContextualAttention


def _random_case(height, width, channels=3, batch=2, seed=0):
  rng = np.random.default_rng(seed)
  features = rng.normal(size=(batch, height, width, channels)).astype(np.float32)
  mask = np.zeros((batch, height, width, 1), np.float32)
  mask[0, 2:6, 4:8] = 1  # A different hole in each example.
  mask[1, 0:4, 0:2] = 1
  return features, mask


def _attention_by_loops(features, mask, scale=10.0):
  """An independent witness: the definition, one number at a time, for one (h, w, C) example."""
  height, width, channels = features.shape
  count = height * width
  padded = np.pad(features.astype(float), [(1, 1), (1, 1), (0, 0)])
  patches = np.array([padded[y : y + 3, x : x + 3].ravel() for y in range(height) for x in range(width)])
  queries = [patch / max(np.linalg.norm(patch), 1e-9) for patch in patches]
  scores = np.array([[query @ key for key in patches] for query in queries])

  def propagate(order):
    """order: positions (row-major) listed in the order in which neighbours are counted."""
    result = np.zeros_like(scores)
    for i, q in enumerate(order):
      for j, k in enumerate(order):
        for step in (-1, 0, 1):
          if 0 <= i + step < count and 0 <= j + step < count:
            result[q, k] += scores[order[i + step], order[j + step]]
    return result

  scores = propagate(list(range(count)))
  scores = propagate([y * width + x for x in range(width) for y in range(height)])
  near = np.pad(mask[..., 0], 1)
  known = np.array([near[y : y + 3, x : x + 3].max() == 0 for y in range(height) for x in range(width)])
  weights = np.exp(scale * (scores - scores.max(axis=1, keepdims=True))) * known
  return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)


def test_matches_recorded_attention_and_result():
  recorded = recordings.load("attention")
  layer = ContextualAttention()
  recordings.assert_matches(
    layer.attention_map(recorded["features_small"], recorded["mask_small"]), recorded["attention"]
  )
  recordings.assert_matches(layer([recorded["features"], recorded["mask"]]), recorded["applied"])


@pytest.mark.parametrize("height, width", [(4, 6), (6, 3)])
def test_map_matches_loops_on_rectangles(height, width):
  features, mask = _random_case(height, width)
  features, mask = features * 0.2, np.roll(mask, 1, axis=1)
  attention = ContextualAttention().attention_map(features, mask).numpy()
  for example in range(2):
    np.testing.assert_allclose(attention[example], _attention_by_loops(features[example], mask[example]), atol=1e-5)


def test_battery():
  features, mask = _random_case(8, 12)
  battery.check_layer(ContextualAttention(), [features, mask])


def test_graph_agrees_and_known_positions_pass():
  features, mask = _random_case(8, 12)
  layer = ContextualAttention()
  eager = layer([features, mask]).numpy()
  graph = tf.function(
    layer, input_signature=[[tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, None, None, 1])]]
  )
  np.testing.assert_allclose(graph([features, mask]), eager, atol=1e-5)
  np.testing.assert_array_equal(np.where(mask == 0, eager, 0), np.where(mask == 0, features, 0))
  assert not np.allclose(eager, features)


def test_examples_do_not_see_each_other():
  features, mask = _random_case(8, 12)
  layer = ContextualAttention()
  together = layer([features, mask])
  for example in range(2):
    alone = layer([features[example : example + 1], mask[example : example + 1]])
    np.testing.assert_allclose(together[example], alone[0], atol=1e-6)


def test_hole_without_any_key_becomes_zero():
  features, mask = _random_case(8, 8)
  mask[0] = 1
  result = ContextualAttention()([features, mask]).numpy()
  assert not result[0].any()
  assert np.isfinite(result).all()


def test_gradient_is_finite_at_an_all_zero_patch():
  features, mask = _random_case(16, 16)
  features[:, :10, :10] = 0
  features = tf.Variable(features)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(ContextualAttention()([features, mask]) ** 2)
  assert np.isfinite(tape.gradient(loss, features)).all()


@pytest.mark.parametrize("mask_size", [(8, 6), (6, 8)])
def test_unequal_sizes_are_refused(mask_size):
  with pytest.raises(ValueError, match="same height and width"):
    ContextualAttention()([np.zeros((1, 8, 8, 3)), np.zeros((1, *mask_size, 1))])


def test_indivisible_sizes_are_refused():
  with pytest.raises(ValueError, match="divisible by rate=2"):
    ContextualAttention()([np.zeros((1, 7, 8, 3)), np.zeros((1, 7, 8, 1))])


def test_gradient_is_that_of_patches():
  features = tf.constant(_random_case(6, 8, batch=2)[0] * 0.2, tf.float64)
  mask = tf.zeros([2, 6, 8, 1], tf.float64)
  d_map = np.random.default_rng(1).normal(size=(2, 48, 48))
  identity = tf.eye(3, dtype=tf.float64)[..., tf.newaxis, tf.newaxis]

  def by_patches(features):
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
    patches = tf.reshape(
      tf.stack([padded[:, y : y + 6, x : x + 8] for y in range(3) for x in range(3)], -1), [2, 48, -1]
    )
    scores = tf.matmul(patches / tf.norm(patches, axis=-1, keepdims=True), patches, transpose_b=True)
    for rows, columns in ((6, 8), (8, 6)):  # The 3x3 identity as a convolution, in either order.
      scores = tf.nn.conv2d(scores[..., tf.newaxis], identity, 1, "SAME")
      scores = tf.reshape(tf.einsum("nabcd->nbadc", tf.reshape(scores, [2, rows, columns, rows, columns])), [2, 48, 48])
    return tf.nn.softmax(10.0 * scores)

  with tf.GradientTape(persistent=True) as tape:
    tape.watch(features)
    maps = [ContextualAttention(dtype="float64").attention_map(features, mask), by_patches(features)]
  np.testing.assert_allclose(maps[0], maps[1], rtol=1e-8, atol=1e-12)
  ours, theirs = (tape.gradient(value, features, d_map) for value in maps)
  np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-10)

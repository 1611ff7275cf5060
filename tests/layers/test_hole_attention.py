"""Attention for the hole's queries alone equals attention for all of them."""

import numpy as np
import pytest
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf.layers.contextual_attention import ContextualAttention
from z2i_tf.layers.hole_attention import attend_hole

_HUGE = 2**30
# Rectangles of a (16, 24) image: all borders and corners (row ends wrap), inside, two at once, odd positions.
_HOLES = {
  "inside": [np.s_[5:9, 7:14]],
  "top left": [np.s_[:5, :3]],
  "top right": [np.s_[:3, -5:]],
  "bottom left": [np.s_[-3:, :4]],
  "bottom right": [np.s_[-4:, -3:]],
  "left and right": [np.s_[6:10, :3], np.s_[7:12, -3:]],
  "top and bottom": [np.s_[:2, 9:13], np.s_[-2:, 11:14]],
  "one pixel": [np.s_[5, 7]],
  "most": [np.s_[:, :18]],
}


def _features(height=16, width=24, channels=5, batch=1, seed=0):
  """So short that the softmax spreads over several keys."""
  return np.random.default_rng(seed).normal(0, 0.1, [batch, height, width, channels]).astype(np.float32)


def _mask(*holes, height=16, width=24):
  mask = np.zeros((len(holes), height, width, 1), np.float32)
  for example, parts in zip(mask, holes):
    for part in parts:
      example[part] = 1
  return mask


def _assert_near(actual, expected):
  assert np.abs(np.asarray(actual) - expected).max() <= 1e-4 * np.abs(expected).max()


def _map(features, mask):
  return (
    ContextualAttention()
    .attention_map(image_ops.downscale_nearest(features, 2), image_ops.downscale_nearest(mask, 2))
    .numpy()
  )


@pytest.mark.parametrize("name", _HOLES)
@pytest.mark.parametrize("max_scores", [1, 9 * 96 * 5, _HUGE])
def test_equals_the_full_computation(name, max_scores):
  features, mask = _features(), _mask(_HOLES[name])
  expected = ContextualAttention()([features, mask]).numpy()
  filled, sources = attend_hole(features, mask, max_scores)
  _assert_near(filled, expected)
  hole = mask[..., 0] == 1
  np.testing.assert_array_equal(filled.numpy()[~hole], features[~hole])
  _assert_near(filled.numpy()[hole], expected[hole])
  # It is a real test: the answer is a mixture of several keys, neither nothing, nor the input, nor a plain mean.
  attention = _map(features, mask)
  needed = hole.reshape(1, 8, 2, 12, 2).any(axis=(2, 4))
  assert attention[needed.reshape(1, 96)].max(axis=-1).min() < 0.9
  for naive in (0.0, features, features[~hole].mean(axis=0)):
    assert np.abs((expected - naive)[hole]).max() > 0.1 * np.abs(expected[hole]).max()
  np.testing.assert_array_equal(sources, np.where(needed, attention.argmax(axis=-1).reshape(1, 8, 12), -1))


@pytest.mark.parametrize("height, width, max_scores", [(2, 30, 1), (30, 2, 500), (10, 10, 3000), (16, 6, 9 * 24 * 2)])
def test_equals_it_on_narrow_and_square_images(height, width, max_scores):
  features = _features(height, width) / 2
  mask = _mask([np.s_[: height // 3 + 1, : width // 3 + 1]], height=height, width=width)
  expected = ContextualAttention()([features, mask]).numpy()
  assert np.abs(expected[mask[..., 0] == 1]).max() > 0.005
  _assert_near(attend_hole(features, mask, max_scores)[0], expected)


def test_every_example_has_its_own_hole_and_graphs_agree():
  """In one batch: a hole, none, nothing but hole, a known corner too small for a key, a pixel that shrinking loses."""
  features = _features(batch=5)
  mask = _mask(_HOLES["left and right"], [], [np.s_[:, :]], [np.s_[2:, :], np.s_[:, 2:]], [np.s_[4, 7]])
  expected = ContextualAttention()([features, mask]).numpy()
  graph = tf.function(
    attend_hole,
    autograph=False,
    input_signature=[
      tf.TensorSpec([None, None, None, 5]),
      tf.TensorSpec([None, None, None, 1]),
      tf.TensorSpec([], tf.int32),
    ],
  )
  for max_scores in (1, 9 * 96 * 7, _HUGE):
    filled, sources = (part.numpy() for part in graph(features, mask, max_scores))
    for example in range(5):
      np.testing.assert_allclose(filled[example], expected[example], rtol=0, atol=1e-4 * np.abs(expected[0]).max())
    np.testing.assert_array_equal(filled[1], features[1])
    assert (sources[1] == -1).all() and (sources[0] >= 0).any()
    assert not filled[2].any() and not filled[3, 2:].any()
    assert (sources[2:4] == -1).all()  # Nothing was copied.
    assert sources[4, 2, 3] == 2 * 12 + 3 and (sources[4] == -1).sum() == 95  # From itself.
  nothing, sources = graph(features[1:2], mask[1:2], _HUGE)
  np.testing.assert_array_equal(nothing, features[1:2])
  assert (sources.numpy() == -1).all()


def test_rate_and_sharpness_are_those_asked_for():
  features, mask = _features(12, 18), _mask([np.s_[4:8, 3:9]], height=12, width=18)
  expected = ContextualAttention(rate=3, softmax_scale=4.0)([features, mask]).numpy()
  assert np.abs(expected - ContextualAttention(rate=3)([features, mask])).max() > 0.01 * np.abs(expected).max()
  _assert_near(attend_hole(features, mask, 100, rate=3, softmax_scale=4.0)[0], expected)


def test_no_more_rows_of_scores_than_the_bound_are_gathered_at_once(monkeypatch):
  gather, rows = tf.gather, []
  monkeypatch.setattr(tf, "gather", lambda *args: (rows.append(int(tf.size(args[1]))), gather(*args))[1])
  largest = []
  for max_scores in (1, 9 * 96 * 3, _HUGE):
    attend_hole(_features(), _mask(_HOLES["inside"]), max_scores)
    largest.append(max(rows))
    rows.clear()
  assert largest[0] <= 9 and 9 < largest[1] <= 27 < largest[2]

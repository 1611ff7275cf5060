from z2i_tf.training.diagnostics import Diagnostics


def _messages(diagnostics, windows):
  return [diagnostics.messages(scalars) for scalars in windows]


def test_ordinary_training_is_not_commented():
  windows = [
    {
      "loss/adversarial_discriminator": 0.5 + 0.1 * (step % 3),
      "data/wait_share": 0.2,
      "gradient_norm/coarse": 1.0 + step % 5,
    }
    for step in range(40)
  ]
  assert not any(_messages(Diagnostics(), windows))


def test_a_saturated_discriminator_is_named_once_until_it_recovers():
  windows = [{"loss/adversarial_discriminator": value} for value in (1.0, 0.001, 0.001, 0.001, 0.0, 0.5, 0.0, 0.0, 0.0)]
  said = [bool(messages) for messages in _messages(Diagnostics(), windows)]
  assert said == [False] * 3 + [True] + [False] * 4 + [True]
  assert "the discriminator is saturated" in _messages(Diagnostics(), windows)[3][0]


def test_data_starvation_is_named():
  said = _messages(Diagnostics(), [{"data/wait_share": share} for share in (0.9, 0.1, 0.5, 0.6, 0.7)])
  assert [len(messages) for messages in said] == [0, 0, 0, 1, 0]
  assert "data starvation: 60% of the time" in said[3][0] and "`crops_per_image`" in said[3][0]


def test_an_exploding_gradient_is_named_with_its_network():
  norms = [2.0, 3.0, 2.5, 2.0, 90.0, 80.0, 2.0, 300.0]
  said = _messages(Diagnostics(), [{"gradient_norm/coarse": 1.0, "gradient_norm/refine": norm} for norm in norms])
  assert [len(messages) for messages in said] == [0, 0, 0, 0, 1, 0, 0, 1]
  assert "gradient_norm/refine is 90, before it was around 2.25" in said[4][0]

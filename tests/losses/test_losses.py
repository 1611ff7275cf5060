import numpy as np
import pytest

from tests import recordings
from z2i_tf.errors import InputError
from z2i_tf.keras_api import VGG19
from z2i_tf.losses import adversarial
from z2i_tf.losses import perceptual
from z2i_tf.losses import pixel


@pytest.mark.parametrize(
  "loss, arguments, name",
  [
    (pixel.l1_loss, ("x", "y"), "l1"),
    (pixel.gradient_loss, ("x", "y"), "gradient"),
    (adversarial.hinge_discriminator_loss, ("d_real", "d_fake"), "d_hinge"),
    (adversarial.hinge_generator_loss, ("d_fake",), "g_hinge"),
  ],
)
def test_matches_the_recording_per_example(loss, arguments, name):
  recorded = recordings.load("losses")
  recordings.assert_matches(loss(*[recorded[argument] for argument in arguments]), recorded[name])


def test_gradient_loss_by_hand():
  target = np.zeros((1, 2, 2, 1), np.float32)
  predicted = np.array([[1, 3], [0, 0]], np.float32).reshape(1, 2, 2, 1)
  # Rows: 1, 9 and nothing; columns: 4 and 0 and nothing; over 4 positions.
  np.testing.assert_allclose(pixel.gradient_loss(predicted, target), [(1 + 9 + 4) / 4])


def test_l1_over_the_hole_is_a_mean_over_its_pixels():
  target = np.zeros((3, 2, 2, 2), np.float32)
  predicted = np.array([[1, 3], [5, 0], [7, 7], [7, 7]], np.float32).reshape(1, 2, 2, 2).repeat(3, 0)
  mask = np.array([[1, 0, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]], np.float32).reshape(3, 2, 2, 1)
  np.testing.assert_allclose(pixel.l1_loss(predicted, target, mask), [2, (2 + 2.5 + 7) / 3, 0])
  np.testing.assert_allclose(pixel.l1_loss(predicted, target), [(2 + 2.5 + 7 + 7) / 4] * 3)


def test_hinge_by_hand():
  real, fake = np.array([[2.0, 0.5]], np.float32), np.array([[-2.0, 0.25]], np.float32)
  np.testing.assert_allclose(adversarial.hinge_discriminator_loss(real, fake), [0.5 / 2 + 1.25 / 2])
  np.testing.assert_allclose(adversarial.hinge_generator_loss(fake), [1.75 / 2])


def test_feature_loss_is_a_mean_per_example():
  features = np.stack([np.full((2, 3, 4), value, np.float32) for value in (1, 5)])
  np.testing.assert_allclose(perceptual.feature_loss(features, np.zeros_like(features)), [1, 5])


def test_vgg_weights_that_are_not_there_or_not_vgg(tmp_path):
  with pytest.raises(InputError, match="`perceptual_weights`=.*nowhere.h5: no such file"):
    perceptual.vgg19_features(str(tmp_path / "nowhere.h5"))
  wrong = tmp_path / "wrong.h5"
  wrong.write_bytes(b"not weights")
  with pytest.raises(InputError, match="not a Keras weights file of VGG19"):
    perceptual.vgg19_features(str(wrong))


def test_vgg_features_come_from_the_file(random_vgg_weights):
  features = perceptual.vgg19_features(random_vgg_weights)
  assert not features.trainable_variables
  image = np.random.default_rng(0).random((1, 40, 56, 3)).astype(np.float32)
  result = features(image).numpy()
  assert result.shape == (1, 28, 28, 512)
  plain = VGG19(include_top=False, weights=random_vgg_weights)
  assert np.array_equal(
    plain.get_layer("block1_conv1").get_weights()[0], [w for w in features.get_weights() if w.shape == (3, 3, 3, 64)][0]
  )

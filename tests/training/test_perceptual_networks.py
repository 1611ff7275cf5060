import numpy as np
import pytest
import tensorflow as tf

from tests.metrics.test_st_lpips import random_weights
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.keras_api import keras
from z2i_tf.losses.perceptual import feature_loss
from z2i_tf.losses.pixel import l1_loss
from z2i_tf.metrics import shift_tolerant
from z2i_tf.models.coarse_net import coarse_net
from z2i_tf.training import devices
from z2i_tf.training.perceptual_networks import perceptual_network
from z2i_tf.training.perceptual_networks import VGG16_ANTIALIASED
from z2i_tf.training.perceptual_networks import VGG19


@pytest.fixture(name="vgg16_weights", scope="module")
def _vgg16_weights(tmp_path_factory):
  path = tmp_path_factory.mktemp("vgg16") / "vgg_shift_tolerant.npz"
  np.savez(path, **random_weights("vgg"))
  return str(path)


def _photographs():
  return tf.constant(
    np.stack(
      [
        image_files.read_rgb(f"data/images/{name}.jpg")[60:124, 60:124] / np.float32(255)
        for name in ("astronaut", "chelsea")
      ]
    )
  )


def test_vgg16_sees_the_resized_image_from_minus_one_to_one(vgg16_weights):
  image = _photographs()[:1, :, :48]
  features = perceptual_network(VGG16_ANTIALIASED, vgg16_weights, devices.FLOAT32)(image)
  assert features.shape == (1, 29, 29, 512)
  witness = shift_tolerant.feature_network("vgg", random_weights("vgg"), ["net.slice4.20"])
  resized = tf.image.resize(image, [224, 224], "bilinear", antialias=True)
  np.testing.assert_allclose(features, witness(2 * resized - 1), rtol=1e-3, atol=1e-4)


def test_in_16_bits_the_loss_s_gradient_stays_within_two_percent(random_vgg_weights):
  """That of a coarse network's weights, by the paper's loss."""
  image = _photographs()
  mask = np.zeros((2, 64, 64, 1), np.float32)
  mask[:, 20:40, 15:45] = 1
  keras.utils.set_random_seed(0)
  network = coarse_net(4)
  gradients = {}
  for name in (devices.FLOAT32, devices.BFLOAT16):
    features = perceptual_network(VGG19, random_vgg_weights, name)
    of_label = features(image)
    with tf.GradientTape() as tape:
      filled = network(tf.concat([image * (1 - mask), mask], -1), training=True)
      of_filled = features(filled)
      loss = tf.reduce_mean(l1_loss(filled, image) + 0.01 * feature_loss(of_filled, of_label))
    assert of_filled.dtype == name.replace("mixed_", "") and loss.dtype == tf.float32
    gradients[name] = np.concatenate(
      [gradient.numpy().ravel() for gradient in tape.gradient(loss, network.trainable_variables)]
    )
  difference = np.linalg.norm(gradients[devices.BFLOAT16] - gradients[devices.FLOAT32])
  assert 0 < difference < 0.02 * np.linalg.norm(gradients[devices.FLOAT32])


def test_weights_of_another_network_are_named(random_vgg_weights, vgg16_weights, tmp_path, monkeypatch):
  for name, weights, message in (
    (VGG16_ANTIALIASED, str(tmp_path / "none.pth"), "`perceptual_weights`=.*none.pth: no such file"),
    (VGG16_ANTIALIASED, random_vgg_weights, "`perceptual_weights`: .*vgg19.h5: not a PyTorch file"),
    (VGG19, vgg16_weights, "`perceptual_weights`=.*vgg_shift_tolerant.npz: not a Keras weights file"),
    (VGG16_ANTIALIASED, "imagenet", "`perceptual_weights`: .*pip install --no-deps stlpips-pytorch==0.0.2"),
  ):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=message):
      perceptual_network(name, weights, devices.FLOAT32)

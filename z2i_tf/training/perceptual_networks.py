"""Builds the network whose features the perceptual losses compare."""

from z2i_tf.keras_api import Model
from z2i_tf.losses import perceptual
from z2i_tf.losses.terms import IMAGENET
from z2i_tf.metrics import shift_tolerant
from z2i_tf.training.devices import networks_in

VGG19, VGG16_ANTIALIASED = PERCEPTUAL_NETWORKS = ("vgg19", "vgg16_antialiased")
# The first convolution of VGG16's fourth block, as `perceptual.vgg19_features` uses VGG19's.
_VGG16_LAYER = "net.slice4.20"
_ARGUMENT = "`perceptual_weights`"


def check_perceptual_network(name: str) -> None:
  """Raises ValueError unless `name` is one of `PERCEPTUAL_NETWORKS`."""
  if name not in PERCEPTUAL_NETWORKS:
    raise ValueError(
      f"The perceptual network is one of {', '.join(PERCEPTUAL_NETWORKS)}. Received: `perceptual_network`={name!r}"
    )


def perceptual_network(name: str, weights: str, precision: str) -> Model:
  """Builds a frozen network: (B, H, W, 3) in [0, 1] -> features of the image resized to 224x224.

  Args:
    name: one of `PERCEPTUAL_NETWORKS`.
    weights: "imagenet" for the published ones (VGG19: downloaded; VGG16: from an installed package), or a file.
    precision: of the network, one of `devices.PRECISIONS`; the image is resized and scaled in float32.
  Raises: InputError if the weights are missing or of another network.
  """
  with networks_in(precision):
    if name == VGG19:
      return perceptual.vgg19_features(weights)
    path = shift_tolerant.local_path(None if weights == IMAGENET else weights, "vgg", _ARGUMENT)
    arrays = shift_tolerant.read_weights(path, "vgg", _ARGUMENT)
    features = shift_tolerant.feature_network("vgg", arrays, [_VGG16_LAYER])
    return perceptual.on_resized_image(features, lambda image: 2.0 * image - 1.0, "vgg16_antialiased_block4_conv1")

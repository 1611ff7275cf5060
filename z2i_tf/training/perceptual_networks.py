"""Builds the network whose features the perceptual losses compare."""

from z2i_tf.keras_api import Model
from z2i_tf.losses import perceptual
from z2i_tf.losses.terms import IMAGENET
from z2i_tf.metrics import shift_tolerant
from z2i_tf.training.devices import networks_in

VGG19, VGG16_ANTIALIASED = PERCEPTUAL_NETWORKS = ("vgg19", "vgg16_antialiased")
# The first convolution of VGG16's fourth block, as `perceptual.vgg19_features` uses VGG19's.
_VGG16_LAYER = "net.slice4.20"
# The last convolutions of its first four blocks, as in `perceptual.vgg19_layers`.
_VGG16_LAYERS = ("net.slice1.2", "net.slice2.8", "net.slice3.16", "net.slice4.24")
_ARGUMENT = "`perceptual_weights`"


def check_perceptual_network(name: str) -> None:
  """Raises ValueError unless it is one of `PERCEPTUAL_NETWORKS`."""
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
    features = _vgg16(weights, (_VGG16_LAYER,))
    return perceptual.on_resized_image(features, _to_vgg16_range, "vgg16_antialiased_block4_conv1")


def perceptual_layers(name: str, weights: str, precision: str) -> Model:
  """Builds a frozen network: (B, H, W, 3) in [0, 1] -> list of the features of four layers, at the image's own size.

  They are the last convolutions of VGG's first four blocks, after the ReLU.
  Arguments and errors: as `perceptual_network`.
  """
  with networks_in(precision):
    if name == VGG19:
      return perceptual.vgg19_layers(weights)
    return perceptual.on_image(_vgg16(weights, _VGG16_LAYERS), _to_vgg16_range, "vgg16_antialiased_layers")


def _vgg16(weights, convolutions):
  path = shift_tolerant.local_path(None if weights == IMAGENET else weights, "vgg", _ARGUMENT)
  return shift_tolerant.feature_network("vgg", shift_tolerant.read_weights(path, "vgg", _ARGUMENT), convolutions)


def _to_vgg16_range(image):
  return 2.0 * image - 1.0

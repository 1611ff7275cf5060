"""LPIPS v0.1 (Zhang et al. 2018, arXiv:1801.03924): distance between features of an ImageNet network.

The published linear weights fit torchvision's AlexNet and VGG16 only. Keras' VGG16 has other weights and inputs, and
gives other distances.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.metrics import weight_files
from z2i_tf.metrics.shift_tolerant import RGB_SCALE
from z2i_tf.metrics.shift_tolerant import RGB_SHIFT
from z2i_tf.metrics.weight_files import PublishedFile

_FEATURES_ARGUMENT, _LINEAR_ARGUMENT = "`lpips_features`", "`lpips_linear`"
VERSION = "0.1"
# Keeps features of length zero finite.
_EPSILON = 1e-10


class _Conv(NamedTuple):
  """A convolution with bias and ReLU; zeros around the image."""

  number: int  # In torchvision's list of layers, which names its arrays.
  channels: int
  side_px: int = 3
  stride: int = 1
  padding: int = 1


class _Net(NamedTuple):
  """A network up to its last compared features.

  Attributes:
    title: name of the network, for descriptions.
    pool_side_px: window of the maximum pooling, of stride 2, without padding.
    blocks: convolutions; LPIPS compares the features after each block.
    pooled: indices of the blocks that begin with pooling.
    smallest_side: of an image, pixels; smaller images vanish when pooled.
    features: published weights of the network.
    linear: published weights of the channels.
  """

  title: str
  pool_side_px: int
  blocks: tuple[tuple[_Conv, ...], ...]
  pooled: tuple[int, ...]
  smallest_side: int
  features: PublishedFile
  linear: PublishedFile


_TORCHVISION = "https://download.pytorch.org/models/"
_AUTHORS = "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/"
_NETS: dict[str, _Net] = {
  "alex": _Net(
    "torchvision's AlexNet",
    3,
    ((_Conv(0, 64, 11, 4, 2),), (_Conv(3, 192, 5, 1, 2),), (_Conv(6, 384),), (_Conv(8, 256),), (_Conv(10, 256),)),
    (1, 2),
    31,
    PublishedFile("alexnet-owt-7be5be79.pth", _TORCHVISION + "alexnet-owt-7be5be79.pth", "7be5be79"),
    PublishedFile(
      "lpips_v0.1_alex.pth", _AUTHORS + "alex.pth", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"
    ),
  ),
  "vgg": _Net(
    "torchvision's VGG16",
    2,
    (
      (_Conv(0, 64), _Conv(2, 64)),
      (_Conv(5, 128), _Conv(7, 128)),
      (_Conv(10, 256), _Conv(12, 256), _Conv(14, 256)),
      (_Conv(17, 512), _Conv(19, 512), _Conv(21, 512)),
      (_Conv(24, 512), _Conv(26, 512), _Conv(28, 512)),
    ),
    (1, 2, 3, 4),
    16,
    PublishedFile("vgg16-397923af.pth", _TORCHVISION + "vgg16-397923af.pth", "397923af"),
    PublishedFile(
      "lpips_v0.1_vgg.pth", _AUTHORS + "vgg.pth", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"
    ),
  ),
}
NETS = tuple(_NETS)


class FeatureDistance:
  """Distance of image pairs: weighted squared differences of a network's features; see `layer_distance`.

  Attributes:
    description: network and files with their SHA-256, in one line.
    smallest_side: of an image, pixels; smaller images have no distance.
  """

  def __init__(
    self,
    description: str,
    smallest_side: int,
    features: Callable[[tf.Tensor], Sequence[tf.Tensor]],
    linear: Sequence[tf.Tensor],
  ):
    """Stores the parts.

    Args:
      description: see above.
      smallest_side: see above.
      features: (B, H, W, 3) in [-1, 1] -> features of each layer, (B, h, w, C).
      linear: weights of each layer's channels, (C,).
    """
    self.description, self.smallest_side = description, smallest_side
    self._network, self._linear = features, linear
    self._compiled_distances = tf.function(
      self._distances, input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)] * 2
    )

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the distance of each pair: two (B, H, W, 3) uint8 -> (B,) float32, 0 for equal images.

    NaN where a side is shorter than `smallest_side`. Resizes nothing, so memory grows with the images: VGG16 holds two
    arrays of 64 channels at full size, 256 bytes per pixel and array, for every image of the batch.
    Raises: ValueError for arrays of other shapes or types.
    """
    if first.shape != second.shape or first.ndim != 4 or first.dtype != np.uint8 or second.dtype != np.uint8:
      raise ValueError(
        f"expected two (B, H, W, 3) uint8; received {first.shape} {first.dtype} and {second.shape} {second.dtype}"
      )
    if min(first.shape[1:3]) < self.smallest_side:
      return np.full(len(first), np.nan, np.float32)
    return self._compiled_distances(first, second).numpy()

  def _distances(self, first, second):
    images = tf.cast(tf.concat([first, second], axis=0), tf.float32) / 127.5 - 1.0
    return tf.add_n(
      [
        layer_distance(*tf.split(features, 2), weights)
        for features, weights in zip(self._network(images), self._linear)
      ]
    )


class Lpips(FeatureDistance):
  """LPIPS of image pairs; its description includes the version."""

  def __init__(self, net: str, features: str = weight_files.DEFAULT, linear: str = weight_files.DEFAULT):
    """Reads the weights.

    Args:
      net: one of `NETS`.
      features: torchvision's weights of the network (.pth or .npz), or "default" to download them.
      linear: the authors' channel weights, v0.1 (.pth or .npz), or "default" to download them.
    Raises: InputError if a file is missing, unusable or of another network, or a download fails.
    """
    self._net = _NETS[net]
    features = weight_files.local_path(features, self._net.features, _FEATURES_ARGUMENT)
    linear = weight_files.local_path(linear, self._net.linear, _LINEAR_ARGUMENT)
    shapes = weight_files.convolution_shapes(
      (f"features.{conv.number}", conv.channels, conv.side_px) for block in self._net.blocks for conv in block
    )
    arrays = weight_files.read_arrays(features, shapes, "features.", _FEATURES_ARGUMENT)
    # PyTorch's kernels are (out, in, height, width).
    self._weights = {
      conv.number: (
        tf.constant(arrays[f"features.{conv.number}.weight"].transpose(2, 3, 1, 0)),
        tf.constant(arrays[f"features.{conv.number}.bias"]),
      )
      for block in self._net.blocks
      for conv in block
    }
    files = ", ".join(weight_files.describe(path) for path in (features, linear))
    super().__init__(
      f"LPIPS v{VERSION} on {self._net.title}: {files}",
      self._net.smallest_side,
      self._features,
      _read_linear(linear, self._net),
    )

  def _features(self, images) -> list[tf.Tensor]:
    images, features = (images - RGB_SHIFT) / RGB_SCALE, []
    for number, block in enumerate(self._net.blocks):
      if number in self._net.pooled:
        images = tf.nn.max_pool2d(images, self._net.pool_side_px, strides=2, padding="VALID")
      for conv in block:
        kernel, bias = self._weights[conv.number]
        padding = [conv.padding, conv.padding]
        images = tf.nn.conv2d(images, kernel, conv.stride, [[0, 0], padding, padding, [0, 0]])
        images = tf.nn.relu(tf.nn.bias_add(images, bias))
      features.append(images)
    return features


def layer_distance(first: tf.Tensor, second: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
  """Returns the LPIPS term of one layer: two (B, h, w, C) and weights (C,) -> (B,).

  Scales the features of every position to length 1, sums their squared differences weighted by channel, and averages
  over the positions.
  """
  squares = tf.square(_unit_length(first) - _unit_length(second))
  return tf.reduce_mean(tf.reduce_sum(squares * weights, axis=-1), axis=[1, 2])


def _unit_length(features):
  return features / (tf.norm(features, axis=-1, keepdims=True) + _EPSILON)


def _read_linear(path, net) -> list[tf.Tensor]:
  shapes = {f"lin{number}.model.1.weight": (1, block[-1].channels, 1, 1) for number, block in enumerate(net.blocks)}
  arrays = weight_files.read_arrays(path, shapes, "lin", _LINEAR_ARGUMENT)
  for name, array in arrays.items():
    if array.min() < 0:
      raise InputError(f"{_LINEAR_ARGUMENT}: {path}: {name} has negative weights; LPIPS v{VERSION} has none")
  return [tf.constant(arrays[name].reshape(-1)) for name in shapes]

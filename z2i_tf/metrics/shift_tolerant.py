"""AlexNet and VGG16 that tolerate small shifts (Ghildyal and Liu 2022, arXiv:2207.13686), and their weights.

Maximum pooling runs with stride 1, then a blur, then every other position is dropped; AlexNet's first convolution is
halved in the same way. The weights come from PyPI's package stlpips-pytorch 0.0.2
(`pip install --no-deps stlpips-pytorch==0.0.2`). Each of its files holds a network trained on ImageNet and the channel
weights of ST-LPIPS.
"""

from collections.abc import Sequence
import importlib.util
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.metrics import weight_files

_MODULE, _PACKAGE, _VERSION = "stlpips_pytorch", "stlpips-pytorch", "0.0.2"
# Scaling of RGB in [-1, 1], as in LPIPS.
RGB_SHIFT = (-0.030, -0.088, -0.188)
RGB_SCALE = (0.458, 0.448, 0.450)
# Pixels added by reflection on each side before a blur.
_BLUR_PADDING = 2


class _Conv(NamedTuple):
  """A convolution with bias and ReLU; zeros around the image."""

  name: str  # Of its arrays in the file.
  channels: int
  side_px: int = 3
  padding: int = 1
  is_halved: bool = False  # Blurs and drops every other position before the ReLU.


class Net(NamedTuple):
  """A network up to its last compared features.

  Attributes:
    pool_side_px: side of the maximum pooling between blocks.
    blocks: convolutions; ST-LPIPS compares the features after each block.
    smallest_side: of an image, pixels; smaller images are too small to pad by reflection.
  """

  pool_side_px: int
  blocks: tuple[tuple[_Conv, ...], ...]
  smallest_side: int


NETS: dict[str, Net] = {
  "alex": Net(
    3,
    (
      (_Conv("net.slice1.0", 64, 11, 2, True),),
      (_Conv("net.slice2.5", 192, 5, 2),),
      (_Conv("net.slice3.9", 384),),
      (_Conv("net.slice4.11", 256),),
      (_Conv("net.slice5.13", 256),),
    ),
    21,
  ),
  "vgg": Net(
    2,
    (
      (_Conv("net.slice1.0", 64), _Conv("net.slice1.2", 64)),
      (_Conv("net.slice2.6", 128), _Conv("net.slice2.8", 128)),
      (_Conv("net.slice3.12", 256), _Conv("net.slice3.14", 256), _Conv("net.slice3.16", 256)),
      (_Conv("net.slice4.20", 512), _Conv("net.slice4.22", 512), _Conv("net.slice4.24", 512)),
      (_Conv("net.slice5.28", 512), _Conv("net.slice5.30", 512), _Conv("net.slice5.32", 512)),
    ),
    18,
  ),
}
# AlexNet has no pooling before its last two blocks.
_POOLED = {"alex": (1, 2), "vgg": (1, 2, 3, 4)}


def local_path(given: str | None, net: str, argument: str) -> str:
  """Returns the path of an existing weight file: `given`, or the file of the installed package if that is None.

  Args:
    given: path, or None.
    net: a name in `NETS`.
    argument: name of the argument in messages, in backticks.
  Raises: InputError if the file is missing or not readable.
  """
  if given is not None:
    weight_files.check_readable(given, argument)
    return given
  spec = importlib.util.find_spec(_MODULE)  # Does not import it, which needs PyTorch.
  if spec is None or not spec.submodule_search_locations:
    raise InputError(
      f"{argument}: needs the weights of a package that is not installed: pip install --no-deps "
      f"{_PACKAGE}=={_VERSION}; or give their path"
    )
  path = os.path.join(list(spec.submodule_search_locations)[0], "weights", "vST0.0", file_name(net) + ".pth")
  if not os.path.isfile(path):
    raise InputError(f"{argument}: {path} is missing; install {_PACKAGE}=={_VERSION}")
  return path


def file_name(net: str) -> str:
  """Returns the name of the package's weight file of a network, without extension."""
  return f"{net}_shift_tolerant"


def read_weights(path: str, net: str, argument: str) -> dict[str, np.ndarray]:
  """Reads a weight file of the package, or the same arrays as .npz; raises as `weight_files.read_arrays`."""
  blocks = NETS[net].blocks
  shapes = weight_files.convolution_shapes(
    (conv.name, conv.channels, conv.side_px) for block in blocks for conv in block
  )
  shapes.update({f"lin{number}.model.1.weight": (1, block[-1].channels, 1, 1) for number, block in enumerate(blocks)})
  return weight_files.read_arrays(path, shapes, tuple(shapes), argument)


def feature_network(net: str, arrays: dict[str, np.ndarray], convolutions: Sequence[str] = ()) -> Model:
  """Builds a frozen network: (B, H, W, 3) in [-1, 1] -> features (B, h, w, C), each after a ReLU.

  Args:
    net: a name in `NETS`.
    arrays: as `read_weights` returns them.
    convolutions: array names of the convolutions whose features it returns; empty for all that ST-LPIPS compares.
  Returns: a model with one output or a list of outputs, which computes in the precision of Keras' global policy.
  """
  blocks = NETS[net].blocks
  wanted = tuple(convolutions) or tuple(block[-1].name for block in blocks)
  inputs = layers.Input([None, None, 3])
  x = (inputs - np.array(RGB_SHIFT, np.float32)) / np.array(RGB_SCALE, np.float32)
  outputs: list[tf.Tensor] = []
  kernels = []
  for number, block in enumerate(blocks):
    if len(outputs) == len(wanted):
      break
    if number in _POOLED[net]:
      x = _halve(layers.MaxPooling2D(NETS[net].pool_side_px, strides=1)(x))
    for conv in block:
      if conv.side_px != 2 * conv.padding + 1:
        x = layers.ZeroPadding2D(conv.padding)(x)
      layer = layers.Conv2D(
        conv.channels,
        conv.side_px,
        name=conv.name.replace(".", "_"),
        padding="same" if conv.side_px == 2 * conv.padding + 1 else "valid",
      )
      x = layer(x)
      kernels.append((layer, arrays[f"{conv.name}.weight"].transpose(2, 3, 1, 0), arrays[f"{conv.name}.bias"]))
      x = layers.ReLU()(_halve(x) if conv.is_halved else x)
      if conv.name in wanted:
        outputs.append(x)
      if len(outputs) == len(wanted):
        break
  model = Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=f"{net}_shift_tolerant")
  for layer, kernel, bias in kernels:  # PyTorch's kernels are (out, in, height, width).
    layer.set_weights([kernel, bias])
  model.trainable = False
  return model


def _halve(x):
  """Blurs by [1 2 1] / 4 along both axes, which is two means of neighbours in turn, and keeps every other position."""
  padding = [_BLUR_PADDING, _BLUR_PADDING]
  x = tf.pad(x, [[0, 0], padding, padding, [0, 0]], "REFLECT")
  return tf.nn.avg_pool2d(tf.nn.avg_pool2d(x, 2, 1, "VALID"), 2, 2, "VALID")

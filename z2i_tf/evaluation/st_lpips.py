"""ST-LPIPS (Ghildyal and Liu 2022, arXiv:2207.13686): LPIPS on networks that are tolerant of small shifts."""

import os
from typing import Optional

import numpy as np
import tensorflow as tf

from z2i_tf.evaluation import shift_tolerant
from z2i_tf.evaluation import weight_files
from z2i_tf.evaluation.lpips import layer_distance

NETS = tuple(shift_tolerant.NETS)
WEIGHTS_FLAG = "--st_lpips_weights"
_TITLES = {"alex": "AlexNet", "vgg": "VGG16"}


class StLpips:
  """ST-LPIPS of pairs of images.

  Attributes:
    description: the network and the file with its SHA-256, in one line.
    smallest_side: shorter sides have no ST-LPIPS, pixels.
  """

  def __init__(self, net: str, folder: Optional[str] = None):
    """Reads the weights.

    Args:
      net: one of `NETS`.
      folder: with alex_shift_tolerant and vgg_shift_tolerant, .pth as in the package stlpips-pytorch, or the same
        arrays as .npz; None: that of the installed package.
    Raises: InputError if the file is missing, unusable or of another network.
    """
    path = None if folder is None else os.path.join(folder, shift_tolerant.file_name(net) + ".pth")
    if path is not None and not os.path.isfile(path):
      path = path[:-len(".pth")] + ".npz"
    path = shift_tolerant.local_path(path, net, WEIGHTS_FLAG)
    arrays = shift_tolerant.read_weights(path, net, WEIGHTS_FLAG)
    self._network = shift_tolerant.feature_network(net, arrays)
    self._linear = [tf.constant(arrays[f"lin{number}.model.1.weight"].reshape(-1))
                    for number in range(len(shift_tolerant.NETS[net].blocks))]
    self.description = f"ST-LPIPS on the shift-tolerant {_TITLES[net]}: {weight_files.describe(path)}"
    self.smallest_side = shift_tolerant.NETS[net].smallest_side
    self._distances = tf.function(self._distances, input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)] * 2)

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the distance of each pair: two (B, H, W, 3) uint8 -> (B,) float32, 0 for equal images.

    NaN where a side is shorter than `smallest_side`. Nothing is resized: memory grows with the images (as for `Lpips`;
    this AlexNet has 64 channels at full size, too).
    Raises: ValueError if shapes or types are others.
    """
    if first.shape != second.shape or first.ndim != 4 or first.dtype != np.uint8 or second.dtype != np.uint8:
      raise ValueError(f"expected two (B, H, W, 3) uint8; received {first.shape} {first.dtype} and {second.shape} "
                       f"{second.dtype}")
    if min(first.shape[1:3]) < self.smallest_side:
      return np.full(len(first), np.nan, np.float32)
    return self._distances(first, second).numpy()

  def _distances(self, first, second):
    images = tf.cast(tf.concat([first, second], axis=0), tf.float32) / 127.5 - 1.0
    return tf.add_n([layer_distance(*tf.split(features, 2), weights)
                     for features, weights in zip(self._network(images), self._linear)])

"""ST-LPIPS (Ghildyal and Liu 2022, arXiv:2207.13686): LPIPS on networks that tolerate small shifts."""

import os

import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.metrics import shift_tolerant
from z2i_tf.metrics import weight_files
from z2i_tf.metrics.lpips import FeatureDistance

NETS = tuple(shift_tolerant.NETS)
_ARGUMENT = "`st_lpips_weights`"
_TITLES = {"alex": "AlexNet", "vgg": "VGG16"}


class StLpips(FeatureDistance):
  """ST-LPIPS of image pairs."""

  def __init__(self, net: str, folder: str | None = None):
    """Reads the weights.

    Args:
      net: one of `NETS`.
      folder: holds alex_shift_tolerant and vgg_shift_tolerant, as .pth of the package stlpips-pytorch or as .npz; None
        for the folder of the installed package.
    Raises: InputError if the file is missing, unusable or of another network.
    """
    path = shift_tolerant.local_path(None if folder is None else _path_in(folder, net), net, _ARGUMENT)
    arrays = shift_tolerant.read_weights(path, net, _ARGUMENT)
    network = shift_tolerant.NETS[net]
    super().__init__(
      f"ST-LPIPS on the shift-tolerant {_TITLES[net]}: {weight_files.describe(path)}",
      network.smallest_side,
      shift_tolerant.feature_network(net, arrays),
      [tf.constant(arrays[f"lin{number}.model.1.weight"].reshape(-1)) for number in range(len(network.blocks))],
    )


def _path_in(folder: str, net: str) -> str:
  """Returns the path of a network's file in a folder."""
  names = [shift_tolerant.file_name(net) + extension for extension in (".pth", ".npz")]
  for name in names:
    if os.path.isfile(os.path.join(folder, name)):
      return os.path.join(folder, name)
  raise InputError(f"{_ARGUMENT}={folder}: neither {' nor '.join(names)} in it")

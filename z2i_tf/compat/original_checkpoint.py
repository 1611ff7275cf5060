"""Reads checkpoints of the authors' training code. Only this file knows their names.

Their checkpoint contains Keras models as `model`, `model_sr`, `model_refine` and `model_d`. Layers with weights are
numbered in order of application, like ours.
"""

import re

import numpy as np

from z2i_tf import conventions
from z2i_tf.compat import checkpoint_files
from z2i_tf.compat import named_weights
from z2i_tf.errors import InputError
from z2i_tf.models.architecture import ModelConfig

_NETWORKS = {
  "model": conventions.COARSE_NET,
  "model_sr": conventions.SR_NET,
  "model_refine": conventions.REFINE_NET,
  "model_d": conventions.DISCRIMINATOR,
}
# Variable in their layer -> our kind of layer and name; None: not needed.
_VARIABLES = {
  "kernel": ("conv", "kernel"),
  "bias": ("conv", "bias"),
  "layer/bias": ("conv", "bias"),
  "spectral_norm_u": ("conv", "u"),
  "spectral_norm_v": None,
  "gamma": ("bn", "gamma"),
  "beta": ("bn", "beta"),
  "moving_mean": ("bn", "mean"),
  "moving_variance": ("bn", "var"),
}
_KEY = re.compile(r"([^/]+)/layer_with_weights-(\d+)/(.+)/\.ATTRIBUTES/VARIABLE_VALUE$")


def read_original_checkpoint(
  prefix: str, zoom: str | None = None, scale: int | None = None
) -> tuple[dict[str, np.ndarray], ModelConfig, int | None]:
  """Reads the weights of all networks in a checkpoint, and infers the networks' configuration.

  Args:
    prefix: path without `.index`, such as `folder/ckpt-1500`.
    zoom: "none" or "bicubic"; required if there is no SR network, otherwise not allowed.
    scale: of the zoom; allowed only with `zoom`.
  Returns: arrays by their names in model.npz, the generator's configuration, and the discriminator's width (None if
    there is no discriminator).
  Raises: InputError if files are missing or damaged, or the checkpoint contains other networks.
  """
  arrays = _read_arrays(prefix)
  return (arrays, *named_weights.infer_config(arrays, prefix, zoom, scale))


def _read_arrays(prefix):

  def is_wanted(key):
    match = _KEY.match(key)
    if not match or match[1] not in _NETWORKS:
      return False
    if match[3] not in _VARIABLES:
      raise InputError(f"{prefix}: not the original networks: unknown variable {key}")
    return _VARIABLES[match[3]] is not None

  layers = {}
  for key, array in checkpoint_files.read_tensors(prefix, is_wanted).items():
    model, number, variable = _KEY.match(key).groups()
    layers.setdefault((_NETWORKS[model], int(number)), {})[_VARIABLES[variable]] = array
  arrays, counts = {}, {}
  for (network, _), variables in sorted(layers.items()):
    kind = next(iter(variables))[0]
    number = counts.get((network, kind), 0)
    counts[network, kind] = number + 1
    for (_, name), array in variables.items():
      arrays[f"{network}/{kind}{number:02d}/{name}"] = array
  return arrays

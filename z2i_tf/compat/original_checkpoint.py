"""Reads checkpoints written by the authors' training code. The only file that knows their names.

Their checkpoint holds Keras models as `model`, `model_sr`, `model_refine` and `model_d`; layers with
weights are numbered in order of application, which is the order of ours.
"""

import math
import os
import re
from typing import Dict, Optional, Tuple

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.models.blocks import check_width
from z2i_tf.models.zoom_inpainter import ModelConfig

_NETWORKS = {
    "model": conventions.COARSE_NET,
    "model_sr": conventions.SR_NET,
    "model_refine": conventions.REFINE_NET,
    "model_d": conventions.DISCRIMINATOR,
}
# Variable in their layer -> kind of layer and name of ours; None: not needed.
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
# Index of the SR network's convolution before the pixel shuffle.
_SHUFFLE_KERNEL = f"{conventions.SR_NET}/conv09/kernel"


def read_original_checkpoint(
    prefix: str, zoom: Optional[str] = None, scale: Optional[int] = None
) -> Tuple[Dict[str, np.ndarray], ModelConfig, Optional[int]]:
  """Reads the weights of all networks in a checkpoint, and infers what the networks look like.

  Args:
    prefix: path without `.index`, such as `folder/ckpt-1500`.
    zoom: "none" or "bicubic"; needed if, and only if, there is no SR network to infer it from.
    scale: likewise.
  Returns: arrays named as in a model file, the generator's configuration, and the discriminator's width
    (None if there is no discriminator).
  Raises: InputError if files are missing or damaged, or the checkpoint is of other networks.
  """
  arrays = _read_arrays(prefix)
  for network in (conventions.COARSE_NET, conventions.REFINE_NET):
    if f"{network}/conv00/kernel" not in arrays:
      raise InputError(f"{prefix}: not a checkpoint of the original joint training: it has no {network} "
                       "network")
  try:
    return arrays, _infer_config(arrays, prefix, zoom, scale), _discriminator_width(arrays)
  except InputError:
    raise
  except ValueError as error:
    raise InputError(f"{prefix}: not the original networks: {error}") from error


def _infer_config(arrays, prefix, zoom, scale):
  width = arrays[f"{conventions.COARSE_NET}/conv00/kernel"].shape[-1]
  if f"{conventions.SR_NET}/conv00/kernel" not in arrays:
    if zoom is None:
      raise InputError(f"{prefix} has no SR network: say with --zoom=none, or --zoom=bicubic and --scale, "
                       "how it was trained")
    scale = (1 if zoom == "none" else 2) if scale is None else scale
    try:
      return ModelConfig(zoom=zoom, scale=scale, width=width)
    except ValueError as error:
      raise InputError(f"--zoom={zoom} --scale={scale}: {error}") from error
  if zoom is not None or scale is not None:
    raise InputError(f"{prefix} has an SR network, which says the zoom and its scale; leave out --zoom and "
                     "--scale")
  if _SHUFFLE_KERNEL not in arrays:
    raise ValueError("the SR network has fewer convolutions")
  sr_width, shuffled = arrays[_SHUFFLE_KERNEL].shape[-2:]
  return ModelConfig(zoom="sr", scale=math.isqrt(shuffled // sr_width), width=width, sr_width=sr_width)


def _discriminator_width(arrays):
  if not any(name.startswith(conventions.DISCRIMINATOR + "/") for name in arrays):
    return None
  kernel = arrays.get(f"{conventions.DISCRIMINATOR}/conv00/kernel")
  if kernel is None:
    raise ValueError("the discriminator has no convolution")
  check_width(kernel.shape[-1])
  return kernel.shape[-1]


def _read_arrays(prefix):
  if not os.path.isfile(prefix + ".index"):
    raise InputError(f"--original={prefix}: no checkpoint there ({os.path.basename(prefix)}.index is missing; "
                     "give the path without an extension, as folder/ckpt-1500)")
  layers = {}
  try:
    reader = tf.train.load_checkpoint(prefix)
    for key in reader.get_variable_to_shape_map():
      match = _KEY.match(key)
      if not match or match[1] not in _NETWORKS:
        continue
      if match[3] not in _VARIABLES:
        raise InputError(f"{prefix}: not the original networks: unknown variable {key}")
      if _VARIABLES[match[3]] is not None:
        layers.setdefault((_NETWORKS[match[1]], int(match[2])), {})[_VARIABLES[match[3]]] = (
            reader.get_tensor(key))
  except InputError:
    raise
  except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:
    raise InputError(f"{prefix}: the checkpoint is damaged or incomplete; copy it again "
                     f"({str(error).splitlines()[0][:120]})") from error
  arrays, counts = {}, {}
  for (network, _), variables in sorted(layers.items()):
    kind = next(iter(variables))[0]
    number = counts.get((network, kind), 0)
    counts[network, kind] = number + 1
    for (_, name), array in variables.items():
      arrays[f"{network}/{kind}{number:02d}/{name}"] = array
  return arrays

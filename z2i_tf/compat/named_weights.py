"""Reads weights from elsewhere that have the names of model.npz, and infers the networks from their shapes."""

from collections.abc import Mapping
import math

import numpy as np

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.models import architecture
from z2i_tf.models import deepfill_table
from z2i_tf.models.architecture import check_width
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.system import array_files

_NETWORKS = (conventions.COARSE_NET, conventions.SR_NET, conventions.REFINE_NET, conventions.DISCRIMINATOR)
# Not a weight: power iteration computes this vector from `u`.
_SPECTRAL_NORM_V = "v"


def read_named_weights(path: str) -> dict[str, np.ndarray]:
  """Returns the arrays of an .npz file by name, without the discriminator's vectors `v`.

  Raises: InputError if the file cannot be read, or contains an array of an unknown network, or values that are not
    finite.
  """
  try:
    arrays = array_files.read_npz(path)
  except FileNotFoundError as error:
    raise InputError(f"{path}: no such file") from error
  except (OSError, ValueError) as error:
    raise InputError(f"{path}: not an .npz file of arrays, or damaged") from error
  for name, array in arrays.items():
    if name.partition("/")[0] not in _NETWORKS:
      raise InputError(
        f"{path}: the array {name!r} belongs to none of the networks {', '.join(_NETWORKS)}; leave it out"
      )
    if array.dtype.kind != "f" or not np.isfinite(array).all():
      raise InputError(f"{path}: {name} has values that are not finite numbers")
  return {name: array for name, array in arrays.items() if not _is_v(name)}


def _is_v(name):
  return name.startswith(f"{conventions.DISCRIMINATOR}/") and name.rpartition("/")[2] == _SPECTRAL_NORM_V


def infer_config(
  arrays: Mapping[str, np.ndarray], source: str, zoom: str | None = None, scale: int | None = None
) -> tuple[ModelConfig, int | None]:
  """Infers the configuration of networks from their weights.

  Args:
    arrays: by name.
    source: where they come from, for the error message.
    zoom: "none" or "bicubic"; required if there is no SR network, otherwise not allowed.
    scale: of the zoom; allowed only with `zoom`.
  Returns: the generator's configuration, and the discriminator's width (None if there is no discriminator).
  Raises: InputError if the coarse or the refinement network is missing, or the shapes are those of other networks.
  """
  for network in (conventions.COARSE_NET, conventions.REFINE_NET):
    if f"{network}/conv00/kernel" not in arrays:
      raise InputError(f"{source}: not the weights of a whole model: it has no {network} network")
  try:
    return _generator(arrays, source, zoom, scale), _discriminator_width(arrays)
  except InputError:
    raise
  except ValueError as error:
    raise InputError(f"{source}: not the original networks: {error}") from error


def _generator(arrays, source, zoom, scale):
  channels_in, width = _channels(arrays, f"{conventions.COARSE_NET}/conv00/kernel")
  is_deepfill = channels_in == deepfill_table.CHANNELS_IN
  of = {"width": width, "architecture": architecture.DEEPFILL_V2 if is_deepfill else architecture.ZOOM_INPAINT}
  if f"{conventions.SR_NET}/conv00/kernel" not in arrays:
    if zoom is None:
      raise InputError(
        f"{source} has no SR network: give the zoom of its training, `zoom`=none, or `zoom`=bicubic and `scale`"
      )
    scale = (1 if zoom == "none" else 2) if scale is None else scale
    try:
      return ModelConfig(zoom=zoom, scale=scale, **of)
    except ValueError as error:
      raise InputError(f"`zoom`={zoom} `scale`={scale}: {error}") from error
  if zoom is not None or scale is not None:
    raise InputError(f"{source} has an SR network, which determines zoom and scale; leave out `zoom` and `scale`")
  if architecture.SHUFFLE_KERNEL not in arrays:
    raise ValueError("the SR network has fewer convolutions")
  sr_width, shuffled = _channels(arrays, architecture.SHUFFLE_KERNEL)
  return ModelConfig(zoom="sr", scale=math.isqrt(shuffled // sr_width), sr_width=sr_width, **of)


def _discriminator_width(arrays):
  if not any(name.startswith(conventions.DISCRIMINATOR + "/") for name in arrays):
    return None
  name = f"{conventions.DISCRIMINATOR}/conv00/kernel"
  if name not in arrays:
    raise ValueError("the discriminator has no convolution")
  _, width = _channels(arrays, name)
  check_width(width)
  return width


def _channels(arrays, name):
  """Returns a kernel's numbers of input and output channels."""
  shape = np.shape(arrays[name])
  if len(shape) != 4 or 0 in shape:
    raise ValueError(f"{name} has the shape {shape}, not that of a convolution's kernel")
  return shape[-2:]

"""Reads and writes weights as named arrays, in networks and in model files; refuses files that do not fit.

A *model folder* holds one file, `model.npz`: the arrays of `architecture.array_shapes`, and `config`, a JSON text. One
file is written completely or not at all, and NumPy alone reads it.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import json
import os
import re
from typing import Any

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.keras_api import layers
from z2i_tf.keras_api import Model
from z2i_tf.layers.gated_conv import GatedConv2D
from z2i_tf.system import array_files
from z2i_tf.system import input_files
from z2i_tf.system.atomic_files import atomic_write

MODEL_FILE = "model.npz"
_CONFIG_ENTRY = "config"
_FORMAT_VERSION = 1
_NUMBERED = re.compile(r"conv(\d\d)")


def network_variables(network: Model) -> dict[str, Any]:
  """Returns a network's variables by their names in model.npz without the network's prefix, in order of application.

  Layers called convNN are sorted by their numbers, because Keras interleaves the layers of parallel branches.

  Raises: ValueError if a layer has variables that model files do not store.
  """
  named = {}
  counts = {"conv": 0, "bn": 0}
  for layer in sorted(network.layers, key=_place):
    kind, variables = _layer_variables(layer)
    for name, variable in variables.items():
      named[f"{kind}{counts[kind]:02d}/{name}"] = variable
    if variables:
      counts[kind] += 1
  expected = len(network.variables)
  if len(named) != expected:
    raise ValueError(
      f"Model files store {len(named)} of the {expected} variables of network {network.name!r}: those of convolutions, "
      "batch norms and spectral norms."
    )
  return named


def _place(layer) -> int:
  match = _NUMBERED.fullmatch(layer.name)
  return int(match[1]) if match else -1  # Sorting is stable, so these keep their order.


def _layer_variables(layer) -> tuple[str, dict[str, Any]]:
  if isinstance(layer, layers.BatchNormalization):
    return "bn", {"gamma": layer.gamma, "beta": layer.beta, "mean": layer.moving_mean, "var": layer.moving_variance}
  if isinstance(layer, layers.Wrapper):  # Spectral norm.
    return "conv", {"kernel": layer.layer.kernel, "bias": layer.layer.bias, "u": layer.u}
  conv = layer.conv if isinstance(layer, GatedConv2D) else layer
  if isinstance(conv, layers.Conv2D):
    return "conv", {"kernel": conv.kernel, "bias": conv.bias}
  return "", {}


def read_arrays(networks: Mapping[str, Model]) -> dict[str, np.ndarray]:
  """Returns every weight of the networks by its name in model.npz."""
  return {
    f"{net_name}/{name}": variable.numpy()
    for net_name, network in networks.items()
    for name, variable in network_variables(network).items()
  }


def assign_arrays(networks: Mapping[str, Model], arrays: Mapping[str, np.ndarray], source: str) -> None:
  """Sets every weight of the networks, or none.

  Args:
    networks: by name; arrays of other networks are ignored.
    arrays: as `read_arrays` returns them.
    source: where the arrays come from, for the error message.
  Raises: InputError as `check_arrays`.
  """
  variables = {
    f"{network}/{name}": variable
    for network in networks
    for name, variable in network_variables(networks[network]).items()
  }
  check_arrays(arrays, networks, {name: tuple(variable.shape) for name, variable in variables.items()}, source)
  for name, variable in variables.items():
    variable.assign(arrays[name])


def check_arrays(
  arrays: Mapping[str, np.ndarray], networks: Iterable[str], shapes: Mapping[str, tuple[int, ...]], source: str
) -> None:
  """Checks that the arrays of some networks are exactly those that a model needs.

  Args:
    arrays: by their names in model.npz.
    networks: names of the networks that are checked.
    shapes: name -> shape of every array that these networks need.
    source: where the arrays come from, for the error message.
  Raises: InputError that names the source and the first array that is missing, left over or of another shape.
  """
  given = {name for name in arrays if name.partition("/")[0] in set(networks)}
  for problem, names in (
    ("has no array", shapes.keys() - given),
    ("has an array with no place in the model,", given - shapes.keys()),
  ):
    if names:
      raise InputError(f"{source} {problem} {min(names)}: it is not of this model's configuration")
  for name, shape in shapes.items():
    if arrays[name].shape != shape:
      raise InputError(
        f"{source}: {name} has shape {arrays[name].shape}, the model needs {shape}; check the widths and the scale"
      )


def write_model_file(folder: str, arrays: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> str:
  """Writes `folder/model.npz` atomically and returns its path.

  Args:
    folder: created if missing; its parent exists.
    arrays: as `read_arrays` returns them.
    config: JSON-compatible: `architecture.describe`, and where the weights come from.
  Raises: InputError if the folder cannot be written.
  """
  path = os.path.join(folder, MODEL_FILE)
  text = json.dumps({"format_version": _FORMAT_VERSION, **config}, sort_keys=True)
  try:
    if not os.path.isdir(folder):
      os.mkdir(folder)
    with atomic_write(path) as file:
      np.savez_compressed(file, **{_CONFIG_ENTRY: np.array(text)}, **arrays)
  except OSError as error:
    raise InputError(f"{folder}: cannot write the model: {error.strerror or error}") from error
  return path


def read_model_file(folder: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
  """Reads a model file.

  Returns: the arrays and the configuration.
  Raises: InputError if the folder has no model file, or if the file is damaged, has another format, or contains weights
    that are not finite.
  """
  return _read(folder, None)


def read_model_config(folder: str) -> dict[str, Any]:
  """Returns the configuration alone, without reading the weights; raises as `read_model_file`."""
  return _read(folder, ())[1]


def _read(folder, names):
  """Returns the arrays with the given names (None: all) and the configuration."""
  path = os.path.join(folder, MODEL_FILE)
  if not os.path.isfile(path):
    raise InputError(f"{folder}: no model here ({MODEL_FILE} is missing)")
  try:
    arrays = array_files.read_npz(path, lambda name: names is None or name == _CONFIG_ENTRY or name in names)
    config = dict(input_files.parse_json(str(arrays.pop(_CONFIG_ENTRY))))
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise InputError(f"{path}: not a model file, or damaged; convert or train it again") from error
  if config.get("format_version") != _FORMAT_VERSION:
    raise InputError(f"{path}: format version {config.get('format_version')}, this program reads {_FORMAT_VERSION}")
  for name, array in arrays.items():
    if array.dtype.kind != "f" or not np.isfinite(array).all():
      raise InputError(f"{path}: {name} has values that are not finite numbers; convert or train it again")
  return arrays, config

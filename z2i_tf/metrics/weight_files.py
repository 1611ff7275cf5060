"""Finds, downloads and checks the weight files of networks that compute scores.

Files of the same name may hold different networks, so every score is printed with the SHA-256 of its file.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import os

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.keras_api import get_file
from z2i_tf.metrics import torch_files
from z2i_tf.system import array_files
from z2i_tf.system import input_files

# In place of a path: download the published file, once, into Keras' cache.
DEFAULT = "default"
_PRINTED_DIGITS = 12


@dataclasses.dataclass(frozen=True)
class PublishedFile:
  """A published file, which `DEFAULT` downloads.

  Attributes:
    name: in the cache and in messages.
    url: to download from.
    sha256_start: first digits of its SHA-256; empty if none are published.
  """

  name: str
  url: str
  sha256_start: str


def local_path(given: str, published: PublishedFile, argument: str) -> str:
  """Returns the path of an existing file, after downloading it if `given` is `DEFAULT`.

  Args:
    given: path, or `DEFAULT`.
    published: file to download.
    argument: name of the argument in messages, in backticks.
  Raises: InputError if the file is missing, the download fails, or the file is not the published one.
  """
  if given != DEFAULT:
    check_readable(given, argument)
    return given
  try:
    path = get_file(published.name, published.url, cache_subdir="models")
  except Exception as error:  # Keras turns every network failure into a bare Exception.
    raise InputError(
      f"{argument}={DEFAULT}: the download of {published.url} failed; get the file where there is a "
      f"network and give it with {argument}=FILE"
    ) from error
  if not input_files.sha256(path).startswith(published.sha256_start):
    raise InputError(
      f"{argument}={DEFAULT}: {path} is not the published file, whose SHA-256 begins with "
      f"{published.sha256_start}; delete it to have it downloaded again, or give one with {argument}=FILE"
    )
  return path


def check_readable(path: str, argument: str) -> None:
  """Raises InputError, naming the argument, unless the file exists and can be read."""
  if not os.path.isfile(path):
    raise InputError(f"{argument}={path}: no such file")
  if not os.access(path, os.R_OK):
    raise InputError(f"{argument}={path}: not readable; change its permissions")


def describe(path: str) -> str:
  """Returns the name of a file with the first digits of its SHA-256."""
  return f"{os.path.basename(path)} (sha256 {input_files.sha256(path)[:_PRINTED_DIGITS]})"


def read_arrays(
  path: str, shapes: Mapping[str, tuple[int, ...]], prefix: str | tuple[str, ...], argument: str
) -> dict[str, np.ndarray]:
  """Reads the arrays whose names begin with `prefix`, which must be exactly those of `shapes`.

  Reads ".npz" files as NumPy's format and all others as PyTorch's, without PyTorch.
  `np.savez("out.npz", **torch_files.read_arrays("in.pth"))` converts a file.

  Args:
    path: of an existing file.
    shapes: name -> shape.
    prefix: one or several; ignores arrays with other names.
    argument: name of the argument in messages, in backticks.
  Returns: name -> float32 array.
  Raises: InputError, naming the file and the array, if the file cannot be read, or an array is missing, unexpected, of
    another shape or not finite.
  """
  where = f"{argument}: {path}"
  arrays = _read_npz(path, prefix, where) if path.endswith(".npz") else _read_torch(path, prefix, where)
  for name, shape in shapes.items():
    if name not in arrays:
      raise InputError(f"{where} has no array {name}: it is not the file of this network")
    if arrays[name].shape != shape:
      raise InputError(
        f"{where}: {name} has the shape {arrays[name].shape} instead of {shape}: it is not the file of this network"
      )
    if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
      raise InputError(f"{where}: {name} has values that are not finite numbers")
  unknown = sorted(set(arrays) - set(shapes))
  if unknown:
    raise InputError(f"{where} has an array {unknown[0]}, too: it is not the file of this network")
  return {name: array.astype(np.float32) for name, array in arrays.items()}


def convolution_shapes(convolutions: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, ...]]:
  """Returns the shapes of PyTorch's arrays of convolutions that follow one another, the first on RGB.

  Args:
    convolutions: name of the layer, number of its filters, side of its kernel in pixels.
  Returns: names of kernels (filters, channels, side, side) and biases (filters,) -> shapes.
  """
  shapes: dict[str, tuple[int, ...]] = {}
  channels = 3
  for name, filters, side_px in convolutions:
    shapes[f"{name}.weight"] = (filters, channels, side_px, side_px)
    shapes[f"{name}.bias"] = (filters,)
    channels = filters
  return shapes


def _read_npz(path, prefix, where):
  try:
    return array_files.read_npz(path, lambda name: name.startswith(prefix))
  except (OSError, ValueError) as error:
    raise InputError(f"{where}: not an .npz file of arrays") from error


def _read_torch(path, prefix, where):
  try:
    return {name: array for name, array in torch_files.read_arrays(path).items() if name.startswith(prefix)}
  except Exception as error:  # Unpickling fails with whatever the bytes lead to.
    raise InputError(f"{where}: not a PyTorch file of named arrays") from error

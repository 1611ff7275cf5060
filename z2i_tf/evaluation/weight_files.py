"""Weights of the networks that scores are made with: downloaded or given by path, checked, named; never replaced.

Two files of one name need not be the same network: what a score is printed with has the file's SHA-256.
"""

from collections.abc import Mapping
import dataclasses
import os

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.evaluation import torch_files
from z2i_tf.keras_api import get_file
from z2i_tf.system import array_files
from z2i_tf.system import input_files

# Instead of a path: the published file, downloaded once into Keras' cache.
DEFAULT = "default"
_PRINTED_DIGITS = 12


@dataclasses.dataclass(frozen=True)
class PublishedFile:
  """A file that `DEFAULT` stands for.

  Attributes:
    name: in the cache, and where it is spoken of.
    url: where it is downloaded.
    sha256_start: first digits of its SHA-256; empty where none are published.
  """

  name: str
  url: str
  sha256_start: str


def local_path(given: str, published: PublishedFile, flag: str) -> str:
  """Returns the path of a file that is there: `given`, or for `DEFAULT` that of the published one.

  Raises: InputError, naming the flag, if there is no such file, the download fails or is not what was published.
  """
  if given != DEFAULT:
    if not os.path.isfile(given):
      raise InputError(f"{flag}={given}: no such file")
    if not os.access(given, os.R_OK):
      raise InputError(f"{flag}={given}: not readable; change its permissions")
    return given
  try:
    path = get_file(published.name, published.url, cache_subdir="models")
  except Exception as error:  # Keras turns every network failure into a bare Exception.
    raise InputError(
      f"{flag}={DEFAULT}: the download of {published.url} failed; get the file where there is a "
      f"network and give it with {flag}=FILE"
    ) from error
  if not input_files.sha256(path).startswith(published.sha256_start):
    raise InputError(
      f"{flag}={DEFAULT}: {path} is not the published file, whose SHA-256 begins with "
      f"{published.sha256_start}; delete it to have it downloaded again, or give one with {flag}=FILE"
    )
  return path


def describe(path: str) -> str:
  """Returns the file's short name with the first digits of its SHA-256."""
  return f"{os.path.basename(path)} (sha256 {input_files.sha256(path)[:_PRINTED_DIGITS]})"


def read_arrays(
  path: str, shapes: Mapping[str, tuple[int, ...]], prefix: str | tuple[str, ...], flag: str
) -> dict[str, np.ndarray]:
  """Reads the arrays whose names begin with `prefix`, which must be those of `shapes` and no others.

  A name that ends in ".npz" is NumPy's format, everything else PyTorch's, which is read without PyTorch. One becomes
  the other by `np.savez("out.npz", **torch_files.read_arrays("in.pth"))`.

  Args:
    path: of a file that is there.
    shapes: name -> shape.
    prefix: or several; arrays of other names are not looked at.
    flag: that the file was given with, for messages.
  Returns: name -> float32 array.
  Raises: InputError, naming the file and the array, if it cannot be read, arrays are missing, too many, of another
    shape or not finite.
  """
  where = f"{flag}: {path}"
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

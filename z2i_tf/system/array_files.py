"""Reads untrusted .npz files: checks the declared sizes before unpacking."""

from collections.abc import Callable
import errno
import math
import os
import zipfile

import numpy as np

# Weights hardly shrink when compressed, but small ones that are all zeros do.
_MAX_BYTES, _MAX_EXPANSION = 2**26, 16
_KINDS = "biufUS"  # Numbers and text.


def read_npz(path: str, is_wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray]:
  """Returns the arrays of an .npz file by name.

  Args:
    path: of the file.
    is_wanted: name -> whether to read this array.
  Raises: OSError if there is no such file, or it cannot be read; ValueError if it is no .npz file, damaged, or declares
    far more than its size can hold.
  """
  if not os.path.isfile(path):  # Reading a pipe would wait for ever.
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
  try:
    with zipfile.ZipFile(path) as archive:
      entries = archive.infolist()
      declared = sum(entry.file_size for entry in entries)
      if declared > _MAX_BYTES + _MAX_EXPANSION * os.path.getsize(path):
        raise ValueError(f"it declares {declared:,} bytes")
      return {
        name: _read_array(archive, entry)
        for name, entry in ((entry.filename.removesuffix(".npy"), entry) for entry in entries)
        if is_wanted(name)
      }
  except OSError:
    raise
  except Exception as error:  # zipfile, zlib and NumPy raise errors of every kind.
    raise ValueError(f"not an .npz file of arrays, or damaged: {error}") from error


def _read_array(archive, entry) -> np.ndarray:
  if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
    raise ValueError("compressed in a way that NumPy does not use")
  with archive.open(entry) as file:
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, is_fortran, dtype = read_header(file)
    if dtype.kind not in _KINDS or math.prod(shape) * dtype.itemsize != entry.file_size - file.tell():
      raise ValueError(f"{entry.filename} is no array of numbers, or not as large as it declares")
    array = np.frombuffer(bytearray(file.read()), dtype)
  return array.reshape(shape, order="F" if is_fortran else "C")

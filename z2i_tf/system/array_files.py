"""Reads .npz files of unknown origin: checks the sizes that they declare before unpacking.

Separate from `input_files`, because it imports NumPy and the command line's help must not.
"""

from collections.abc import Callable
import math
import os
import zipfile

import numpy as np

from z2i_tf.system import input_files

# Weights hardly shrink when compressed, but small ones that are all zeros do.
_MAX_BYTES, _MAX_EXPANSION = 2**26, 16
_KINDS = "biufUS"  # Numbers and text.


def read_npz(path: str, is_wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray]:
  """Reads the arrays of an .npz file.

  Args:
    path: the file.
    is_wanted: takes an array's name and returns whether to read it.

  Returns:
    The wanted arrays by name.

  Raises:
    OSError: as `input_files.open_regular`.
    ValueError: the file is not an .npz file, is damaged, or declares far more data than its size can hold.
  """
  with input_files.open_regular(path) as file:
    try:
      with zipfile.ZipFile(file) as archive:
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


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
  if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
    raise ValueError("compressed in a way that NumPy does not use")
  with archive.open(entry) as file:
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, is_fortran, dtype = read_header(file)
    if dtype.kind not in _KINDS or math.prod(shape) * dtype.itemsize != entry.file_size - file.tell():
      raise ValueError(f"{entry.filename} is not an array of numbers, or not as large as it declares")
    array = np.frombuffer(bytearray(file.read()), dtype)
  return array.reshape(shape, order="F" if is_fortran else "C")

"""Reads PyTorch's files of named arrays without PyTorch.

Both formats hold a pickle whose arrays refer to storages of raw numbers. The storages are files of a ZIP archive, or,
before PyTorch 1.6, follow a sequence of pickles. A pickle can call any function it names; this reader allows only names
that build arrays and dictionaries.
"""

import collections
from collections.abc import Callable
import dataclasses
import io
import pickle
import struct
from typing import Any, BinaryIO, NamedTuple
import zipfile

import numpy as np

_LEGACY_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
_ZIP_MAGIC = b"PK\x03\x04"
_STORAGES = {
  "DoubleStorage": "<f8",
  "FloatStorage": "<f4",
  "HalfStorage": "<f2",
  "LongStorage": "<i8",
  "IntStorage": "<i4",
  "ShortStorage": "<i2",
  "CharStorage": "<i1",
  "ByteStorage": "<u1",
}


@dataclasses.dataclass(frozen=True)
class _Storage:
  """Raw numbers in the file: name, type, count."""

  key: str
  dtype: np.dtype
  count: int


class _Tensor(NamedTuple):
  """A view of a storage, not yet read."""

  storage: _Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


def read_arrays(path: str) -> dict[str, np.ndarray]:
  """Returns the tensors of a dictionary that `torch.save` wrote; ignores its other entries.

  Raises: any exception, for a file of another kind or a damaged one.
  """
  with open(path, "rb") as file:
    is_archive = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
    file.seek(0)
    return _read_archive(file) if is_archive else _read_legacy(file)


def _read_archive(file):
  with zipfile.ZipFile(file) as archive:
    entries = {info.filename.partition("/")[2]: info for info in archive.infolist()}
    if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()):
      raise ValueError("PyTorch compresses nothing")

    def raw(storage):
      info = entries[f"data/{storage.key}"]
      if info.file_size != storage.count * storage.dtype.itemsize:
        raise ValueError(f"{info.filename} is not {storage.count} numbers")
      return archive.read(info)

    if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
      raise ValueError("not in little-endian order")
    return _arrays(_Unpickler(io.BytesIO(archive.read(entries["data.pkl"]))).load(), raw)


def _read_legacy(file: BinaryIO):
  magic, version, machine = (_Unpickler(file).load() for _ in range(3))
  if magic != _LEGACY_MAGIC or version != _LEGACY_VERSION or not machine["little_endian"]:
    raise ValueError("not PyTorch's format")
  unpickler = _Unpickler(file)
  content = unpickler.load()
  storages_read = {}
  for key in _Unpickler(file).load():
    storage = unpickler.storages[key]
    (count,) = struct.unpack("<q", file.read(8))
    storages_read[key] = file.read(count * storage.dtype.itemsize) if count == storage.count else b""
  return _arrays(content, lambda storage: storages_read[storage.key])


def _arrays(content: Any, raw: Callable[[_Storage], bytes]) -> dict[str, np.ndarray]:
  arrays = {}
  for name, tensor in content.items():
    if isinstance(tensor, _Tensor):
      numbers = np.frombuffer(raw(tensor.storage), tensor.storage.dtype, tensor.storage.count)
      arrays[str(name)] = _cut_out(numbers, tensor)
  return arrays


def _cut_out(numbers, tensor):
  last = tensor.offset + sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides))
  if (
    min((tensor.offset, *tensor.shape, *tensor.strides)) < 0
    or len(tensor.shape) != len(tensor.strides)
    or (np.prod(tensor.shape, dtype=object) > len(numbers) or last >= len(numbers))
  ):
    raise ValueError("an array reaches beyond its numbers")
  return np.lib.stride_tricks.as_strided(
    numbers[tensor.offset :], tensor.shape, [stride * numbers.itemsize for stride in tensor.strides]
  ).copy()


class _Unpickler(pickle._Unpickler):
  """Python's own unpickler; the one in C allocates any size that a damaged pickle declares."""

  def __init__(self, file: BinaryIO):
    super().__init__(file)
    self.storages: dict[str, _Storage] = {}

  def find_class(self, module: str, name: str) -> Any:
    """Returns the object of an allowed name; raises UnpicklingError for other names."""
    if module == "torch" and name in _STORAGES:
      return np.dtype(_STORAGES[name])
    allowed = {
      ("collections", "OrderedDict"): collections.OrderedDict,
      ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: _Tensor(
        storage, offset, tuple(shape), tuple(strides)
      ),
      ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    }
    if (module, name) not in allowed:
      raise pickle.UnpicklingError(f"{module}.{name} is not allowed here")
    return allowed[module, name]

  def persistent_load(self, pid: Any) -> _Storage:
    """Returns the storage that a tensor refers to."""
    kind, dtype, key, _, count = pid[:5]
    if kind != "storage" or not isinstance(dtype, np.dtype) or count < 0:
      raise pickle.UnpicklingError("not an array's numbers")
    return self.storages.setdefault(str(key), _Storage(str(key), dtype, count))

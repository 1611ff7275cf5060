"""Random access to the records of TFRecord files.

TensorFlow reads these files from their beginning; a pipeline that starts at any step needs record i. A file is a
sequence of records, each an 8-byte length, a 4-byte checksum of it, the content, and a 4-byte checksum of the content
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The first read of a file finds the offsets of its records by
skipping from length to length. Every read verifies the checksum of the content.
"""

import bisect
from collections.abc import Sequence
import os
import struct
import threading

import google_crc32c
import numpy as np

from z2i_tf.errors import InputError

_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4
_HEADER_BYTES = _LENGTH_BYTES + _CHECKSUM_BYTES
# A file stores the CRC rotated, plus this constant, so that the CRC of data that contain CRCs stays useful.
_MASK_DELTA = 0xA282EAD8


class RecordFile:
  """The records of one TFRecord file, by index; uncompressed files only. Threads may share it."""

  def __init__(self, path: str, expected: int | None = None):
    """Stores the path; reads nothing. `expected` is the number of records, None if unknown."""
    self._path = path
    self._expected = expected
    self._offsets: np.ndarray | None = None
    self._lock = threading.Lock()

  def __len__(self) -> int:
    """Number of whole records; raises as `read`."""
    return len(self._record_offsets()) - 1

  def read(self, index: int) -> bytes:
    """Returns the content of record `index`.

    Raises: InputError if the file is missing, cut short before the record's end, or damaged there, or has more
      records than expected.
    """
    offsets = self._record_offsets()
    if index >= len(offsets) - 1:
      raise InputError(
        f"{self._path}: cut short after {len(offsets) - 1} whole records, or not a TFRecord file; prepare it again"
      )
    try:
      with open(self._path, "rb") as file:
        file.seek(offsets[index] + _HEADER_BYTES)
        rest = file.read(offsets[index + 1] - offsets[index] - _HEADER_BYTES)
    except OSError as error:
      raise InputError(f"{self._path}: cannot be read: {error.strerror}") from error
    content = rest[:-_CHECKSUM_BYTES]
    if rest[-_CHECKSUM_BYTES:] != struct.pack("<I", _masked(google_crc32c.value(content))):
      raise InputError(f"{self._path}: damaged in its record {index}; prepare it again")
    return content

  def _record_offsets(self):
    """Returns the offset of each whole record, and the end of the last."""
    with self._lock:
      if self._offsets is None:
        try:
          self._offsets = self._find_offsets()
        except OSError as error:
          raise InputError(f"{self._path}: cannot be read: {error.strerror}") from error
      if self._expected is not None and len(self._offsets) - 1 > self._expected:
        raise InputError(
          f"{self._path}: {len(self._offsets) - 1} records where {self._expected} are expected; prepare it again"
        )
      return self._offsets

  def _find_offsets(self):
    offsets, size = [0], os.path.getsize(self._path)
    with open(self._path, "rb", buffering=0) as file:
      while True:
        file.seek(offsets[-1])
        header = file.read(_LENGTH_BYTES)
        if len(header) < _LENGTH_BYTES:
          break
        end = offsets[-1] + _HEADER_BYTES + struct.unpack("<Q", header)[0] + _CHECKSUM_BYTES
        if end > size:
          break
        offsets.append(end)
    return np.array(offsets, np.int64)


def file_size(path: str) -> int:
  """Returns the size of a file in bytes; raises InputError if it is missing."""
  try:
    return os.path.getsize(path)
  except OSError as error:
    raise InputError(f"{path}: cannot be read: {error.strerror}") from error


class RecordShards:
  """Records of several files as one sequence; each file contributes a contiguous range."""

  def __init__(self, runs: Sequence[tuple[RecordFile, int, int]]):
    """Takes (file, number of records to skip at its beginning, number to take) of each file."""
    self._runs = runs
    self._ends: list[int] = np.cumsum([take for _, _, take in runs], dtype=np.int64).tolist()

  def __len__(self) -> int:
    return self._ends[-1] if self._ends else 0

  def __getitem__(self, index: int) -> bytes:
    """Returns a record's content; raises as `RecordFile.read`."""
    number = bisect.bisect_right(self._ends, index)
    file, skip, take = self._runs[number]
    return file.read(skip + index - (self._ends[number] - take))


def _masked(checksum):
  return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFFFFFF

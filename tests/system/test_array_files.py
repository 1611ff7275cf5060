"""Archives of arrays that are damaged, or declare more than they have."""

import io
import os
import time
import zipfile

import numpy as np
import pytest

from tests.fuzz import seeds
from z2i_tf.compat import named_weights
from z2i_tf.errors import InputError
from z2i_tf.models import model_weights
from z2i_tf.system import array_files

_ARRAYS = {
  "coarse/conv00/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
  "text": np.array("some"),
  "turned": np.asfortranarray(np.eye(3)[:2]),
  "empty": np.zeros((0, 3)),
  "count": np.int64(7),
}


def _npy(array):
  file = io.BytesIO()
  np.save(file, array)
  return file.getvalue()


def _archive(path, entries, compression=zipfile.ZIP_DEFLATED):
  with zipfile.ZipFile(path, "w", compression) as archive:
    for name, content in entries.items():
      archive.writestr(name, content)
  return str(path)


def test_arrays_are_read_as_numpy_reads_them(tmp_path):
  for save in (np.savez, np.savez_compressed):
    path = str(tmp_path / "a.npz")
    save(path, **_ARRAYS)
    found = array_files.read_npz(path)
    assert found.keys() == _ARRAYS.keys()
    for name, array in _ARRAYS.items():
      np.testing.assert_array_equal(found[name], array)
      assert found[name].dtype == np.asarray(array).dtype and found[name].shape == np.shape(array)
    assert list(array_files.read_npz(path, lambda name: name == "text")) == ["text"]


_KERNEL = _npy(_ARRAYS["coarse/conv00/kernel"])
_UNUSABLE = {
  "huge shape": _KERNEL.replace(b"(2, 3, 4)", b"(9" + b"9" * 11 + b", 3, 4)"),
  "shape below 0": _KERNEL.replace(b"(2, 3, 4)", b"(-2,-3,4)"),
  "unbalanced header": _KERNEL.replace(b"(2, 3, 4)", b"(2, 3, (("),
  "objects": _KERNEL.replace(b"'<f4'", b"'|O' "),
  "another version": _KERNEL[:6] + b"\x09" + _KERNEL[7:],
  "no array": b"text",
  "cut short": _KERNEL[:-9],
  "more than declared": _KERNEL + b"x",
}


@pytest.mark.parametrize("fault", _UNUSABLE)
@pytest.mark.parametrize("where", ["config.npy", "coarse/conv00/kernel.npy"])
def test_damaged_arrays(tmp_path, fault, where):
  entries = {"config.npy": _npy(np.array('{"format_version": 1}')), "coarse/conv00/kernel.npy": _KERNEL}
  _archive(tmp_path / model_weights.MODEL_FILE, {**entries, where: _UNUSABLE[fault]})
  _assert_refused(tmp_path)


def _assert_refused(folder):
  started = time.process_time()
  path = str(folder / model_weights.MODEL_FILE)
  with pytest.raises(InputError, match="model.npz: not a model file, or damaged") as caught:
    model_weights.read_model_file(str(folder))
  assert "\n" not in str(caught.value)
  with pytest.raises(InputError, match="model.npz: not an .npz file of arrays, or damaged"):
    named_weights.read_named_weights(path)
  assert time.process_time() - started < 2


@pytest.mark.parametrize("bomb", ["one array", "many entries", "in place of the configuration"])
def test_bombs_are_refused_by_what_they_declare(tmp_path, bomb):
  zeros = _npy(np.zeros(2**26 - 32, np.uint8))
  entries = {
    "one array": {"a.npy": _npy(np.zeros(2**27, np.uint8))},
    "many entries": {f"{number}.npy": zeros for number in range(3)},
    "in place of the configuration": {"config.npy": _npy(np.zeros(2**27, np.uint8).view("U1"))},
  }[bomb]
  _archive(tmp_path / model_weights.MODEL_FILE, entries)
  _assert_refused(tmp_path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_use(tmp_path, compression):
  _archive(tmp_path / model_weights.MODEL_FILE, {"coarse/conv00/kernel.npy": _KERNEL}, compression)
  _assert_refused(tmp_path)


def test_encrypted_and_damaged_archives(tmp_path):
  path = tmp_path / model_weights.MODEL_FILE
  whole = seeds.models()["model"]
  encrypted = bytearray(whole)
  for start, flag in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
    position = encrypted.find(start)
    while position >= 0:
      encrypted[position + flag] |= 1
      position = encrypted.find(start, position + 1)
  flipped = bytearray(whole)
  flipped[100] ^= 0xFF
  for content in (bytes(encrypted), bytes(flipped), whole[:-30], whole[:200], b"", b"PK\3\4"):
    path.write_bytes(content)
    _assert_refused(tmp_path)


@pytest.mark.parametrize("config", ["[" * 100_000, '{"a":' * 100_000, "[1, 2]", "7", "{", '{"format_version": NaN}'])
def test_configurations_that_are_none(tmp_path, config):
  _archive(tmp_path / model_weights.MODEL_FILE, {"config.npy": _npy(np.array(config))})
  with pytest.raises(InputError, match="model.npz: not a model file, or damaged"):
    model_weights.read_model_config(str(tmp_path))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
  kernel = _ARRAYS["coarse/conv00/kernel"].copy()
  kernel[1, 2, 3] = value
  model_weights.write_model_file(str(tmp_path), {"coarse/conv00/kernel": kernel}, {})
  with pytest.raises(InputError, match="coarse/conv00/kernel has values that are not finite numbers"):
    model_weights.read_model_file(str(tmp_path))
  assert model_weights.read_model_config(str(tmp_path))["format_version"] == 1


def test_pipes_are_no_files(tmp_path):
  os.mkfifo(tmp_path / "a.npz")
  with pytest.raises(FileNotFoundError):
    array_files.read_npz(str(tmp_path / "a.npz"))

import pickle

import numpy as np
import pytest

from z2i_tf.errors import InputError
from z2i_tf.metrics import torch_files
from z2i_tf.metrics import weight_files
from z2i_tf.metrics.weight_files import PublishedFile
from z2i_tf.system import input_files

_ARRAYS = {"net.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "net.0.bias": np.ones(2, np.float32)}
_SHAPES = {name: array.shape for name, array in _ARRAYS.items()}
_OTHER = {"head.weight": np.zeros(4, np.float32)}


def _read(path):
  return weight_files.read_arrays(str(path), _SHAPES, "net.", "--flag")


def _expect_the_arrays(read):
  assert set(read) == set(_ARRAYS)
  for name, array in _ARRAYS.items():
    np.testing.assert_array_equal(read[name], array)


def test_npz(tmp_path):
  np.savez(tmp_path / "file.npz", **_ARRAYS, **_OTHER)
  _expect_the_arrays(_read(tmp_path / "file.npz"))


# Its files were written by PyTorch 2: `_ARRAYS`, `_OTHER`, "net.turned" (transposed float64), "net.part" (elements 3 to
# 6 of ten float16), "count" (an integer without dimensions).
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_torch_file(tmp_path, kind):
  arrays = torch_files.read_arrays(f"tests/golden/torch_{kind}.pth")
  expected = {
    **_ARRAYS,
    **_OTHER,
    "net.turned": np.arange(6.0).reshape(2, 3).T,
    "net.part": np.arange(3, 7, dtype=np.float16),
    "count": np.array(7),
  }
  assert arrays.keys() == expected.keys()
  for name, array in expected.items():
    np.testing.assert_array_equal(arrays[name], array)
    assert arrays[name].dtype == array.dtype
  content = open(f"tests/golden/torch_{kind}.pth", "rb").read()
  for length in (0, 3, 200, len(content) - 20):
    (tmp_path / "half.pth").write_bytes(content[:length])
    with pytest.raises(InputError, match="--flag: .*half.pth: not a PyTorch file"):
      _read(tmp_path / "half.pth")


def _legacy_file(content, numbers):
  """A file of PyTorch's former format; `content` may name what it likes."""
  parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
  return b"".join([*parts, content, pickle.dumps(["0"], 2), len(numbers).to_bytes(8, "little"), numbers.tobytes()])


def _tensor_pickle(offset, size, stride, function="torch._utils\n_rebuild_tensor_v2"):
  """The pickle of {"a": an array of the stretch "0", of four float32}; opcodes of protocol 0."""
  integers = lambda values: "(" + "".join(f"I{value}\n" for value in values) + "t"
  return (
    f"(dVa\nc{function}\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQI{offset}\n{integers(size)}"
    f"{integers(stride)}I00\nNtRs."
  ).encode()


def test_a_torch_file_may_not_reach_beyond_its_numbers_nor_call_anything(tmp_path):
  numbers = np.arange(4, dtype=np.float32)
  path = tmp_path / "file.pth"
  path.write_bytes(_legacy_file(_tensor_pickle(1, [3], [1]), numbers))
  np.testing.assert_array_equal(torch_files.read_arrays(str(path))["a"], [1, 2, 3])
  for content in (
    _tensor_pickle(2, [3], [1]),
    _tensor_pickle(-1, [3], [1]),
    _tensor_pickle(0, [3], [-1]),
    _tensor_pickle(0, [10**9, 10**9], [0, 0]),
    _tensor_pickle(0, [2, 2], [1]),
    _tensor_pickle(0, [3], [1], "os\nsystem"),
    b"cposix\nsystem\n(Vtouch here\ntR.",
  ):
    path.write_bytes(_legacy_file(content, numbers))
    with pytest.raises(InputError, match="not a PyTorch file"):
      weight_files.read_arrays(str(path), {}, "a", "--flag")


@pytest.mark.parametrize(
  "change, message",
  [
    ({"net.0.bias": None}, "has no array net.0.bias"),
    ({"net.0.bias": np.ones(3, np.float32)}, r"net.0.bias has the shape \(3,\) instead of \(2,\)"),
    ({"net.0.bias": np.array([1, np.nan], np.float32)}, "net.0.bias has values that are not finite"),
    ({"net.0.bias": np.ones(2, np.int32)}, "net.0.bias has values that are not finite"),
    ({"net.1.bias": np.ones(2, np.float32)}, "has an array net.1.bias, too"),
  ],
)
def test_arrays_of_another_network_are_named(tmp_path, change, message):
  arrays = {name: array for name, array in {**_ARRAYS, **change}.items() if array is not None}
  np.savez(tmp_path / "file.npz", **arrays)
  with pytest.raises(InputError, match=f"--flag: .*file.npz.*{message}"):
    _read(tmp_path / "file.npz")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half a zip"])
def test_not_an_npz(tmp_path, content):
  (tmp_path / "file.npz").write_bytes(content)
  with pytest.raises(InputError, match="file.npz: not an .npz file"):
    _read(tmp_path / "file.npz")


def test_a_pickle_is_not_run(tmp_path):
  np.savez(tmp_path / "file.npz", **{"net.0.bias": np.array([print], object)})
  with pytest.raises(InputError, match="not an .npz file of arrays"):
    _read(tmp_path / "file.npz")


def test_a_given_path_is_kept_or_missed(tmp_path):
  published = PublishedFile("name", "http://127.0.0.1:9/name", "")
  (tmp_path / "file").write_bytes(b"any")
  assert weight_files.local_path(str(tmp_path / "file"), published, "--flag") == str(tmp_path / "file")
  with pytest.raises(InputError, match="--flag=.*none: no such file"):
    weight_files.local_path(str(tmp_path / "none"), published, "--flag")


def test_download(tmp_path, monkeypatch):
  (tmp_path / "home" / ".keras").mkdir(parents=True)  # Keras takes another folder if its own is not there.
  monkeypatch.setenv("HOME", str(tmp_path / "home"))
  with pytest.raises(InputError) as caught:
    weight_files.local_path("default", PublishedFile("name", "http://127.0.0.1:9/name", ""), "--flag")
  assert str(caught.value).startswith("--flag=default: the download of http://127.0.0.1:9/name failed; ")
  assert "--flag=FILE" in str(caught.value) and "\n" not in str(caught.value)

  (tmp_path / "file").write_bytes(b"any")
  url, digest = (tmp_path / "file").as_uri(), input_files.sha256(str(tmp_path / "file"))
  path = weight_files.local_path("default", PublishedFile("name", url, digest[:8]), "--flag")
  assert open(path, "rb").read() == b"any" and path.startswith(str(tmp_path / "home"))
  with pytest.raises(InputError, match=f"--flag=default: {path} is not the published file.*begins with 0000"):
    weight_files.local_path("default", PublishedFile("name", url, "0000"), "--flag")

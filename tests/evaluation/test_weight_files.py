import sys

import numpy as np
import pytest

from z2i_tf import file_hash
from z2i_tf.errors import InputError
from z2i_tf.evaluation import weight_files
from z2i_tf.evaluation.weight_files import PublishedFile

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


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_file(tmp_path, zipped):
  torch = pytest.importorskip("torch", reason="PyTorch is an extra (lpips)")
  torch.save({name: torch.from_numpy(array) for name, array in {**_ARRAYS, **_OTHER}.items()}, tmp_path / "file.pth",
             _use_new_zipfile_serialization=zipped)
  _expect_the_arrays(_read(tmp_path / "file.pth"))
  (tmp_path / "half.pth").write_bytes((tmp_path / "file.pth").read_bytes()[:200])
  with pytest.raises(InputError, match="--flag: .*half.pth: not a PyTorch file"):
    _read(tmp_path / "half.pth")


def test_torch_is_asked_for(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "torch", None)
  with pytest.raises(InputError, match=r"file.pth: reading it needs PyTorch: pip install 'z2i_tf\[lpips\]', or .*npz"):
    _read(tmp_path / "file.pth")


@pytest.mark.parametrize("change, message", [
    ({"net.0.bias": None}, "has no array net.0.bias"),
    ({"net.0.bias": np.ones(3, np.float32)}, r"net.0.bias has the shape \(3,\) instead of \(2,\)"),
    ({"net.0.bias": np.array([1, np.nan], np.float32)}, "net.0.bias has values that are not finite"),
    ({"net.0.bias": np.ones(2, np.int32)}, "net.0.bias has values that are not finite"),
    ({"net.1.bias": np.ones(2, np.float32)}, "has an array net.1.bias, too")])
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
  url, digest = (tmp_path / "file").as_uri(), file_hash.sha256(str(tmp_path / "file"))
  path = weight_files.local_path("default", PublishedFile("name", url, digest[:8]), "--flag")
  assert open(path, "rb").read() == b"any" and path.startswith(str(tmp_path / "home"))
  with pytest.raises(InputError, match=f"--flag=default: {path} is not the published file.*begins with 0000"):
    weight_files.local_path("default", PublishedFile("name", url, "0000"), "--flag")

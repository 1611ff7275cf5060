import numpy as np
import pytest

from tests.metrics.test_lpips import _pair
from z2i_tf.errors import InputError
from z2i_tf.metrics import shift_tolerant
from z2i_tf.metrics import st_lpips
from z2i_tf.metrics.st_lpips import StLpips
from z2i_tf.system import input_files

_CHANNELS = {
  "alex": [
    ("slice1.0", 3, 64, 11),
    ("slice2.5", 64, 192, 5),
    ("slice3.9", 192, 384, 3),
    ("slice4.11", 384, 256, 3),
    ("slice5.13", 256, 256, 3),
  ],
  "vgg": [
    (name, before, after, 3)
    for name, before, after in (
      ("slice1.0", 3, 64),
      ("slice1.2", 64, 64),
      ("slice2.6", 64, 128),
      ("slice2.8", 128, 128),
      ("slice3.12", 128, 256),
      ("slice3.14", 256, 256),
      ("slice3.16", 256, 256),
      ("slice4.20", 256, 512),
      ("slice4.22", 512, 512),
      ("slice4.24", 512, 512),
      ("slice5.28", 512, 512),
      ("slice5.30", 512, 512),
      ("slice5.32", 512, 512),
    )
  ],
}
_COMPARED = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
# By the authors' package (stlpips-pytorch 0.0.2) with `random_weights` and `_pair`.
_SIZES = {"alex": (40, 53), "vgg": (23, 18)}
_RECORDED = {"alex": [0.050072237849235535, 0.05330558121204376], "vgg": [0.05939921736717224, 0.05809660628437996]}
# Its network "vgg" after 0.5 * (image + 1) * 2 - 1 = image: mean of each image's features behind slice4.20, and
# channel 5 at row and column 1.
_FEATURE_MEANS, _FEATURES = [1.008629322052002, 1.0079797506332397], [3.552121162414551, 4.244776248931885]


def random_weights(net):
  """Seeded random arrays by their names in the package's files."""
  rng = np.random.default_rng(7)
  arrays = {"scaling_layer.shift": np.zeros((1, 3, 1, 1), np.float32)}
  for name, before, after, side in _CHANNELS[net]:
    deviation = np.float32(np.sqrt(2 / (before * side**2)))
    arrays[f"net.{name}.weight"] = deviation * rng.standard_normal((after, before, side, side), np.float32)
    arrays[f"net.{name}.bias"] = 0.1 * rng.standard_normal(after, np.float32)
  for number, channels in enumerate(_COMPARED[net]):
    arrays[f"lin{number}.model.1.weight"] = rng.random((1, channels, 1, 1), np.float32)
  return arrays


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("st_lpips")
  for net in st_lpips.NETS:
    np.savez(folder / f"{net}_shift_tolerant.npz", **random_weights(net))
  return folder


@pytest.mark.parametrize("net", st_lpips.NETS)
def test_equals_the_authors(net, folder):
  distance = StLpips(net, str(folder))
  first, second = _pair(_SIZES[net])
  np.testing.assert_allclose(distance(first, second), _RECORDED[net], rtol=1e-5)
  np.testing.assert_array_equal(distance(first, first), [0, 0])
  assert distance.description == "ST-LPIPS on the shift-tolerant {}: {}_shift_tolerant.npz (sha256 {})".format(
    {"alex": "AlexNet", "vgg": "VGG16"}[net], net, input_files.sha256(str(folder / f"{net}_shift_tolerant.npz"))[:12]
  )
  side = distance.smallest_side
  small, smaller = (np.zeros((2, 64, length, 3), np.uint8) for length in (side, side - 1))
  np.testing.assert_array_equal(distance(small, small), [0, 0])
  assert np.isnan(distance(smaller, smaller)).all()
  with pytest.raises(ValueError, match="uint8"):
    distance(first / 255, second / 255)


def test_features_of_one_convolution_equal_the_authors():
  images, _ = _pair(_SIZES["vgg"])
  features = shift_tolerant.feature_network("vgg", random_weights("vgg"), ["net.slice4.20"])(
    images.astype(np.float32) / 127.5 - 1.0
  ).numpy()
  assert features.shape == (2, 4, 4, 512)
  np.testing.assert_allclose(features.mean(axis=(1, 2, 3)), _FEATURE_MEANS, rtol=1e-5)
  np.testing.assert_allclose(features[:, 1, 1, 5], _FEATURES, rtol=1e-4)


def test_weights_that_are_not_there_or_of_another_network(folder, tmp_path, monkeypatch):
  names = [f"alex_shift_tolerant{extension}" for extension in (".pth", ".npz")]
  with pytest.raises(InputError, match=f"`st_lpips_weights`={tmp_path}: neither {names[0]} nor {names[1]} in it"):
    StLpips("alex", str(tmp_path))
  (tmp_path / "alex_shift_tolerant.npz").write_bytes((folder / "vgg_shift_tolerant.npz").read_bytes())
  with pytest.raises(InputError, match="`st_lpips_weights`: .*alex_.*npz: net.slice1.0.weight has the shape"):
    StLpips("alex", str(tmp_path))
  with monkeypatch.context() as patched:
    patched.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match="`st_lpips_weights`=.*alex_shift_tolerant.npz: not readable"):
      StLpips("alex", str(tmp_path))
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  with pytest.raises(InputError, match="pip install --no-deps stlpips-pytorch==0.0.2"):
    StLpips("alex")

import numpy as np
import pytest

from z2i_tf.errors import InputError
from z2i_tf.metrics import lpips
from z2i_tf.metrics.lpips import Lpips
from z2i_tf.system import input_files

_CHANNELS = {
  "alex": [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)],
  "vgg": [
    (index, before, after, 3)
    for index, before, after in (
      (0, 3, 64),
      (2, 64, 64),
      (5, 64, 128),
      (7, 128, 128),
      (10, 128, 256),
      (12, 256, 256),
      (14, 256, 256),
      (17, 256, 512),
      (19, 512, 512),
      (21, 512, 512),
      (24, 512, 512),
      (26, 512, 512),
      (28, 512, 512),
    )
  ],
}
_COMPARED = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
# By the authors' package (lpips 0.1.4 on torchvision's networks) with `_weights` and `_pair`.
_SIZES = {"alex": (40, 53), "vgg": (19, 16)}
_RECORDED = {"alex": [0.070039414, 0.077144265], "vgg": [0.09635397, 0.088741429]}


def _weights(net):
  """Seeded random arrays by their names in torchvision's and the authors' files."""
  rng = np.random.default_rng(7)
  features = {}
  for index, before, after, side in _CHANNELS[net]:
    deviation = np.float32(np.sqrt(2 / (before * side**2)))
    features[f"features.{index}.weight"] = deviation * rng.standard_normal((after, before, side, side), np.float32)
    features[f"features.{index}.bias"] = 0.1 * rng.standard_normal(after, np.float32)
  features["classifier.6.bias"] = np.zeros(1000, np.float32)
  linear = {
    f"lin{number}.model.1.weight": rng.random((1, channels, 1, 1), np.float32)
    for number, channels in enumerate(_COMPARED[net])
  }
  return features, linear


def _pair(size):
  rng = np.random.default_rng(8)
  first = rng.integers(0, 256, (2, *size, 3), np.uint8)
  return first, np.clip(first + rng.integers(-40, 41, first.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=lpips.NETS)
def net_files(request, tmp_path_factory):
  """A network's name and the paths of its files."""
  folder = tmp_path_factory.mktemp(request.param)
  paths = [str(folder / name) for name in ("features.npz", "linear.npz")]
  for path, arrays in zip(paths, _weights(request.param)):
    np.savez(path, **arrays)
  return request.param, paths


def test_equals_the_authors(net_files):
  net, paths = net_files
  distance = Lpips(net, *paths)
  first, second = _pair(_SIZES[net])
  np.testing.assert_allclose(distance(first, second), _RECORDED[net], rtol=1e-5)
  np.testing.assert_array_equal(distance(first, first), [0, 0])
  assert distance.description == "LPIPS v0.1 on torchvision's {}: {}".format(
    {"alex": "AlexNet", "vgg": "VGG16"}[net],
    ", ".join(
      f"{name}.npz (sha256 {input_files.sha256(path)[:12]})" for name, path in zip(("features", "linear"), paths)
    ),
  )
  side = distance.smallest_side
  small, smaller = (np.zeros((2, 64, length, 3), np.uint8) for length in (side, side - 1))
  np.testing.assert_array_equal(distance(small, small), [0, 0])
  assert np.isnan(distance(smaller, smaller)).all()
  with pytest.raises(ValueError, match="uint8"):
    distance(first / 255, second / 255)
  with pytest.raises(InputError, match="`lpips_features`: .*features.npz: features.0.weight has the shape"):
    Lpips({"alex": "vgg", "vgg": "alex"}[net], *paths)


def test_a_layer_by_hand():
  # Two positions of two channels; lengths 5 and 1, 2 and 0.
  first = np.array([[[[3, 4], [0, 1]]]], np.float32)
  second = np.array([[[[2, 0], [0, 0]]]], np.float32)
  # (0.6 - 1)^2 * 10 + 0.8^2 * 100 = 65.6; (0 - 0)^2 * 10 + (1 - 0)^2 * 100 = 100.
  distance = lpips.layer_distance(first, second, np.array([10, 100], np.float32))
  np.testing.assert_allclose(distance, [(65.6 + 100) / 2], rtol=1e-6)


def test_negative_weights_are_refused(tmp_path):
  features, linear = _weights("alex")
  linear["lin2.model.1.weight"][0, 5] = -0.1
  for name, arrays in (("f.npz", features), ("l.npz", linear)):
    np.savez(tmp_path / name, **arrays)
  with pytest.raises(InputError, match="`lpips_linear`: .*l.npz: lin2.model.1.weight has negative weights"):
    Lpips("alex", str(tmp_path / "f.npz"), str(tmp_path / "l.npz"))

import io
import tarfile

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.metrics import fid as fid_module
from z2i_tf.metrics.fid import fid
from z2i_tf.metrics.fid import frechet_distance
from z2i_tf.metrics.fid import InceptionFeatures
from z2i_tf.system import input_files

_RNG = np.random.default_rng(0)


def _features(images, dimensions=6, shift=0.0):
  return (_RNG.normal(shift, 1, (images, dimensions)) @ _RNG.normal(0, 1, (dimensions, dimensions))).astype(np.float32)


def _by_scipy(a, b):
  """As it is defined, with the root of the covariances' product."""
  a, b = a.astype(np.float64), b.astype(np.float64)
  cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
  return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b - 2 * scipy.linalg.sqrtm(cov_a @ cov_b)).real


def test_gaussians_with_diagonal_covariances():
  a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 1.0, 0.25])
  # Sum of squared differences of means and of deviations: 4 + (1 - 2)^2 + (2 - 1)^2 + (3 - 0.5)^2.
  distance = frechet_distance(np.zeros(3), np.diag(a), np.array([0.0, 2.0, 0.0]), np.diag(b))
  assert distance == pytest.approx(4 + 1 + 1 + 6.25)


def test_gaussians_whose_covariances_commute():
  axes = np.linalg.qr(_RNG.normal(size=(4, 4)))[0]
  deviations_a, deviations_b = np.array([1.0, 2, 3, 0]), np.array([2.0, 2, 0.5, 1])
  distance = frechet_distance(np.ones(4), axes * deviations_a**2 @ axes.T, np.ones(4), axes * deviations_b**2 @ axes.T)
  assert distance == pytest.approx(np.sum((deviations_a - deviations_b) ** 2))


@pytest.mark.parametrize("images", [(40, 30), (7, 50), (5, 4), (2, 40)])
def test_fid_by_scipy(images):
  a, b = _features(images[0]), _features(images[1], shift=0.3)
  # (A root of a singular matrix has half the digits.)
  assert fid(a, b) == pytest.approx(_by_scipy(a, b), rel=1e-5)
  assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-9)


def test_few_images_and_covariances_give_the_same():
  a, b = _features(5), _features(4)
  statistics = [(each.mean(0, np.float64), np.cov(each.astype(np.float64), rowvar=False)) for each in (a, b)]
  assert fid(a, b) == pytest.approx(frechet_distance(*statistics[0], *statistics[1]), rel=1e-6)


@pytest.mark.parametrize("images", [4, 30])
def test_equal_sets_have_no_distance(images):
  features = _features(images)
  assert 0.0 <= fid(features, features[::-1]) < 1e-5


def test_small_numbers_of_images():
  with pytest.raises(InputError, match="at least 2 images.* 1 and 5"):
    fid(_features(1), _features(5))
  assert "FID of 2048 images: biased" in fid_module.remark_on_count(2048, 2048)
  assert fid_module.remark_on_count(2049, 2048) is None


def _constant(definition, name, values, dtype=tf.float32):
  node = definition.node.add(name=name, op="Const")
  node.attr["dtype"].type = dtype.as_datatype_enum
  node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values, dtype))


def _stand_in():
  """A graph like the published one: an old producer, an operation given up since, a resize, means (1, 1, 1, 3)."""
  graph = tf.Graph()
  with graph.as_default():
    image = tf.compat.v1.placeholder(tf.float32, [1, None, None, 3], name="ExpandDims")
    tf.compat.v1.image.resize_bilinear(image, [6, 6], name="ResizeBilinear")
  definition = graph.as_graph_def()
  for name, values in (("mean", [1, 2, 3]), ("variance", [4, 1, 1]), ("beta", [0, 0, 0]), ("gamma", [1, 1, 1])):
    _constant(definition, name, values)
  norm = definition.node.add(
    name="norm", op="BatchNormWithGlobalNormalization", input=["ResizeBilinear", "mean", "variance", "beta", "gamma"]
  )
  norm.attr["T"].type = tf.float32.as_datatype_enum
  norm.attr["variance_epsilon"].f = 0.0
  norm.attr["scale_after_normalization"].b = False
  _constant(definition, "axes", [1, 2], tf.int32)
  pool = definition.node.add(name="pool_3", op="Mean", input=["norm", "axes"])
  pool.attr["T"].type, pool.attr["Tidx"].type = tf.float32.as_datatype_enum, tf.int32.as_datatype_enum
  pool.attr["keep_dims"].b = True
  definition.versions.producer = 8
  return definition


@pytest.fixture(scope="module")
def graph_bytes():
  return _stand_in().SerializeToString()


def _archive(path, name, content):
  with tarfile.open(path, "w:gz") as archive:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("suffix", [".pb", ".tgz"])
def test_features_of_a_frozen_graph(tmp_path, graph_bytes, suffix):
  path = str(tmp_path / f"graph{suffix}")
  if suffix == ".pb":
    (tmp_path / "graph.pb").write_bytes(graph_bytes)
  else:
    _archive(path, "classify_image_graph_def.pb", graph_bytes)
  inception = InceptionFeatures(path)
  assert inception.dimensions == 3
  image = _RNG.integers(0, 256, (12, 18, 3), np.uint8)
  # Without antialias and with corners of pixels in register, every second row and every third column is left.
  expected = (image[::2, ::3].reshape(-1, 3).mean(0) - [1, 2, 3]) / [2, 1, 1]
  np.testing.assert_allclose(inception(image), expected, rtol=1e-5)
  with pytest.raises(ValueError, match="uint8"):
    inception(image / 255)
  assert f"graph{suffix} (sha256 {input_files.sha256(path)[:12]})" in inception.description
  assert "ResizeBilinear to 6x6, align_corners=False, half_pixel_centers=False" in inception.description


def test_other_files_are_named(tmp_path, graph_bytes):
  with pytest.raises(InputError, match="inception_graph.*none.pb: no such file"):
    InceptionFeatures(str(tmp_path / "none.pb"))
  path = tmp_path / "other.pb"
  path.write_bytes(b"no graph")
  with pytest.raises(InputError, match="other.pb: not a frozen TensorFlow graph"):
    InceptionFeatures(str(path))
  path.write_bytes(graph_bytes.replace(b"pool_3", b"pool_4"))
  with pytest.raises(InputError, match="other.pb has no pool_3:0"):
    InceptionFeatures(str(path))
  path.write_bytes(graph_bytes.replace(b"BatchNormWith", b"BatchNormWord"))
  with pytest.raises(InputError, match="other.pb cannot be run"):
    InceptionFeatures(str(path))
  archive = str(tmp_path / "other.tgz")
  _archive(archive, "another.pb", graph_bytes)
  with pytest.raises(InputError, match="not an archive with classify_image_graph_def.pb"):
    InceptionFeatures(archive)
  (tmp_path / "half.tgz").write_bytes(open(archive, "rb").read()[:50])
  with pytest.raises(InputError, match="half.tgz: not an archive"):
    InceptionFeatures(str(tmp_path / "half.tgz"))

"""Frechet Inception distance (Heusel et al. 2017, arXiv:1706.08500) between two sets of images.

The value depends on the network and on the resize before it. Both are the original's: the graph of 2015-12-05 with the
resize it contains.
"""

import tarfile

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.metrics import weight_files
from z2i_tf.metrics.weight_files import PublishedFile

_ARGUMENT = "`inception_graph`"
_PUBLISHED = PublishedFile(
  "inception-2015-12-05.tgz", "https://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz", ""
)
_ARCHIVE_SUFFIXES = (".tgz", ".tar.gz")
_GRAPH_NAME = "classify_image_graph_def.pb"
# Nodes: decoded image, (1, H, W, 3) float in [0, 255]; resize; features, (1, 1, 1, N).
_IMAGE, _RESIZE, _FEATURES = "ExpandDims", "ResizeBilinear", "pool_3"


class InceptionFeatures:
  """Computes the Inception features of an image.

  The frozen graph takes one image per run and resizes it itself (TensorFlow 1's bilinear, without antialias).

  Attributes:
    description: graph with its SHA-256, and resize, in one line.
    dimensions: length of a feature vector; 2,048 for the published graph.
  """

  def __init__(self, graph_file: str = weight_files.DEFAULT):
    """Reads the graph.

    Args:
      graph_file: classify_image_graph_def.pb, the published archive with it (.tgz), or "default" to download that.
    Raises: InputError if the file is missing or holds another graph, or the download fails.
    """
    path = weight_files.local_path(graph_file, _PUBLISHED, _ARGUMENT)
    where = f"{_ARGUMENT}: {path}"
    definition = _read_graph(path, where)
    nodes = {node.name: node for node in definition.node}
    for name in (_IMAGE, _RESIZE, _FEATURES):
      if name not in nodes:
        raise InputError(f"{where} has no {name}:0: it is not the Inception of 2015-12-05 ({_GRAPH_NAME})")
    graph = tf.Graph()
    try:
      with graph.as_default():
        tf.import_graph_def(definition, name="")
      self._image, self._features = (graph.get_tensor_by_name(f"{name}:0") for name in (_IMAGE, _FEATURES))
      # A session, since the graph has obsolete operations that tf.function refuses.
      self._session = tf.compat.v1.Session(graph=graph)
      self.dimensions = len(self(np.zeros((8, 8, 3), np.uint8)))
      side = graph.get_tensor_by_name(f"{_RESIZE}:0").shape[1]
    except (ValueError, tf.errors.OpError) as error:
      raise InputError(f"{where} cannot be run: it is not the Inception of 2015-12-05 ({_GRAPH_NAME})") from error
    resize = ", ".join(f"{name}={nodes[_RESIZE].attr[name].b}" for name in ("align_corners", "half_pixel_centers"))
    self.description = (
      f"FID on the Inception in {weight_files.describe(path)}, "
      f"{_FEATURES}; resize: the graph's {nodes[_RESIZE].op} to {side}x{side}, {resize}"
    )

  def __call__(self, image: np.ndarray) -> np.ndarray:
    """Returns the features (`dimensions`,) float32 of an (H, W, 3) uint8 image; raises ValueError for another array."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
      raise ValueError(f"expected (H, W, 3) uint8; received {image.shape} {image.dtype}")
    return self._session.run(self._features, {self._image: image[np.newaxis].astype(np.float32)}).reshape(-1)


def _read_graph(path, where) -> tf.compat.v1.GraphDef:
  content = _read_from_archive(path, where) if path.endswith(_ARCHIVE_SUFFIXES) else _read(path)
  try:
    return tf.compat.v1.GraphDef.FromString(content)
  except Exception as error:  # Of protobuf, which has no public error class.
    raise InputError(f"{where}: not a frozen TensorFlow graph ({_GRAPH_NAME})") from error


def _read(path):
  with open(path, "rb") as file:
    return file.read()


def _read_from_archive(path, where):
  """Reads the graph from the archive without unpacking files."""
  try:
    with tarfile.open(path) as archive:
      return archive.extractfile(_GRAPH_NAME).read()
  except (tarfile.TarError, OSError, EOFError, KeyError, AttributeError) as error:
    raise InputError(
      f"{where}: not an archive with {_GRAPH_NAME}; delete it if it was downloaded, or give the graph "
      f"with {_ARGUMENT}=FILE"
    ) from error


def fid(features_a: np.ndarray, features_b: np.ndarray) -> float:
  """Returns the Frechet distance between Gaussians fitted to two sets of features (unbiased covariance, float64).

  Args:
    features_a: (N, D), a row per image.
    features_b: (M, D); M need not be N.
  Raises: InputError if a set has fewer than two images.
  """
  if min(len(features_a), len(features_b)) < 2:
    raise InputError(f"FID needs at least 2 images per set; there are {len(features_a)} and {len(features_b)}")
  sets = [np.asarray(features, np.float64) for features in (features_a, features_b)]
  means = [features.mean(axis=0) for features in sets]
  # Rows whose products are the covariance: A^T A and B^T B.
  rows_a, rows_b = ((features - mean) / np.sqrt(len(features) - 1) for features, mean in zip(sets, means))
  if min(len(rows_a), len(rows_b)) > rows_a.shape[1]:
    return frechet_distance(means[0], rows_a.T @ rows_a, means[1], rows_b.T @ rows_b)
  # The trace of the root is also the sum of the singular values of A B^T: exact, and fast for few images.
  return _distance(
    means[0], np.sum(rows_a**2), means[1], np.sum(rows_b**2), np.linalg.svd(rows_a @ rows_b.T, compute_uv=False).sum()
  )


def frechet_distance(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> float:
  """Returns |mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)) of two Gaussians.

  Computes the trace of the root from (cov_a^(1/2) cov_b cov_a^(1/2))^(1/2), which is symmetric, so that its eigenvalues
  are real and not negative even for singular covariances.

  Args:
    mean_a: (D,) float64.
    cov_a: (D, D) float64, symmetric, positive semidefinite.
    mean_b: as `mean_a`.
    cov_b: as `cov_a`.
  """
  values, vectors = np.linalg.eigh(cov_a)
  root_a = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
  values = np.linalg.eigvalsh(root_a @ cov_b @ root_a)
  return _distance(mean_a, np.trace(cov_a), mean_b, np.trace(cov_b), np.sqrt(np.maximum(values, 0.0)).sum())


def _distance(mean_a, trace_a, mean_b, trace_b, trace_of_root):
  # Rounding can make the distance of equal sets slightly negative.
  return max(0.0, float(np.sum((mean_a - mean_b) ** 2) + trace_a + trace_b - 2.0 * trace_of_root))


def remark_on_count(images: int, dimensions: int) -> str | None:
  """Returns a one-line warning if there are too few images for an unbiased FID; None otherwise.

  Args:
    images: number in the smaller set.
    dimensions: length of a feature vector; its covariance needs one image more for full rank.
  """
  if images > dimensions:
    return None
  return (
    f"FID of {images} images: biased upwards, as {dimensions} features need at least {dimensions + 1} (10,000 and "
    "more are usual); comparable only with an FID of as many images"
  )

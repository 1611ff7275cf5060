"""Scores inpainting methods on test sets of images with masks."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import types
from typing import Any

import numpy as np

from z2i_tf.metrics import fid
from z2i_tf.metrics.image_scores import score_image

LPIPS, FID = "LPIPS", "FID"


@dataclasses.dataclass(frozen=True)
class Example:
  """An image with a hole.

  Attributes:
    test_set: name of its test set.
    name: of the image.
    original: (H, W, 3) uint8.
    mask: (H, W) uint8, 1 = hole.
  """

  test_set: str
  name: str
  original: np.ndarray
  mask: np.ndarray

  @property
  def masked(self) -> np.ndarray:
    """The image with its hole set to 0: the input of a method."""
    return without_hole(self.original, self.mask)


def without_hole(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Returns the (H, W, 3) uint8 image with its hole, where the (H, W) uint8 mask is 1, set to 0."""
  return image * (1 - mask[..., np.newaxis])


# Example -> result, (H, W, 3) uint8. A method that computes its result may read only `masked` and `mask`.
Method = Callable[[Example], np.ndarray]
# Two (1, H, W, 3) uint8 -> (1,).
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
# (H, W, 3) uint8 -> (N,).
Features = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Scores:
  """Scores of methods.

  Attributes:
    per_image: test set -> method -> metric -> one value per image, in the order of the examples; NaN where the metric
      is undefined.
    per_set: test set -> method -> metric -> value.
  """

  per_image: dict[str, dict[str, dict[str, list[float]]]]
  per_set: dict[str, dict[str, dict[str, float]]]


@dataclasses.dataclass(frozen=True)
class ExampleScores:
  """Scores of methods on one example.

  Attributes:
    test_set: name of its test set.
    values: method -> metric -> value; NaN where the metric is undefined.
    features: method -> features of its result for FID, and None -> those of the original; empty without FID.
  """

  test_set: str
  values: dict[str, dict[str, float]]
  features: dict[str | None, np.ndarray]


def score_example(
  methods: Mapping[str, Method],
  example: Example,
  distances: Mapping[str, Distance] = types.MappingProxyType({}),
  inception: Features | None = None,
  keep: Callable[[Example, str, np.ndarray], None] = lambda *_: None,
) -> ExampleScores:
  """Runs every method on an example and scores its 8-bit result.

  Args:
    methods: by name.
    example: image and mask.
    distances: metric name (LPIPS, ST-LPIPS) -> distance of a result and its original.
    inception: features of an image for FID; None omits FID.
    keep: called with the example, each method name and its result.
  """
  values: dict[str, dict[str, float]] = {}
  features: dict[str | None, np.ndarray] = {None: inception(example.original)} if inception else {}
  for name, method in methods.items():
    result = method(example)
    values[name] = score_image(result, example.original, example.mask)
    for metric, distance in distances.items():
      values[name][metric] = float(distance(result[np.newaxis], example.original[np.newaxis])[0])
    if inception:
      features[name] = inception(result)
    keep(example, name, result)
  return ExampleScores(example.test_set, values, features)


def collect(examples: Iterable[ExampleScores]) -> Scores:
  """Joins the scores of examples, and computes the FID of each test set with features of at least two images.

  Args:
    examples: scored with the same methods; a test set's scores keep their order.
  """
  per_image: dict[str, Any] = {}
  features: dict[str, Any] = {}
  for example in examples:
    rows = per_image.setdefault(example.test_set, {name: {} for name in example.values})
    for name, values in example.values.items():
      for metric, value in values.items():
        rows[name].setdefault(metric, []).append(value)
    for method, vector in example.features.items():
      features.setdefault(example.test_set, {}).setdefault(method, []).append(vector)
  return Scores(
    per_image,
    {
      test_set: {name: {FID: fid.fid(np.stack(vectors[name]), np.stack(vectors[None]))} for name in per_image[test_set]}
      for test_set, vectors in features.items()
      if len(vectors[None]) > 1
    },
  )

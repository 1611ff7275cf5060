"""Scores inpainting methods on sets of images with their masks, one example after the other."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import types
from typing import Any

import numpy as np

from z2i_tf.evaluation import fid
from z2i_tf.evaluation.image_scores import score_image

LPIPS, FID = "LPIPS", "FID"


@dataclasses.dataclass(frozen=True)
class Example:
  """An image with a hole.

  Attributes:
    test_set: which set of images and masks it belongs to.
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
    """The image with its hole set to 0: what a method may see."""
    return without_hole(self.original, self.mask)


def without_hole(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Returns the (H, W, 3) uint8 image with its hole, where the (H, W) uint8 mask is 1, set to 0."""
  return image * (1 - mask[..., np.newaxis])


# Example -> its result, (H, W, 3) uint8. Only `masked` and `mask` are for methods that compute one.
Method = Callable[[Example], np.ndarray]
# Two (1, H, W, 3) uint8 -> (1,).
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
# (H, W, 3) uint8 -> (N,).
Features = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Scores:
  """What was measured.

  Attributes:
    per_image: test set -> method -> metric -> one value per image, in the order of the examples; not a number where
      the metric is not defined.
    per_set: test set -> method -> metric -> value.
  """

  per_image: dict[str, dict[str, dict[str, list[float]]]]
  per_set: dict[str, dict[str, dict[str, float]]]


def evaluate(
  methods: Mapping[str, Method],
  examples: Iterable[Example],
  distances: Mapping[str, Distance] = types.MappingProxyType({}),
  inception: Features | None = None,
  keep: Callable[[Example, str, np.ndarray], None] = lambda *_: None,
) -> Scores:
  """Runs every method on every example and scores its 8-bit result.

  Args:
    methods: by name.
    examples: those of one test set after the other.
    distances: of a result and its original, by the metric's name (LPIPS, ST-LPIPS).
    inception: features of an image for FID, which compares the results of a set with its originals; None leaves it
      out, and so do sets of fewer than two images.
    keep: is given each example, the method's name and its result.
  """
  per_image: dict[str, Any] = {}
  features: dict[str, Any] = {}
  for example in examples:
    rows = per_image.setdefault(example.test_set, {name: {} for name in methods})
    if inception:
      seen = features.setdefault(example.test_set, {name: [] for name in (None, *methods)})
      seen[None].append(inception(example.original))
    for name, method in methods.items():
      result = method(example)
      scores = score_image(result, example.original, example.mask)
      for metric, distance in distances.items():
        scores[metric] = float(distance(result[np.newaxis], example.original[np.newaxis])[0])
      for metric, value in scores.items():
        rows[name].setdefault(metric, []).append(value)
      if inception:
        seen[name].append(inception(result))
      keep(example, name, result)
  return Scores(
    per_image,
    {
      test_set: {name: {FID: fid.fid(np.stack(seen[name]), np.stack(seen[None]))} for name in methods}
      for test_set, seen in features.items()
      if len(seen[None]) > 1
    },
  )

"""The folder that `z2i evaluate` leaves: scores of methods on test sets, and their pictures."""

from collections.abc import Sequence
import os
from typing import Any

import numpy as np

from z2i_tf.analyses import records
from z2i_tf.errors import InputError
from z2i_tf.images import image_files

# Folder of the pictures; those of originals and masks lie beside the methods'.
RESULTS, ORIGINAL, MASK = "results", "original", "mask"


class RunFolder:
  """One evaluation, read from its folder alone.

  Attributes:
    hash: of the record's file, hexadecimal.
    methods: names of the methods that were measured.
    test_sets: names of the test sets.
  """

  def __init__(self, path: str):
    """Reads the record.

    Args:
      path: the folder, or the record's file in it, for a folder with several evaluations.
    Raises: InputError unless there is one undamaged record of an evaluation, and pictures of results beside it.
    """
    file = records.scores_file(path)
    self._record = records.read_scores(file)
    self._folder = folder = os.path.dirname(file) or os.curdir
    self.hash = records.sha256(file)
    self.methods: list[str] = list(self._record["methods"])
    self.test_sets: list[str] = list(self._record["test_sets"])
    if not os.path.isdir(os.path.join(folder, RESULTS)):
      raise InputError(f"{folder}: no pictures of results in it; run z2i evaluate with --save_results")

  def chosen_methods(self, names: Sequence[str]) -> list[str]:
    """Returns the names of methods, all if none are given; raises InputError for one that was not measured."""
    return _chosen("methods", names, self.methods, self._folder)

  def chosen_test_sets(self, names: Sequence[str]) -> list[str]:
    """Returns the names of test sets, all if none are given; raises InputError for one that there is not."""
    return _chosen("test_sets", names, self.test_sets, self._folder)

  def images(self, test_set: str) -> list[dict[str, Any]]:
    """Returns a test set's images as they are in the record: with "name" and "hole_ratio"."""
    return self._record["test_sets"][test_set]["images"]

  def scores(self, test_set: str, method: str, metric: str) -> np.ndarray:
    """Returns (N,) float64, one score for each of `images`; raises InputError if it was not measured."""
    try:
      return records.numbers(self._record["scores"][test_set][method][metric])
    except KeyError as error:
      raise InputError(
        f"{self._folder}: {metric} of {method} on {test_set} was not measured; run z2i evaluate again"
      ) from error

  def original(self, test_set: str, name: str) -> np.ndarray:
    """Returns (H, W, 3) uint8; raises InputError if the file is missing or damaged."""
    return image_files.read_rgb(self._path(ORIGINAL, test_set, name))

  def mask(self, test_set: str, name: str) -> np.ndarray:
    """Returns (H, W) uint8, 1 = hole; raises as `original`."""
    return image_files.read_mask(self._path(MASK, test_set, name))

  def result(self, test_set: str, name: str, method: str) -> np.ndarray:
    """Returns what a method made of an image, (H, W, 3) uint8; raises as `original`."""
    return image_files.read_rgb(self._path(method, test_set, name))

  def _path(self, kind, test_set, name):
    return os.path.join(self._folder, RESULTS, kind, test_set, f"{name}.png")


def check_are_different(flag: str, names: Sequence[str]) -> None:
  """Raises InputError if a name is in a flag twice: it would be shown, and averaged, twice."""
  for name in names:
    if names.count(name) > 1:
      raise InputError(f"--{flag}={','.join(names)}: {name} is there twice; name it once")


def _chosen(flag, names, known, folder):
  for name in names:
    if name not in known:
      raise InputError(f"--{flag}: {name} is not in {folder}; there are {', '.join(known)}")
  check_are_different(flag, names)
  return list(names) or known

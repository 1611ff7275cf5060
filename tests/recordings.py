"""Numbers recorded from the authors' networks, and how close to them is close enough."""

import os

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
ORIGINAL_CHECKPOINT = os.path.join(FOLDER, "original_checkpoint", "ckpt-1500")
TOLERANCE = 1e-4


def load(name):
  """Returns the arrays of one recording; the discriminator's `v` vectors follow from `u` and are left out."""
  with np.load(os.path.join(FOLDER, name + ".npz")) as file:
    return {key: file[key] for key in file.files if not key.endswith("/v")}


def assert_matches(actual, recorded, tolerance=TOLERANCE):
  """Fails unless the largest difference is within `tolerance` of the recording's largest value."""
  actual = np.asarray(actual)
  assert actual.shape == recorded.shape
  assert np.abs(actual - recorded).max() <= tolerance * np.abs(recorded).max()

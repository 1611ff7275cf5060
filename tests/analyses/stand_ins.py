"""A small folder as `z2i evaluate` leaves it."""

import numpy as np

from z2i_tf.analyses import records
from z2i_tf.images import image_files

METHODS = ("first", "second")
TEST_SETS = {"small": 0.1, "large": 0.5}
SIDE, COUNT = 24, 5


def image_name(number):
  return f"photo{number}"


def write_run(folder):
  """Writes a run; image i of "large" has a smaller hole than image i + 1. Returns its path.

  Method m's result of image i is of the one gray level that `level_of` says, outside the hole too.
  """
  test_sets, scores = {}, {}
  for test_set, share in TEST_SETS.items():
    images = []
    for number in range(COUNT):
      mask = np.zeros((SIDE, SIDE), np.uint8)
      mask[: int(SIDE * share) - (COUNT - 1 - number) % int(SIDE * share), 3:20] = 1
      images.append(
        {
          "name": image_name(number),
          "image": "00",
          "mask": "11",
          "height": SIDE,
          "width": SIDE,
          "hole_ratio": mask.mean(),
        }
      )
      pictures = {"original": original(number), **{method: _gray(level_of(method, number)) for method in METHODS}}
      for kind, picture in pictures.items():
        image_files.write_rgb(_path(folder, kind, test_set, number), picture)
      image_files.write_mask(_path(folder, "mask", test_set, number), mask)
    test_sets[test_set] = {"hash": "22", "images": images}
    scores[test_set] = {
      method: {
        "PSNR": [20.0 + number + place for number in range(COUNT)],
        "hole PSNR": [10.0 + number + place for number in range(COUNT)],
      }
      for place, method in enumerate(METHODS)
    }
  scores["small"]["second"]["PSNR"][2] = "inf"
  return records.write_record(
    str(folder),
    "comparison",
    {
      "manifest": {"versions": {"z2i_tf": "1.0"}, "settings": {}},
      "test_sets": test_sets,
      "scores": scores,
      "set_scores": {},
      "methods": {method: {"kind": "results"} for method in METHODS},
      "notes": [],
      "pictures": [],
    },
  )


def original(number):
  return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def level_of(method, number):
  return 40 * METHODS.index(method) + 20 + number


def _gray(level):
  return np.full((SIDE, SIDE, 3), level, np.uint8)


def _path(folder, kind, test_set, number):
  path = folder / "results" / kind / test_set
  path.mkdir(parents=True, exist_ok=True)
  return str(path / f"{image_name(number)}.png")

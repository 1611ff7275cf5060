"""Fills holes of one large image in this process, so that its peak of memory is this image's; see `inference.py`.

  python benchmarks/large_images.py SETTINGS

SETTINGS is a JSON object: model (a folder or name), precision, max_memory (text; null: no bound, and the image is
seen whole, whatever the plan), height, width, holes (lists of boxes
[top, bottom, left, right], one list per fill) and warm (whether each fill is done twice and the second one timed).
Prints a JSON list with, for every fill: plan (its line), predicted (bytes), peak (bytes, of the process so far) and
seconds.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from z2i_tf import image_io
from z2i_tf import memory
from z2i_tf.inference.inpainter import Inpainter

_PHOTO = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "images", "coffee.jpg")


def _image(height, width):
  """A photograph and its mirror images side by side."""
  photo = image_io.read_rgb(_PHOTO)
  photo = np.concatenate([photo, photo[::-1]], axis=0)
  photo = np.concatenate([photo, photo[:, ::-1]], axis=1)
  repeats = [-(-side // length) for side, length in zip((height, width), photo.shape)]
  return np.tile(photo, [*repeats, 1])[:height, :width]


def main():
  settings = json.loads(sys.argv[1])
  image = _image(settings["height"], settings["width"])
  bound = memory.parse_size(settings["max_memory"]) if settings["max_memory"] else sys.maxsize
  inpainter = Inpainter.load(settings["model"], settings["precision"], bound)
  results = []
  for boxes in settings["holes"]:
    hole = np.zeros(image.shape[:2], bool)
    for top, bottom, left, right in boxes:
      hole[top:bottom, left:right] = True
    if settings["warm"]:
      inpainter(image, hole)
    plan = inpainter.plan(image, hole)
    start = time.perf_counter()
    if settings["max_memory"]:
      inpainter(image, hole, plan)
    else:
      inpainter.fill_whole(image, hole)
    results.append({"plan": plan.describe(), "predicted": plan.peak_bytes, "seconds": time.perf_counter() - start,
                    "peak": memory.peak_resident_bytes()})
  print(json.dumps(results))


if __name__ == "__main__":
  main()

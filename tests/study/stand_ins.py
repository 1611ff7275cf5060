"""Result folders whose pictures say by their colour which method filled which image, and studies made of them."""

import contextlib

import numpy as np

from z2i_tf.images import image_files
from z2i_tf.study import manifest as manifests
from z2i_tf.study import results
from z2i_tf.study import store
from z2i_tf.study.server import StudyServer

# Words that occur nowhere in the page.
OURS, OPPONENTS = "zoomulus", ("hifillus", "pluralus")
METHODS = (OURS, *OPPONENTS)
KINDS = ("tinyholes", "hugeholes")
IMAGES = tuple(f"photograph{number}" for number in range(4))


def colour(method, kind, image):
  """RGB of a result, far from those of all others."""
  return (40 + 80 * METHODS.index(method), 60 + 120 * KINDS.index(kind), 40 + 50 * IMAGES.index(image))


def read_colour(rgb):
  """Returns the method, kind and image of a result's colour."""
  red, green, blue = map(int, rgb)
  return (METHODS[round((red - 40) / 80)], KINDS[round((green - 60) / 120)], IMAGES[round((blue - 40) / 50)])


def write_results(folder, size=(12, 16), background=None):
  """Writes `folder`/METHOD/KIND/IMAGE.png and returns method -> folder.

  Args:
    folder: for the methods' folders.
    size: height and width.
    background: (H, W, 3) uint8 whose red and green replace the colour's; its blue then tells the methods apart.
  """
  for method in METHODS:
    for kind in KINDS:
      (folder / method / kind).mkdir(parents=True)
      for image in IMAGES:
        pixels = np.full((*size, 3), colour(method, kind, image), np.uint8)
        if background is not None:
          pixels[..., :2], pixels[..., 2] = background[..., :2], 60 * METHODS.index(method)
        image_files.write_rgb(str(folder / method / kind / f"{image}.png"), pixels)
  return {method: str(folder / method) for method in METHODS}


def make_study(folder, pairs=8, seed=0, size=(12, 16), background=None):
  """Prepares a study in `folder`/study; returns that folder's path."""
  study_dir = str(folder / "study")
  found = results.read_results(write_results(folder, size, background), KINDS)
  manifest = manifests.plan_study(found, OURS, pairs, seed, "Which is nicer?")
  image_files.create_folder(study_dir)
  manifests.copy_pictures(found, manifest, study_dir, lambda: None)
  store.create(study_dir, manifest)
  return study_dir


def answer(study, name, rule):
  """Lets a participant answer every pair; `rule`: Pair -> whether ours is chosen."""
  progress = study.join(name)
  for position in range(progress.answered, progress.total):
    showing = study.showing(progress.token, position)
    study.choose(progress.token, position, rule(study.manifest.pairs[showing.pair]) == showing.ours_is_a)


@contextlib.contextmanager
def serving(study_dir, port=0):
  """Serves a study; yields the StudyServer."""
  study = store.Store(study_dir)
  try:
    with StudyServer(study_dir, study, port) as server:
      yield server
  finally:
    study.close()

"""Records as the commands write them, of made-up numbers, with tiny pictures."""

import os

import numpy as np

from z2i_tf.analyses import records
from z2i_tf.analyses.records import AnalysisResult
from z2i_tf.analyses.score_tables import METRICS
from z2i_tf.analyses.tables import Table
from z2i_tf.images import image_files

METRICS_WITH_WEIGHTS = {"LPIPS": "LPIPS v0.1 on AlexNet: a.pth", "FID": "FID on the Inception in b.pb"}
MODELS = {"No zoom": ("none", 1), "Bicubic zoom": ("bicubic", 2), "SR zoom": ("sr", 2)}


def scores_record(methods, sets=("small", "large"), count=4, seed=0):
  """Returns what z2i evaluate writes, with scores that depend on the seed.

  Args:
    methods: name -> entry.
    sets: names of the test sets.
    count: of images in each.
    seed: of all numbers.
  """
  rng = np.random.default_rng(seed)
  names = [metric for metric in METRICS if metric != "FID"]
  return {
    "manifest": {
      "versions": {"z2i_tf": "1.0", "tensorflow": "2.15.1", "machine": "x86_64"},
      "settings": {"analysis": "comparison", "blend_results": True},
      "metrics": METRICS_WITH_WEIGHTS,
      "resize": "none",
      "test_set": {"settings": {"source": "div2k", "split": "validation"}},
    },
    "test_sets": {
      name: {
        "hash": f"{seed:02d}{index}" * 22,
        "images": [
          {
            "name": f"image{place}",
            "image": "aa",
            "mask": "bb",
            "height": 256,
            "width": 256,
            "hole_ratio": 0.04 + 0.04 * place * (index + 1),
          }
          for place in range(count)
        ],
      }
      for index, name in enumerate(sets)
    },
    "methods": methods,
    "scores": {
      name: {
        method: {metric: list(rng.uniform(*(20, 30) if "PSNR" in metric else (0.8, 1), count)) for metric in names}
        for method in methods
      }
      for name in sets
    },
    "set_scores": {name: {method: {"FID": rng.uniform(10, 30)} for method in methods} for name in sets},
    "notes": ["FID: 4 images are too few"],
    "pictures": [],
  }


def model_entries():
  """Returns the entries of the paper's models."""
  return {
    name: {
      "kind": "model",
      "hash": f"{place}f" * 32,
      "precision": "float32",
      "parameters": 4_034_502 + place,
      "zoom": zoom,
      "scale": scale,
      "width": 64,
    }
    for place, (name, (zoom, scale)) in enumerate(MODELS.items())
  }


def write_scores(folder, analysis, content, pictures=()):
  """Writes a record of z2i evaluate; returns its path."""
  os.makedirs(folder, exist_ok=True)
  for name in pictures:
    write_picture(os.path.join(folder, name))
  return records.write_record(folder, analysis, {**content, "pictures": list(pictures)})


def write_picture(path, value=7, size=(6, 9)):
  image_files.write_rgb(path, np.full((*size, 3), value, np.uint8))


def write_with_tables(folder, analysis, content, pictures=()):
  """Writes a record of another analysis, with one table."""
  os.makedirs(folder, exist_ok=True)
  for name in pictures:
    write_picture(os.path.join(folder, name))
  settings = {"count": 10, "size": [256, 256], "run": "0123" * 16, "images": {"a.png": "00"}}
  table = Table(f"Own table of {analysis}", ["name", "value"], [["a", "1.5"], ["b", "-"]], ["A note."])
  AnalysisResult(analysis, settings, content, [table], pictures).write(folder)


def write_study(folder, kinds):
  os.makedirs(folder, exist_ok=True)
  return records.write_record(
    folder,
    "study",
    {
      "manifest": {"versions": {"z2i_tf": "1.0"}, "settings": {"question": "Which?", "pairs": 300}},
      "pictures": [],
      "kinds": kinds,
      "participants": 2,
      "finished": 1,
    },
  )


def write_all(folder):
  """Writes a run of every analysis, two comparisons among them."""
  folder = str(folder)
  methods = {"compact": model_entries()["SR zoom"], "telea": {"kind": "baseline", "radius_px": 5}}
  write_scores(f"{folder}/div2k", "comparison", scores_record(methods, seed=1), ["comparison_psnr.png"])
  write_scores(f"{folder}/places2", "comparison", scores_record(methods, ("small", "rect"), seed=2))
  for seed, analysis in enumerate(("ablation", "frequency", "scale_study"), 3):
    write_scores(f"{folder}/{analysis}", analysis, scores_record(model_entries(), seed=seed), [f"{analysis}_small.png"])
  write_study(f"{folder}/study", {"small": {"telea": {"ours": 30, "other": 10}, "HiFill": {"ours": 9, "other": 1}}})
  write_with_tables(
    f"{folder}/masks",
    "mask_statistics",
    {"masks": {kind: {"hole_ratio": {"mean": mean, "max": 0.5}} for kind, mean in (("small", 0.0561), ("rect", 0.3))}},
    ["mask_examples.png", "hole_ratio.png"],
  )
  write_with_tables(
    f"{folder}/times",
    "complexity",
    {
      "models": {
        name: {"parameters": {"coarse": 1, "total": 4_481_161}, "flops": {"total": 2.5e9}}
        for name in ("compact", "untimed")
      },
      "latency": {"compact, float32": {"mean_ms": 293.04}, "telea": {"mean_ms": 3.2}},
      "measured_on": {"cpu": "some", "threads": 2},
    },
  )
  for analysis in ("intermediate", "side_by_side", "failures"):
    write_with_tables(f"{folder}/{analysis}", analysis, {}, [f"{analysis}.png"])

"""The evaluation itself: scores every method, keeps pictures, writes record, tables and picture."""

import os
import sys
from typing import Any, Dict, Mapping, Optional, Sequence

from absl import flags

from z2i_tf import image_io
from z2i_tf.atomic_files import atomic_folder
from z2i_tf.atomic_files import atomic_write
from z2i_tf.cli.evaluation_inputs import EvaluatedMethod
from z2i_tf.cli.evaluation_inputs import PairedSet
from z2i_tf.cli.progress import progress
from z2i_tf.errors import InputError
from z2i_tf.evaluation import evaluate
from z2i_tf.evaluation import fid
from z2i_tf.evaluation import lpips
from z2i_tf.reports import layouts
from z2i_tf.reports import pictures
from z2i_tf.reports import records
from z2i_tf.reports import tables

RESULTS = "results"
_ORIGINAL, _MASK = "original", "mask"


def run(values: flags.FlagValues, sets: Sequence[PairedSet], test_sets: Mapping[str, Mapping[str, Any]],
        made_as: Optional[Mapping[str, Any]], methods: Mapping[str, EvaluatedMethod]) -> bool:
  """Evaluates and writes; nothing of a former evaluation is touched before all is scored.

  Args:
    values: of the flags of z2i evaluate.
    sets: of images and masks.
    test_sets: their entries in the record.
    made_as: manifest of the folder of z2i make-testset, where they are from one.
    methods: by name.
  Returns: whether a metric had to be left out.
  """
  distance, inception, notes, left_out = _weighted_metrics(values)
  count = sum(len(entry["images"]) for entry in test_sets.values())
  print(f"{len(methods)} methods, " + ", ".join(f"{len(test_sets[each.name]['images'])} images with {each.name} masks"
                                                for each in sets))
  with atomic_folder(os.path.join(values.output_dir, RESULTS)) as folder, progress(count, "image") as advance:
    keep = _Keeper(folder, [*methods, _ORIGINAL, _MASK], [each.name for each in sets]) if values.save_results else None

    def examples():
      for each in sets:
        for example in each.examples():
          yield example
          advance()

    scores = evaluate.evaluate({name: method.fill for name, method in methods.items()}, examples(), distance,
                               inception, keep or (lambda *_: None))
  for method in methods.values():
    notes.extend(method.remarks())
  for each in sets:
    images = len(test_sets[each.name]["images"])
    if inception and images < 2:
      left_out.append(f"FID of the {each.name} masks: it needs at least 2 images")
    elif inception:
      notes.extend(filter(None, [fid.remark_on_count(images, inception.dimensions)]))
  record = {
      "manifest": {"versions": records.versions(), "settings": {
          "analysis": values.analysis, "blend_results": values.blend_results, "max_memory": values.max_memory},
                   "metrics": {name: metric.description for name, metric in (
                       (evaluate.LPIPS, distance), (evaluate.FID, inception)) if metric},
                   "resize": "none", "test_set": made_as},
      "test_sets": test_sets, "methods": {name: method.entry for name, method in methods.items()},
      "scores": scores.per_image, "set_scores": scores.per_set, "notes": notes + left_out}
  _write(values, record)
  for line in left_out:
    print(f"left out: {line}", file=sys.stderr)
  return bool(left_out)


def _weighted_metrics(values):
  """Returns LPIPS, Inception (None where not asked for, or not to be had), notes, and lines on what is left out."""
  found, notes, left_out = [], [], []
  for name, wanted, load in (
      (evaluate.LPIPS, values.lpips_net != "none",
       lambda: lpips.Lpips(values.lpips_net, values.lpips_features, values.lpips_linear)),
      (evaluate.FID, values.inception_graph, lambda: fid.InceptionFeatures(values.inception_graph))):
    metric = None
    if wanted:
      try:
        metric = load()
        notes.append(f"{name}: {metric.description}")
      except InputError as error:
        left_out.append(f"{name}: {error}")
    found.append(metric)
  return (*found, notes, left_out)


class _Keeper:
  """Writes results, originals and masks as NAME/TEST_SET/IMAGE.png."""

  def __init__(self, folder, names, sets):
    self._folder, self._last = folder, None
    for name in names:
      for test_set in sets:
        os.makedirs(os.path.join(folder, name, test_set))

  def __call__(self, example, method, result):
    def path(name):
      return os.path.join(self._folder, name, example.test_set, f"{example.name}.png")

    image_io.write_rgb(path(method), result)
    if self._last != (example.test_set, example.name):
      image_io.write_rgb(path(_ORIGINAL), example.original)
      image_io.write_mask(path(_MASK), example.mask)
      self._last = (example.test_set, example.name)


def _write(values, record: Dict[str, Any]):
  """Writes what was measured and prints its tables."""
  shown = layouts.tables_of(values.analysis, record)
  for name, text in (("scores.csv", layouts.scores_csv(record)),
                     ("tables.md", "\n\n".join(map(tables.to_markdown, shown)) + "\n")):
    with atomic_write(os.path.join(values.output_dir, name)) as file:
      file.write(text.encode("utf-8"))
  record["pictures"] = pictures.pictures_of(values.analysis, record, values.output_dir)
  records.write_record(values.output_dir, values.analysis, record)
  print("\n\n".join(map(tables.to_text, shown)))
  print(values.output_dir)

"""The evaluation itself: scores every method, keeps pictures, writes record, tables and picture."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import os
import sys
from typing import Any

from absl import flags

from z2i_tf.analyses import charts
from z2i_tf.analyses import records
from z2i_tf.analyses import score_tables
from z2i_tf.analyses import tables
from z2i_tf.analyses.records import TABLES_FILE
from z2i_tf.analyses.side_by_side import MASK
from z2i_tf.analyses.side_by_side import ORIGINAL
from z2i_tf.analyses.side_by_side import RESULTS
from z2i_tf.cli.evaluation_inputs import EvaluatedMethod
from z2i_tf.cli.evaluation_inputs import PairedSet
from z2i_tf.cli.progress import progress
from z2i_tf.errors import InputError
from z2i_tf.evaluation import evaluate
from z2i_tf.evaluation import fid
from z2i_tf.evaluation import lpips
from z2i_tf.evaluation import st_lpips
from z2i_tf.images import image_files
from z2i_tf.system.atomic_files import atomic_folder

_SCORES = "scores.csv"


def run(
  values: flags.FlagValues,
  sets: Sequence[PairedSet],
  test_sets: Mapping[str, Mapping[str, Any]],
  made_as: Mapping[str, Any] | None,
  methods: Mapping[str, EvaluatedMethod],
) -> bool:
  """Evaluates and writes; a former run in the folder is replaced when the new one is whole.

  Args:
    values: of the flags of z2i evaluate.
    sets: of images and masks.
    test_sets: their entries in the record.
    made_as: manifest of the folder of z2i make-testset, where they are from one.
    methods: by name.
  Returns: whether a metric had to be left out.
  Raises: InputError if a file cannot be read any more.
  """
  distances, notes, left_out = _weighted_metrics(values)
  inception = distances.pop(evaluate.FID, None)
  count = sum(len(entry["images"]) for entry in test_sets.values())
  print(
    f"{len(methods)} methods, "
    + ", ".join(f"{len(test_sets[each.name]['images'])} images with {each.name} masks" for each in sets)
  )
  with atomic_folder(values.output_dir) as folder:
    keep = (
      (lambda *_: None)
      if not values.save_results
      else _Keeper(os.path.join(folder, RESULTS), [*methods, ORIGINAL, MASK], [each.name for each in sets])
    )
    with progress(count, "image") as advance:
      scores = evaluate.evaluate(
        {name: method.fill for name, method in methods.items()}, _examples(sets, advance), distances, inception, keep
      )
    for method in methods.values():
      notes.extend(method.remarks())
    for each in sets:
      images = len(test_sets[each.name]["images"])
      if inception and images < 2:
        notes.append(f"FID of the {each.name} masks is left out: it needs at least 2 images")
        left_out.append(notes[-1])
      elif inception:
        notes.extend(filter(None, [fid.remark_on_count(images, inception.dimensions)]))
    shown = _write(
      folder,
      values.analysis,
      {
        "manifest": {
          "versions": records.versions(),
          "settings": _settings(values),
          "metrics": {
            name: metric.description for name, metric in (*distances.items(), (evaluate.FID, inception)) if metric
          },
          "resize": "none",
          "test_set": made_as,
        },
        "test_sets": test_sets,
        "methods": {name: method.entry for name, method in methods.items()},
        "scores": scores.per_image,
        "set_scores": scores.per_set,
        "notes": notes,
      },
    )
  print("\n\n".join(map(tables.to_text, shown)))
  print(values.output_dir)
  for line in left_out:
    print(f"left out: {line}", file=sys.stderr)
  return bool(left_out)


def check_output(folder: str, analysis: str, inputs: Iterable[str]) -> None:
  """Raises InputError unless a run may replace the folder.

  Args:
    folder: of the run: new, empty, or with nothing in it but a former run of the same analysis.
    analysis: of the run.
    inputs: folders that are read; none may lie in it, and it in none.
  """
  real = os.path.realpath(folder)
  for path in map(os.path.realpath, inputs):
    if os.path.commonpath([real, path]) in (real, path):
      raise InputError(
        f"--output_dir={folder}: it must neither hold nor lie in what is evaluated ({path}); give a folder of its own"
      )
  image_files.check_writable_folder(os.path.dirname(real))
  if not os.path.exists(real):
    return
  image_files.check_writable_folder(real)
  found = set(os.listdir(real))
  try:
    record = records.read_record(os.path.join(real, f"{analysis}.json")) if found else {}
    ours = {f"{analysis}.json", RESULTS, _SCORES, TABLES_FILE, *record.get("pictures", ())}
  except InputError:
    ours = set()
  if found - ours:
    raise InputError(
      f"--output_dir={folder}: it holds what is not of a z2i evaluate --analysis={analysis} "
      f"({min(found - ours)}) and would be replaced; give a new folder"
    )


def _examples(sets, advance):
  for each in sets:
    for example in each.examples():
      yield example
      advance()


def _settings(values) -> dict[str, Any]:
  """The flags that decide about the record, beside what it says of sets, methods and metrics."""
  return {
    "analysis": values.analysis,
    "blend_results": values.blend_results,
    "lpips_net": values.lpips_net,
    "st_lpips": values.st_lpips,
    "with_fid": bool(values.inception_graph),
    "save_results": values.save_results,
  }


def _weighted_metrics(values):
  """Returns the requested and available metrics by name, notes, and a line for each one left out."""
  wanted = {}
  if values.lpips_net != "none":
    wanted[evaluate.LPIPS] = lambda: lpips.Lpips(values.lpips_net, values.lpips_features, values.lpips_linear)
  for net in values.st_lpips:
    wanted[f"ST-LPIPS {net}"] = functools.partial(st_lpips.StLpips, net, values.st_lpips_weights)
  if values.inception_graph:
    wanted[evaluate.FID] = lambda: fid.InceptionFeatures(values.inception_graph)
  found, notes, left_out = {}, [], []
  for name, load in wanted.items():
    try:
      found[name] = load()
      notes.append(f"{name}: {found[name].description}")
    except InputError as error:  # Its text names files of this machine, which no record does.
      left_out.append(f"{name}: {error}")
      notes.append(f"{name} is left out: its weights could not be had")
  return found, notes, left_out


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

    image_files.write_rgb(path(method), result)
    if self._last != (example.test_set, example.name):
      image_files.write_rgb(path(ORIGINAL), example.original)
      image_files.write_mask(path(MASK), example.mask)
      self._last = (example.test_set, example.name)


def _write(folder: str, analysis: str, record: dict[str, Any]) -> Sequence[tables.Table]:
  """Writes what was measured; returns its tables."""
  shown = score_tables.tables_of(analysis, record)
  with open(os.path.join(folder, _SCORES), "wb") as file:
    file.write(score_tables.scores_csv(record).encode("utf-8", "backslashreplace"))
  records.write_tables(folder, shown)
  record["pictures"] = charts.score_charts(analysis, record, folder)
  records.write_record(folder, analysis, record)
  return shown

"""Evaluates inpainting methods on test sets: scores, record, tables, charts and pictures in one folder."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import os
from typing import Any, NamedTuple

from z2i_tf.analyses import charts
from z2i_tf.analyses import records
from z2i_tf.analyses import score_tables
from z2i_tf.analyses import tables
from z2i_tf.analyses.records import TABLES_FILE
from z2i_tf.analyses.side_by_side import RESULTS
from z2i_tf.errors import InputError
from z2i_tf.evaluation import test_sets
from z2i_tf.evaluation.config import check_config
from z2i_tf.evaluation.config import EvaluationConfig
from z2i_tf.evaluation.scorer import load_methods
from z2i_tf.evaluation.scorer import load_metrics
from z2i_tf.evaluation.scorer import make_scorer
from z2i_tf.evaluation.scorer import open_other_methods
from z2i_tf.evaluation.scorer import open_sets
from z2i_tf.evaluation.scorer import ScoreAll
from z2i_tf.evaluation.scorer import Task
from z2i_tf.images import image_files
from z2i_tf.inference.inpaint_files import no_progress
from z2i_tf.inference.inpaint_files import Progress
from z2i_tf.metrics import fid
from z2i_tf.metrics import scoring
from z2i_tf.system.atomic_files import atomic_folder

_SCORES = "scores.csv"


class Evaluation(NamedTuple):
  """Outcome of an evaluation: its tables, and one line for each metric that could not be computed."""

  tables: Sequence[tables.Table]
  left_out: Sequence[str]


def evaluate(
  config: EvaluationConfig,
  progress: Progress = no_progress,
  say: Callable[[str], None] = lambda text: None,
  score_all: ScoreAll | None = None,
) -> Evaluation:
  """Evaluates methods and writes the folder, which replaces an earlier one when it is complete.

  Checks all inputs before the first model is loaded.

  Args:
    config: settings.
    progress: shows progress.
    say: receives one line that summarizes the evaluation before it begins.
    score_all: scores the examples; None: in this process, one after the other.
  Raises: InputError for unusable settings or files.
  """
  check_config(config)
  charts.require_matplotlib()
  sets = open_sets(config)
  inputs = [path for each in sets for path in each.folders]
  _check_output(config.output_dir, config.analysis, [*inputs, *config.result_dir.values()])
  others = open_other_methods(config, sets)
  entries = {each.name: each.describe() for each in sets}
  manifest = test_sets.check_is_unchanged(config.testset, entries) if config.testset else None
  return _run(config, sets, entries, manifest, load_methods(config, others), progress, say, score_all or _score_here)


def _score_here(scorer, tasks, folder):
  del folder
  return map(scorer.score, tasks)


def _run(config, sets, entries, manifest, methods, progress, say, score_all) -> Evaluation:
  metrics = load_metrics(config)
  notes, left_out = list(metrics.notes), list(metrics.left_out)
  count = sum(len(entry["images"]) for entry in entries.values())
  say(
    f"{len(methods)} methods, "
    + ", ".join(f"{len(entries[each.name]['images'])} images with {each.name} masks" for each in sets)
  )
  with atomic_folder(config.output_dir) as folder:
    scorer = make_scorer(config, folder, sets, methods, metrics)
    tasks = [Task(each.name, path) for each in sets for path in each.paths]
    with progress(count, "image") as advance:
      scores = scoring.collect(_noting_changes(score_all(scorer, tasks, folder), methods, advance))
    for method in methods.values():
      notes.extend(method.remarks())
    for each in sets:
      images = len(entries[each.name]["images"])
      if metrics.inception and images < 2:
        notes.append(f"FID of the {each.name} masks is left out: it needs at least 2 images")
        left_out.append(notes[-1])
      elif metrics.inception:
        notes.extend(filter(None, [fid.remark_on_count(images, metrics.inception.dimensions)]))
    shown = _write(
      folder,
      config.analysis,
      {
        "manifest": {
          "versions": records.versions(),
          "settings": _settings(config),
          "metrics": metrics.descriptions,
          "resize": "none",
          "test_set": manifest,
        },
        "test_sets": entries,
        "methods": {name: method.entry for name, method in methods.items()},
        "scores": scores.per_image,
        "set_scores": scores.per_set,
        "notes": notes,
      },
    )
  return Evaluation(shown, left_out)


def _check_output(folder: str, analysis: str, inputs: Iterable[str]) -> None:
  """Raises InputError unless the folder is new, empty, or holds only an earlier evaluation of the same analysis.

  Args:
    folder: for the evaluation.
    analysis: of the evaluation.
    inputs: folders that are read; none may contain the folder, or lie in it.
  """
  real = os.path.realpath(folder)
  for path in map(os.path.realpath, inputs):
    if os.path.commonpath([real, path]) in (real, path):
      raise InputError(
        f"`output_dir`={folder}: it must neither hold nor lie in an evaluated folder ({path}); give another one"
      )
  image_files.check_writable_folder(os.path.dirname(real))
  if not os.path.exists(real):
    return
  image_files.check_writable_folder(real)
  found = set(os.listdir(real))
  try:
    record = records.read_record(os.path.join(real, f"{analysis}.json")) if found else {}
    ours = {f"{analysis}.json", RESULTS, _SCORES, TABLES_FILE, *record.get("pictures", ())}
  except (InputError, TypeError):  # A damaged record has no files.
    ours = set()
  if found - ours:
    raise InputError(
      f"`output_dir`={folder}: holds {min(found - ours)}, which no evaluation with `analysis`={analysis} wrote; "
      "give a new folder"
    )


def _noting_changes(scored, methods, advance):
  """Yields the scores; records in each method which results changed known pixels."""
  for each in scored:
    for name in each.changed:
      methods[name].changed.add((each.scores.test_set, each.name))
    yield each.scores
    advance()


def _settings(config) -> dict[str, Any]:
  """Returns the settings that change the record and are not in its other entries."""
  return {
    "analysis": config.analysis,
    "blend_results": config.blend_results,
    "lpips_net": config.lpips_net,
    "st_lpips": list(config.st_lpips),
    "with_fid": bool(config.inception_graph),
    "save_results": config.save_results,
  }


def _write(folder: str, analysis: str, record: dict[str, Any]) -> Sequence[tables.Table]:
  """Writes scores, tables, charts and record; returns the tables."""
  shown = score_tables.tables_of(analysis, record)
  with open(os.path.join(folder, _SCORES), "wb") as file:
    file.write(score_tables.scores_csv(record).encode("utf-8", "backslashreplace"))
  records.write_tables(folder, shown)
  record["pictures"] = charts.score_charts(analysis, record, folder)
  records.write_record(folder, analysis, record)
  return shown

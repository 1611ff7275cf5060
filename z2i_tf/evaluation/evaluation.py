"""Evaluates inpainting methods on test sets: scores, record, tables, charts and pictures in one folder."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import os
from typing import Any, NamedTuple

import numpy as np

from z2i_tf.analyses import charts
from z2i_tf.analyses import records
from z2i_tf.analyses import score_tables
from z2i_tf.analyses import tables
from z2i_tf.analyses.records import TABLES_FILE
from z2i_tf.analyses.side_by_side import MASK
from z2i_tf.analyses.side_by_side import ORIGINAL
from z2i_tf.analyses.side_by_side import RESULTS
from z2i_tf.errors import InputError
from z2i_tf.evaluation import methods as evaluated
from z2i_tf.evaluation import test_sets
from z2i_tf.evaluation.test_sets import PairedSet
from z2i_tf.images import image_files
from z2i_tf.inference.crop_fill import DETAILS
from z2i_tf.inference.inpaint_files import no_progress
from z2i_tf.inference.inpaint_files import Progress
from z2i_tf.metrics import fid
from z2i_tf.metrics import lpips
from z2i_tf.metrics import scoring
from z2i_tf.metrics import st_lpips
from z2i_tf.metrics.weight_files import DEFAULT
from z2i_tf.system.atomic_files import atomic_folder

_SCORES = "scores.csv"
_NO_LPIPS = "none"
_CHOICES = {
  "analysis": score_tables.ANALYSES,
  "filling": ("networks", "photograph"),
  "lpips_net": (_NO_LPIPS, *lpips.NETS),
  "detail": (None, *DETAILS),
}


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Settings of an evaluation.

  Attributes:
    output_dir: new or empty folder, or one of an earlier evaluation of the same analysis, which is replaced.
    testset: folder of `test_sets.write_test_set`; None to use `image_dir` and `mask_dir`.
    image_dir: folder of images.
    mask_dir: name of a test set -> folder of its masks, which have the names of the images.
    model: name -> model, as of `model_store.load_predictor`.
    result_dir: name -> folder of another method's results.
    baseline: names in `baselines.METHODS`.
    analysis: layout of tables and charts: "comparison", "ablation", "frequency" or "scale_study".
    blend_results: whether to replace known pixels of `result_dir` by the originals', as the paper does.
    lpips_net: network of LPIPS, a name in `lpips.NETS`, or "none".
    lpips_features: weights of that network, as of `lpips.Lpips`.
    lpips_linear: channel weights, as of `lpips.Lpips`.
    st_lpips: networks of ST-LPIPS, names in `st_lpips.NETS`; each is a metric.
    st_lpips_weights: folder of their weights, as of `st_lpips.StLpips`.
    inception_graph: frozen Inception for FID, as of `fid.InceptionFeatures`; None omits FID.
    save_results: whether to keep results, originals and masks as pictures.
    filling: "networks" evaluates the networks' own result of a model, "photograph" that of `z2i inpaint`.
    detail: texture of "photograph", as of `Inpainter`; None for the default.
    precision: of the networks; None for the model's default.
  """

  output_dir: str
  testset: str | None = None
  image_dir: str | None = None
  mask_dir: Mapping[str, str] = dataclasses.field(default_factory=dict)
  model: Mapping[str, str] = dataclasses.field(default_factory=dict)
  result_dir: Mapping[str, str] = dataclasses.field(default_factory=dict)
  baseline: Sequence[str] = ()
  analysis: str = "comparison"
  blend_results: bool = True
  lpips_net: str = _NO_LPIPS
  lpips_features: str = DEFAULT
  lpips_linear: str = DEFAULT
  st_lpips: Sequence[str] = ()
  st_lpips_weights: str | None = None
  inception_graph: str | None = None
  save_results: bool = True
  filling: str = "networks"
  detail: str | None = None
  precision: str | None = None


class Evaluation(NamedTuple):
  """Outcome of an evaluation: its tables, and one line for each metric that could not be computed."""

  tables: Sequence[tables.Table]
  left_out: Sequence[str]


def evaluate(
  config: EvaluationConfig,
  progress: Progress = no_progress,
  say: Callable[[str], None] = lambda text: None,
  score_all: "ScoreAll | None" = None,
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
  _check(config)
  charts.require_matplotlib()
  sets = _open_sets(config)
  inputs = [path for each in sets for path in each.folders]
  _check_output(config.output_dir, config.analysis, [*inputs, *config.result_dir.values()])
  others = _other_methods(config, sets)
  entries = {each.name: each.describe() for each in sets}
  manifest = test_sets.check_is_unchanged(config.testset, entries) if config.testset else None
  return _run(config, sets, entries, manifest, _in_order(config, others), progress, say, score_all or _score_here)


@dataclasses.dataclass(frozen=True)
class Scorer:
  """Scores examples.

  Attributes:
    sets: by name.
    methods: by name.
    distances: metric name -> distance.
    inception: features for FID, or None.
    keep: called with each example, method name and result.
  """

  sets: Mapping[str, PairedSet]
  methods: Mapping[str, evaluated.EvaluatedMethod]
  distances: Mapping[str, Any]
  inception: Any
  keep: Callable[[scoring.Example, str, np.ndarray], None]

  def score(self, task: "Task") -> "Scored":
    """Scores every method on an example."""
    example = self.sets[task.test_set].example(task.path)
    fills = {name: method.fill for name, method in self.methods.items()}
    scores = scoring.score_example(fills, example, self.distances, self.inception, self.keep)
    key = (example.test_set, example.name)
    return Scored(scores, example.name, [name for name, method in self.methods.items() if key in method.changed])

  def describe(self) -> dict[str, Any]:
    """Returns what decides the scores by name: hashes of test sets, entries of methods, descriptions of metrics."""
    metrics = {**self.distances, **({scoring.FID: self.inception} if self.inception else {})}
    return {
      **{f"test set {name}": each.content_hash() for name, each in self.sets.items()},
      **{f"method {name}": method.entry for name, method in self.methods.items()},
      **{name: metric.description for name, metric in metrics.items()},
    }


class Task(NamedTuple):
  """An example to score: name of its test set, path of its image."""

  test_set: str
  path: str


class Scored(NamedTuple):
  """A scored example.

  Attributes:
    scores: of all methods.
    name: of the image.
    changed: names of the methods whose result differs from the original where pixels are known.
  """

  scores: scoring.ExampleScores
  name: str
  changed: Sequence[str]


# (scorer, tasks, folder that is written and becomes the evaluation) -> the scored examples in the order of the tasks.
ScoreAll = Callable[[Scorer, Sequence[Task], str], Iterable[Scored]]


def load_scorer(config: EvaluationConfig, folder: str, expected: Mapping[str, Any]) -> Scorer:
  """Loads the scorer of an evaluation whose inputs `evaluate` has checked, in another process.

  Args:
    config: settings.
    folder: that is written.
    expected: `Scorer.describe` of the process that checked them.
  Raises: InputError naming what this process finds otherwise: a metric without its weights, other files.
  """
  sets = _open_sets(config)
  methods = _in_order(config, _other_methods(config, sets, is_checked=True))
  distances, inception, _, left_out = _weighted_metrics(config)
  scorer = _scorer(config, folder, sets, methods, distances, inception)
  found = scorer.describe()
  for name in (*expected, *found):
    if found.get(name) != expected.get(name):
      missing = "".join(f" ({line})" for line in left_out if line.startswith(f"{name}: "))
      raise InputError(f"a worker finds {name} otherwise than the process that began{missing}")
  return scorer


def _score_here(scorer, tasks, folder):
  del folder
  return map(scorer.score, tasks)


def _other_methods(config, sets, is_checked=False):
  """Returns the methods that are no models by name."""
  methods = {name: evaluated.baseline_method(name) for name in config.baseline}
  for name, folder in config.result_dir.items():
    methods[name] = evaluated.result_method(name, folder, sets, config.blend_results, is_checked)
  return methods


def _in_order(config, others):
  """Loads the models; returns all methods by name, in the order of the tables."""
  models = {
    name: evaluated.model_method(model, config.precision, config.filling == "photograph", config.detail or "auto")
    for name, model in config.model.items()
  }
  return {name: {**models, **others}[name] for name in _names(config)}


def _names(config):
  return [*config.model, *config.result_dir, *config.baseline]


def _scorer(config, folder, sets, methods, distances, inception):
  keep = (
    (lambda *_: None)
    if not config.save_results
    else _PictureWriter(os.path.join(folder, RESULTS), [*methods, ORIGINAL, MASK], [each.name for each in sets])
  )
  return Scorer({each.name: each for each in sets}, methods, distances, inception, keep)


def _check(config) -> None:
  """Raises InputError for settings that contradict each other."""
  names = _names(config)
  for name in names:
    if names.count(name) > 1 or name in (ORIGINAL, MASK):
      raise InputError(
        f"`model`, `result_dir`, `baseline`: {name} is "
        + ("there twice" if names.count(name) > 1 else "kept for other pictures")
        + "; give it a name of its own (NAME=PATH)"
      )
  if not names:
    raise InputError("nothing to evaluate: give `model`, `result_dir` or `baseline`")
  for name, known in _CHOICES.items():
    if getattr(config, name) not in known:
      expected = ", ".join(filter(None, known))
      raise InputError(f"`{name}`={getattr(config, name)}: expected one of {expected}")
  for name in ("lpips_features", "lpips_linear"):
    if getattr(config, name) != DEFAULT and config.lpips_net == _NO_LPIPS:
      raise InputError(f"`{name}`={getattr(config, name)}: only with `lpips_net`=alex or vgg")
  for name in config.st_lpips:
    if name not in st_lpips.NETS or list(config.st_lpips).count(name) > 1:
      raise InputError(f"`st_lpips`={','.join(config.st_lpips)}: expected {', '.join(st_lpips.NETS)}, each once")
  if config.st_lpips_weights is not None and not config.st_lpips:
    raise InputError(f"`st_lpips_weights`={config.st_lpips_weights}: only with `st_lpips`")
  if config.detail is not None and config.filling != "photograph":
    raise InputError(f"`detail`={config.detail}: only with `filling`=photograph")


def _open_sets(config) -> list[PairedSet]:
  if config.testset:
    if config.image_dir or config.mask_dir:
      raise InputError("`testset` holds images and masks; leave out `image_dir` and `mask_dir`")
    return test_sets.open_test_set(config.testset)
  if not (config.image_dir and config.mask_dir):
    raise InputError("`testset` is missing, a folder of z2i make-testset; or give `image_dir` and `mask_dir`")
  return [PairedSet(name, config.image_dir, folder) for name, folder in config.mask_dir.items()]


def _run(config, sets, entries, manifest, methods, progress, say, score_all) -> Evaluation:
  distances, inception, notes, left_out = _weighted_metrics(config)
  count = sum(len(entry["images"]) for entry in entries.values())
  say(
    f"{len(methods)} methods, "
    + ", ".join(f"{len(entries[each.name]['images'])} images with {each.name} masks" for each in sets)
  )
  with atomic_folder(config.output_dir) as folder:
    scorer = _scorer(config, folder, sets, methods, distances, inception)
    tasks = [Task(each.name, path) for each in sets for path in each.paths]
    with progress(count, "image") as advance:
      scores = scoring.collect(_seen(score_all(scorer, tasks, folder), methods, advance))
    for method in methods.values():
      notes.extend(method.remarks())
    for each in sets:
      images = len(entries[each.name]["images"])
      if inception and images < 2:
        notes.append(f"FID of the {each.name} masks is left out: it needs at least 2 images")
        left_out.append(notes[-1])
      elif inception:
        notes.extend(filter(None, [fid.remark_on_count(images, inception.dimensions)]))
    shown = _write(
      folder,
      config.analysis,
      {
        "manifest": {
          "versions": records.versions(),
          "settings": _settings(config),
          "metrics": {
            name: metric.description for name, metric in (*distances.items(), (scoring.FID, inception)) if metric
          },
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
  except InputError:
    ours = set()
  if found - ours:
    raise InputError(
      f"`output_dir`={folder}: holds {min(found - ours)}, which no evaluation with `analysis`={analysis} wrote; "
      "give a new folder"
    )


def _seen(scored, methods, advance):
  """Yields the scores; tells the methods which results differ where pixels are known, wherever they were scored."""
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


def _weighted_metrics(config):
  """Returns distances by name, FID's features or None, notes, and a line for each metric whose weights are missing."""
  wanted: dict[str, Callable[[], Any]] = {}
  if config.lpips_net != _NO_LPIPS:
    wanted[scoring.LPIPS] = lambda: lpips.Lpips(config.lpips_net, config.lpips_features, config.lpips_linear)
  for net in config.st_lpips:
    wanted[f"ST-LPIPS {net}"] = functools.partial(st_lpips.StLpips, net, config.st_lpips_weights)
  if config.inception_graph:
    wanted[scoring.FID] = lambda: fid.InceptionFeatures(config.inception_graph)
  found: dict[str, Any] = {}
  notes: list[str] = []
  left_out: list[str] = []
  for name, load in wanted.items():
    try:
      found[name] = load()
      notes.append(f"{name}: {found[name].description}")
    except InputError as error:  # Names files of this machine, which a record does not.
      left_out.append(f"{name}: {error}")
      notes.append(f"{name} is left out: its weights could not be loaded")
  return found, found.pop(scoring.FID, None), notes, left_out


class _PictureWriter:
  """Writes results, originals and masks as NAME/TEST_SET/IMAGE.png."""

  def __init__(self, folder, names, sets):
    self._folder, self._last = folder, None
    for name in names:
      for test_set in sets:
        os.makedirs(os.path.join(folder, name, test_set), exist_ok=True)

  def __call__(self, example, method, result):
    def path(name):
      return os.path.join(self._folder, name, example.test_set, f"{example.name}.png")

    image_files.write_rgb(path(method), result)
    if self._last != (example.test_set, example.name):
      image_files.write_rgb(path(ORIGINAL), example.original)
      image_files.write_mask(path(MASK), example.mask)
      self._last = (example.test_set, example.name)


def _write(folder: str, analysis: str, record: dict[str, Any]) -> Sequence[tables.Table]:
  """Writes scores, tables, charts and record; returns the tables."""
  shown = score_tables.tables_of(analysis, record)
  with open(os.path.join(folder, _SCORES), "wb") as file:
    file.write(score_tables.scores_csv(record).encode("utf-8", "backslashreplace"))
  records.write_tables(folder, shown)
  record["pictures"] = charts.score_charts(analysis, record, folder)
  records.write_record(folder, analysis, record)
  return shown

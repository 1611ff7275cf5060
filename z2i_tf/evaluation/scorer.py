"""Loads test sets, methods and metrics, and scores examples with them."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import os
from typing import Any, NamedTuple

import numpy as np

from z2i_tf.analyses.side_by_side import MASK
from z2i_tf.analyses.side_by_side import ORIGINAL
from z2i_tf.analyses.side_by_side import RESULTS
from z2i_tf.errors import InputError
from z2i_tf.evaluation import methods as evaluated
from z2i_tf.evaluation import test_sets
from z2i_tf.evaluation.config import EvaluationConfig
from z2i_tf.evaluation.config import NO_LPIPS
from z2i_tf.evaluation.test_sets import PairedSet
from z2i_tf.images import image_files
from z2i_tf.metrics import fid
from z2i_tf.metrics import lpips
from z2i_tf.metrics import scoring
from z2i_tf.metrics import st_lpips


class Metrics(NamedTuple):
  """Metrics that need weights.

  Attributes:
    distances: metric name -> distance.
    inception: features for FID, or None.
    notes: one line per metric for the record.
    left_out: one line for each metric whose weights could not be loaded; names files of this machine.
  """

  distances: Mapping[str, Any]
  inception: Any
  notes: Sequence[str]
  left_out: Sequence[str]

  @property
  def descriptions(self) -> dict[str, str]:
    """Description of each metric, by name."""
    named = [*self.distances.items(), (scoring.FID, self.inception)]
    return {name: metric.description for name, metric in named if metric}


@dataclasses.dataclass(frozen=True)
class Scorer:
  """Scores examples.

  Attributes:
    sets: by name.
    methods: by name.
    metrics: those that need weights.
    keep: called with each example, method name and result.
  """

  sets: Mapping[str, PairedSet]
  methods: Mapping[str, evaluated.EvaluatedMethod]
  metrics: Metrics
  keep: Callable[[scoring.Example, str, np.ndarray], None]

  def score(self, task: "Task") -> "Scored":
    """Scores every method on an example; raises InputError if the image, the mask or a result cannot be read."""
    example = self.sets[task.test_set].example(task.path)
    fills = {name: method.fill for name, method in self.methods.items()}
    scores = scoring.score_example(fills, example, self.metrics.distances, self.metrics.inception, self.keep)
    key = (example.test_set, example.name)
    return Scored(scores, example.name, [name for name, method in self.methods.items() if key in method.changed])

  def describe(self) -> dict[str, Any]:
    """Returns test sets, methods and metrics by name; scorers with equal descriptions give equal scores."""
    return {
      **{f"test set {name}": each.content_hash() for name, each in self.sets.items()},
      **{f"method {name}": method.entry for name, method in self.methods.items()},
      **self.metrics.descriptions,
    }


class Task(NamedTuple):
  """An example to score: name of its test set, path of its image."""

  test_set: str
  path: str


class Scored(NamedTuple):
  """A scored example.

  Attributes:
    scores: scores of all methods.
    name: name of the image.
    changed: names of the methods whose result differs from the original where pixels are known.
  """

  scores: scoring.ExampleScores
  name: str
  changed: Sequence[str]


# Takes the scorer, the tasks and the output folder; returns the scored examples in the order of the tasks.
ScoreAll = Callable[[Scorer, Sequence[Task], str], Iterable[Scored]]


def load_scorer(config: EvaluationConfig, folder: str, expected: Mapping[str, Any]) -> Scorer:
  """Loads the scorer in a worker process, after `evaluate` has checked the inputs.

  Args:
    config: settings.
    folder: receives the pictures.
    expected: `Scorer.describe` of the main process.
  Raises: InputError naming the first input that differs from the main process: other files, or missing weights.
  """
  sets = open_sets(config)
  methods = load_methods(config, open_other_methods(config, sets, is_checked=True))
  metrics = load_metrics(config)
  scorer = make_scorer(config, folder, sets, methods, metrics)
  found = scorer.describe()
  for name in (*expected, *found):
    if found.get(name) != expected.get(name):
      missing = "".join(f" ({line})" for line in metrics.left_out if line.startswith(f"{name}: "))
      raise InputError(f"{name} differs between a worker and the main process{missing}")
  return scorer


def open_sets(config: EvaluationConfig) -> list[PairedSet]:
  """Opens the test sets of a checked configuration; raises InputError if files cannot be used."""
  if config.testset:
    return test_sets.open_test_set(config.testset)
  assert config.image_dir is not None, "check_config requires it"
  return [PairedSet(name, config.image_dir, folder) for name, folder in config.mask_dir.items()]


def open_other_methods(
  config: EvaluationConfig, sets: Sequence[PairedSet], is_checked: bool = False
) -> dict[str, evaluated.EvaluatedMethod]:
  """Returns baselines and results by name; `is_checked`: whether another process checked the files of results."""
  methods = {name: evaluated.baseline_method(name) for name in config.baseline}
  for name, folder in config.result_dir.items():
    methods[name] = evaluated.result_method(name, folder, sets, config.blend_results, is_checked)
  return methods


def load_methods(
  config: EvaluationConfig, others: Mapping[str, evaluated.EvaluatedMethod]
) -> dict[str, evaluated.EvaluatedMethod]:
  """Loads the models; returns all methods by name, in the order of the tables."""
  models = {
    name: evaluated.model_method(model, config.precision, config.filling == "photograph", config.detail or "auto")
    for name, model in config.model.items()
  }
  return {name: {**models, **others}[name] for name in config.method_names}


def make_scorer(
  config: EvaluationConfig,
  folder: str,
  sets: Sequence[PairedSet],
  methods: Mapping[str, evaluated.EvaluatedMethod],
  metrics: Metrics,
) -> Scorer:
  """Returns the scorer; it writes pictures into the folder if the settings keep them."""
  keep = (
    (lambda *_: None)
    if not config.save_results
    else _PictureWriter(os.path.join(folder, RESULTS), [*methods, ORIGINAL, MASK], [each.name for each in sets])
  )
  return Scorer({each.name: each for each in sets}, methods, metrics, keep)


def load_metrics(config: EvaluationConfig) -> Metrics:
  """Loads the metrics that need weights; leaves out, with a note, those whose weights cannot be loaded."""
  wanted: dict[str, Callable[[], Any]] = {}
  if config.lpips_net != NO_LPIPS:
    wanted[scoring.LPIPS] = lambda: lpips.Lpips(config.lpips_net, config.lpips_features, config.lpips_linear)
  for net in config.st_lpips:
    wanted[f"ST-LPIPS {net}"] = functools.partial(st_lpips.StLpips, net, config.st_lpips_weights)
  if config.inception_graph:
    wanted[scoring.FID] = functools.partial(fid.InceptionFeatures, config.inception_graph)
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
  inception = found.pop(scoring.FID, None)
  return Metrics(found, inception, notes, left_out)


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

"""Scores the images of `z2i evaluate` in parallel; writes the same folder with the same record.

Every worker must reach the inputs and the output folder under the same path, as the same user: others cannot open the
unfinished folder. This process checks the inputs and writes the record; workers score images, keep pictures, and leave
the scores in a file beside them. A worker that finds other inputs than this process fails.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import glob
import json
import os
import tempfile

import apache_beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions
import numpy as np

from z2i_tf.beam import pipelines
from z2i_tf.errors import InputError
from z2i_tf.evaluation import evaluation
from z2i_tf.evaluation.config import EvaluationConfig
from z2i_tf.evaluation.scorer import load_scorer
from z2i_tf.evaluation.scorer import Scored
from z2i_tf.evaluation.scorer import Scorer
from z2i_tf.evaluation.scorer import Task
from z2i_tf.inference import bundled_models
from z2i_tf.metrics import scoring
from z2i_tf.metrics.weight_files import DEFAULT

_SCORES = "scores"


def evaluate(config: EvaluationConfig, options: PipelineOptions, say: Callable[[str], None]) -> evaluation.Evaluation:
  """Evaluates as `evaluation.evaluate`.

  Args:
    config: settings.
    options: of Beam.
    say: as in `evaluation.evaluate`.
  Raises: InputError as `evaluation.evaluate`, and if the pipeline fails.
  """

  def score_all(scorer, tasks, folder):
    load = functools.partial(load_scorer, _absolute(config), folder, scorer.describe())
    with tempfile.TemporaryDirectory(dir=folder) as scores:
      pipelines.run(functools.partial(_build, load=load, tasks=tasks, scores=scores), options)
      return _read(scores, len(tasks))

  return evaluation.evaluate(config, say=say, score_all=score_all)


def _absolute(config):
  """Returns the settings with paths that mean the same in every working folder."""

  def changed(value):
    if isinstance(value, Mapping):
      return {name: changed(path) for name, path in value.items()}
    return os.path.abspath(value) if value and value != DEFAULT else value

  paths = ("testset", "image_dir", "mask_dir", "result_dir", "lpips_features", "lpips_linear", "st_lpips_weights")
  models = {name: _absolute_model(model) for name, model in config.model.items()}
  found = {name: changed(getattr(config, name)) for name in (*paths, "inception_graph")}
  return dataclasses.replace(config, model=models, **found)


def _absolute_model(model):
  if model in bundled_models.bundled_names():
    return model
  adapter, colon, path = model.partition(":")
  if colon and not os.path.exists(model):
    return f"{adapter}:{os.path.abspath(path)}"
  return os.path.abspath(model)


def _build(pipeline, load, tasks, scores):
  (
    pipeline
    | apache_beam.Create(list(enumerate(tasks)))
    | apache_beam.Reshuffle()
    | "score" >> RunInference(pipelines.PerProcess(load, _score, lambda _: 0))
    | apache_beam.io.WriteToText(os.path.join(scores, _SCORES))
  )


def _score(scorer: Scorer, numbered: tuple[int, Task]) -> str:
  number, task = numbered
  scored = scorer.score(Task(*task))
  pipelines.count("scored")
  return _to_json(number, scored)


def _to_json(number, scored):
  scores = scored.scores
  features = [[of, str(array.dtype), array.tolist()] for of, array in scores.features.items()]
  return json.dumps([number, scores.test_set, scores.values, features, scored.name, scored.changed])


def _from_json(line):
  number, test_set, values, features, name, changed = json.loads(line)
  arrays = {of: np.array(numbers, dtype) for of, dtype, numbers in features}
  return number, Scored(scoring.ExampleScores(test_set, values, arrays), name, changed)


def _read(folder: str, count: int) -> Sequence[Scored]:
  """Returns the scored examples in the order of the tasks; raises InputError if one is missing."""
  found = dict(_lines(folder))
  if len(found) < count:
    raise InputError(f"the pipeline scored only {len(found)} of {count} images; run it again")
  return [found[number] for number in range(count)]


def _lines(folder: str) -> Iterator[tuple[int, Scored]]:
  for path in glob.glob(os.path.join(glob.escape(folder), f"{_SCORES}-*")):
    with open(path, encoding="utf-8") as file:
      yield from map(_from_json, file)

"""Scores the images of `z2i evaluate` in parallel; writes the same folder with the same record.

Every worker must reach the test set and the output folder under the same path. This process checks the inputs and
writes the record; workers score images, keep pictures, and leave the scores in a file beside them.
"""

import base64
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import functools
import glob
import os
import pickle
import tempfile

import apache_beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from z2i_tf.beam import pipelines
from z2i_tf.evaluation import evaluation
from z2i_tf.evaluation.evaluation import EvaluationConfig
from z2i_tf.evaluation.evaluation import Scored
from z2i_tf.evaluation.evaluation import Task

_SCORES = "scores"


def evaluate(config: EvaluationConfig, options: PipelineOptions, say: Callable[[str], None]) -> evaluation.Evaluation:
  """Evaluates as `evaluation.evaluate`.

  Args:
    config: settings.
    options: of Beam.
    say: as of `evaluation.evaluate`.
  Raises: InputError as `evaluation.evaluate`, and if the pipeline fails.
  """

  def score_all(scorer, tasks, folder):
    del scorer  # Workers load their own.
    with tempfile.TemporaryDirectory(dir=folder) as scores:
      pipelines.run(functools.partial(_build, config=config, tasks=tasks, folder=folder, scores=scores), options)
      return _read(scores, len(tasks))

  return evaluation.evaluate(config, say=say, score_all=score_all)


def _build(pipeline, config, tasks, folder, scores):
  score = pipelines.PerProcess(functools.partial(evaluation.load_scorer, config, folder), _score, lambda _: 0)
  (
    pipeline
    | apache_beam.Create(list(enumerate(tasks)))
    | apache_beam.Reshuffle()
    | "score" >> RunInference(score)
    | apache_beam.io.WriteToText(os.path.join(scores, _SCORES))
  )


def _score(scorer: evaluation.Scorer, numbered: tuple[int, Task]) -> str:
  number, task = numbered
  scored = scorer.score(Task(*task))
  pipelines.count("scored")
  return base64.b64encode(pickle.dumps((number, scored))).decode()


def _read(folder: str, count: int) -> Sequence[Scored]:
  """Returns the scored examples in the order of the tasks."""
  found = dict(_lines(folder))
  return [found[number] for number in range(count)]


def _lines(folder: str) -> Iterator[tuple[int, Scored]]:
  for path in glob.glob(os.path.join(glob.escape(folder), f"{_SCORES}-*")):
    with open(path, encoding="ascii") as file:
      for line in file:
        yield pickle.loads(base64.b64decode(line))

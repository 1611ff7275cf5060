"""Runs pipelines: options from the command line, one model per process, and counters."""

import atexit
import collections
from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import io
import re
from typing import Any

import apache_beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.metrics import MetricsFilter
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.options.pipeline_options import TypeOptions
from apache_beam.options.pipeline_options import WorkerOptions
from apache_beam.runners.runner import PipelineState

from z2i_tf.errors import InputError
from z2i_tf.errors import one_line

_THIS_MACHINE = "DirectRunner"
_COUNTERS = "z2i"
# Maximum length of a failed pipeline's reason, characters.
_MAX_REASON = 300
# Suffix that Beam appends to an error.
_STEP = re.compile(r"\s*\[while running .*\]$")


class PerProcess(ModelHandler):
  """Loads a model once per process, and calls a function of the model and of each element.

  The networks see one photograph at a time, as in `z2i inpaint`.
  """

  def __init__(self, load: Callable[[], Any], run: Callable[[Any, Any], Any], size_bytes: Callable[[Any], int]):
    """Describes the calls, which must be picklable.

    Args:
      load: returns the model.
      run: (model, element) -> result.
      size_bytes: element -> its size, for Beam's metrics.
    """
    super().__init__(min_batch_size=1, max_batch_size=1)
    self._load, self._run, self._size_bytes = load, run, size_bytes

  def load_model(self) -> "_ModelHolder":
    return _ModelHolder(self._load())

  def run_inference(
    self, batch: Sequence[Any], model: "_ModelHolder", inference_args: dict[str, Any] | None = None
  ) -> list[Any]:
    del inference_args
    return [self._run(model.model, element) for element in batch]

  def get_num_bytes(self, batch: Sequence[Any]) -> int:
    return sum(map(self._size_bytes, batch))


class _ModelHolder:
  """Holds a model until the process ends: Beam would keep it longer, and TensorFlow's functions then print errors."""

  def __init__(self, model):
    self.model = model
    atexit.register(self._release)

  def _release(self):
    self.model = None


def count(name: str, amount: int = 1) -> None:
  """Adds to one of the counters that `run` returns, and that the runner's monitor shows below "z2i"."""
  Metrics.counter(_COUNTERS, name).inc(amount)


def options_of(flags: Sequence[str]) -> PipelineOptions:
  """Returns Beam's options.

  Args:
    flags: of Beam, such as "--runner=FlinkRunner". Without a runner, Beam runs on this machine.
  Raises: InputError for flags that Beam does not know, or that its runner refuses.
  """
  printed = io.StringIO()
  try:
    with contextlib.redirect_stderr(printed):
      options = PipelineOptions(list(flags))
      known = options.get_all_options()
      unknown = sorted(options.get_all_options(retain_unknown_options=True).keys() - known.keys())
  except SystemExit as error:
    reason = printed.getvalue().strip().rpartition("\n")[2]
    raise InputError(f"flags of Beam: {reason.partition('error: ')[2] or reason}") from error
  if unknown:
    raise InputError(f"flags of Beam: unknown --{unknown[0]}")
  for word in flags:
    if not word.startswith("-"):
      raise InputError(f"flags of Beam: {word!r} is no flag; write --name=value")
  standard = options.view_as(StandardOptions)
  standard.runner = standard.runner or _THIS_MACHINE
  if standard.runner == _THIS_MACHINE:
    # Keeps Beam from downloading Prism, a runner that takes this option's place by default; there are no triggers here.
    options.view_as(TypeOptions).allow_unsafe_triggers = True
  worker = options.view_as(WorkerOptions)
  worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or "ERROR"
  FileSystems.set_options(options)
  try:
    apache_beam.Pipeline(options=options)  # Finds the runner, and checks its options.
  except Exception as error:
    raise InputError(f"flags of Beam: {one_line(error)}") from error
  return options


def run(build: Callable[[apache_beam.Pipeline], Any], options: PipelineOptions) -> collections.Counter[str]:
  """Builds a pipeline, runs it and waits for its end.

  Args:
    build: adds the transforms to the pipeline.
    options: of Beam.
  Returns: the values of the counters by name.
  Raises: InputError if the pipeline fails.
  """
  pipeline = apache_beam.Pipeline(options=options)
  build(pipeline)
  try:
    result = pipeline.run()
    state = result.wait_until_finish()
  except Exception as error:  # Of the runner, or of a worker.
    raise _failure(error) from error
  if state not in (None, PipelineState.DONE):
    raise InputError(f"the pipeline ended as {state}; run it again")
  found = result.metrics().query(MetricsFilter().with_namespace(_COUNTERS))["counters"]
  counted: collections.Counter[str] = collections.Counter()
  for counter in found:  # One for each step that counts.
    counted[counter.key.metric.name] += counter.result
  return counted


def _failure(error: Exception) -> InputError:
  """Returns the error of a failed pipeline for the user. That of another process is the last line of its traceback."""
  lines = [_STEP.sub("", line.strip()) for line in str(error).splitlines() if line.strip()]
  is_of_process = any(line.startswith("Traceback (") for line in lines)
  reason = lines[-1] if is_of_process else " ".join(lines)
  of_user = f"{InputError.__module__}.{InputError.__qualname__}: "
  if isinstance(error, InputError):
    return InputError(reason)
  if is_of_process and of_user in reason:
    return InputError(reason.partition(of_user)[2])
  if not is_of_process:
    reason = f"{type(error).__name__}: {reason}"
  return InputError(f"the pipeline failed ({reason[:_MAX_REASON]}); run it again")

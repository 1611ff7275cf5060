"""Trains a stage in its work folder: restores, trains, measures, saves. It knows no particular network."""

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import dataclasses
import functools
import itertools
import math
import os
from typing import Any

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.models import model_weights
from z2i_tf.system.atomic_files import atomic_write
from z2i_tf.system.preemption import asked_to_stop
from z2i_tf.training import checkpoints
from z2i_tf.training import devices
from z2i_tf.training import work_dir
from z2i_tf.training.callbacks import Callbacks
from z2i_tf.training.callbacks import Scalars
from z2i_tf.training.loop import run_loop
from z2i_tf.training.metric_writers import MetricWriter
from z2i_tf.training.metric_writers import NoMetricWriter
from z2i_tf.training.optimizers import loss_scales
from z2i_tf.training.reporters import Reporter
from z2i_tf.training.skip_nonfinite import skip_nonfinite
from z2i_tf.training.stage import Stage
from z2i_tf.training.work_dir import writing_errors

# Number of validation images in TensorBoard's grid.
MAX_PICTURES = 4
_STOPPING = "stopping after this step, and saving; Ctrl-C again quits without saving"


@dataclasses.dataclass(frozen=True)
class RunResult:
  """Folders with the weights of a finished run.

  Attributes:
    work_dir: has the weights of the last step.
    best_dir: has the weights that measured best on the present validation images; None if none were measured on them.
    is_chief: whether this process writes the files; of several workers one does.
  """

  work_dir: str
  best_dir: str | None
  is_chief: bool


@dataclasses.dataclass(frozen=True)
class StageData:
  """Data sets of a stage.

  Attributes:
    training: (first example, number of this worker, number of workers) -> endless batches, this worker's shares of the
      global ones; global batch n has the examples first + n * batch size and following.
    validation: batches with fixed masks; the first gives the pictures.
    is_held_out: whether `validation` is separate from the training images; if not, it only supplies pictures.
    measured_on: identifies `validation`: the best measurement is forgotten when it changes.
    scalars: returns scalars about the data, to log as they are.
  """

  training: Callable[[int, int, int], tf.data.Dataset]
  validation: tf.data.Dataset
  is_held_out: bool
  measured_on: str = ""
  scalars: Callable[[], Scalars] = dict


class Trainer(Callbacks):
  """Trains a stage in `work_dir`: writes `config.json`, `checkpoints/`, `events/`, `log.csv` and model files.

  `model.npz` holds the weights of the last checkpoint and makes the work folder a model folder. `best/` is the
  model folder with the highest validation PSNR, `kept/step_N/` that of step N. With weight averages, these hold the
  averages; `raw/` holds the last checkpoint's own weights.
  """

  def __init__(
    self,
    stage: Stage,
    folder: str,
    settings: Mapping[str, Any],
    shown_settings: Mapping[str, Any],
    data: StageData,
    reporter: Reporter,
  ):
    """Stores the parts; reads and writes nothing yet.

    Args:
      stage: to train.
      folder: existing work folder, locked for this run (`work_dir.alone_in`); all workers see the same one.
      settings: settings that must not change when the run continues, JSON-compatible.
      shown_settings: all settings, for `config.json` and TensorBoard.
      data: to train and measure on.
      reporter: shows progress.
    """
    self._stage, self._work_dir, self._data, self._reporter = stage, folder, data, reporter
    self._settings, self._shown_settings = settings, shown_settings
    self._state = checkpoints.RunState()
    self._is_chief = devices.is_chief(stage.strategy)
    optimizers = {f"{name}_optimizer": optimizer for name, optimizer in stage.optimizers.items()}
    averages = {"averages": stage.averages.tracked} if stage.averages else {}
    self._checkpoints = checkpoints.Checkpoints(
      folder, {**stage.networks, **optimizers, **averages}, self._state, self._is_chief, reporter.say
    )
    self._writer: MetricWriter | NoMetricWriter = NoMetricWriter()
    # In the replicas' context every worker reads its own copy of batch norms' statistics, without communication.
    self._evaluate_batch = tf.function(
      lambda batch: stage.strategy.run(stage.step.evaluate, args=(batch,)), autograph=False
    )

  def run(self) -> RunResult:
    """Trains to the end of the stage, from the last checkpoint if there is one.

    Returns: the folders with the trained weights.
    Raises: InputError if no checkpoint can be restored, initial weights are missing, the folder cannot be written, or
      another worker has ended; Stopped after a signal.
    """
    stage, state = self._stage, self._state
    with devices.needing_other_workers(), asked_to_stop(_STOPPING) as stop_request:
      self._restore()
      if state.step >= stage.loop.iterations:
        self._reporter.say(f"{self._work_dir} is finished (step {stage.loop.iterations} of {stage.loop.iterations})")
      else:
        self._train(stop_request)
    best_dir = os.path.join(self._work_dir, work_dir.BEST_FOLDER)
    return RunResult(
      self._work_dir, best_dir if state.best is not None and os.path.isdir(best_dir) else None, self._is_chief
    )

  def _train(self, stop_request):
    """Trains the remaining steps."""
    stage, state = self._stage, self._state
    if self._is_chief:
      work_dir.record_settings(self._work_dir, self._shown_settings)
      self._writer = MetricWriter(self._work_dir, self._shown_settings, state.step, self._reporter)
    batches = devices.distributed_batches(
      stage.strategy, functools.partial(self._data.training, state.examples), stage.loop.batch_size
    )
    run_loop(stage.loop, iter(batches), self._train_step(), self, self._writer, state.step, stop_request, state.skipped)

  def _train_step(self):
    """Returns the step of all replicas; the remaining steps of the warm-up come first."""
    stage = self._stage
    steps = [
      skip_nonfinite(step, stage.strategy, stage.variables, stage.jit_compile)
      for step in ([stage.warm_up] if stage.warmup_steps else []) + [stage.train]
    ]
    remaining = itertools.chain(
      itertools.repeat(steps[0], max(0, stage.warmup_steps - self._state.step)), itertools.repeat(steps[-1])
    )
    return lambda batch, stop: next(remaining)(batch, stop)

  def evaluate(self, step: int) -> Scalars:
    with self._averaged():
      measured = self._means(self._data.validation if self._data.is_held_out else self._data.validation.take(1), step)
    if not self._data.is_held_out:
      return {}
    quality = devices.mean_over_workers(
      self._stage.strategy, measured[f"validation/psnr/{self._stage.step.main_output}"]
    )
    if math.isfinite(quality) and (self._state.best is None or quality > self._state.best):
      self._state.best = quality
      self._write_model_file(work_dir.BEST_FOLDER, step, psnr=quality)
    return measured

  def keep(self, step: int) -> None:
    self._write_model_file(os.path.join(work_dir.KEPT_FOLDER, f"step_{step}"), step)

  def save(self, step: int, skipped: int) -> None:
    state = self._state
    state.examples += (step - state.step) * self._stage.loop.batch_size
    state.step, state.skipped = step, skipped
    self._checkpoints.save()
    self._write_last_model_files(step)

  def keep_batch(self, step: int, batch: Mapping[str, np.ndarray]) -> str:
    worker = devices.worker_index(self._stage.strategy)
    path = os.path.join(self._work_dir, f"batch_{step}_worker_{worker}.npz" if worker else f"batch_{step}.npz")
    with writing_errors(path), atomic_write(path) as file:
      np.savez_compressed(file, **batch)
    return path

  def explain_skipping(self, scalars: Scalars) -> str:
    scales = [scale for optimizer in self._stage.optimizers.values() for scale in loss_scales(optimizer)]
    scale = max(scales, default=1.0)
    if scale <= 1.0 or not all(math.isfinite(value) for name, value in scalars.items() if name.startswith("loss/")):
      return ""
    return f"the scaled gradient overflows float16; the loss is scaled by {scale:g} from now on"

  def scalars(self) -> Scalars:
    scalars = dict(self._data.scalars())
    for name, optimizer in self._stage.optimizers.items():
      scalars[f"learning_rate/{name}"] = float(optimizer.learning_rate.numpy())
      scalars.update({f"loss_scale/{name}": scale for scale in loss_scales(optimizer)})
    return scalars

  def _restore(self):
    """Restores the last checkpoint, or loads the initial weights of a new run."""
    is_continued = self._checkpoints.restore()
    self._check_others_start_here()
    if is_continued:
      # A run killed between its last checkpoint and the model file has an older one, or none.
      self._write_last_model_files(self._state.step)
    else:
      self._stage.load_initial_weights()
      if self._stage.averages:
        self._stage.averages.start()
    if self._state.measured_on != self._data.measured_on:
      self._state.best, self._state.measured_on = None, self._data.measured_on
    self._state.settings = dict(self._settings)

  def _check_others_start_here(self):
    """Raises InputError if workers restored different steps: they do not see the same folder."""
    if devices.mean_over_workers(self._stage.strategy, float(self._state.step)) != self._state.step:
      raise InputError(
        f"`work_dir`={self._work_dir}: this worker starts at step {self._state.step}, others do not; "
        "all must see the same folder"
      )

  def _means(self, dataset, step) -> dict[str, float]:
    """Returns means over all images of the data set; writes the grid of its first images."""
    sums: dict[str, float] = {}
    count = 0
    for index, batch in enumerate(dataset):
      outputs, quality = tf.nest.map_structure(
        lambda value: self._stage.strategy.experimental_local_results(value)[0], self._evaluate_batch(batch)
      )
      if index == 0:
        self._writer.write_examples(step, _columns(batch, outputs, self._stage.step.shown))
      count += int(batch[conventions.IMAGE_LR].shape[0])
      for name, values in quality.items():
        sums[name] = sums.get(name, 0.0) + float(tf.reduce_sum(values))
    if not count:
      raise InputError("none of the images to measure on is usable")
    return {f"validation/{name}": total / count for name, total in sums.items()}

  def _averaged(self):
    """Puts the averages, if there are any, into the networks within the block."""
    return self._stage.averages.in_networks() if self._stage.averages else contextlib.nullcontext()

  def _write_last_model_files(self, step):
    """Writes the model files of the last checkpoint."""
    self._write_model_file("", step)
    if self._stage.averages:
      self._write_model_file(work_dir.RAW_FOLDER, step, averaged=False)

  def _write_model_file(self, folder: str, step: int, psnr: float | None = None, averaged: bool = True):
    """Writes the weights, averaged unless asked otherwise, as a model folder in the work folder.

    All workers take part; the chief writes.
    """
    with self._averaged() if averaged else contextlib.nullcontext():
      arrays = model_weights.read_arrays(self._stage.networks)
    if self._is_chief:
      path = os.path.join(self._work_dir, folder)
      work_dir.make_folder(path)
      measured = {} if psnr is None else {"validation_psnr": psnr}
      model_weights.write_model_file(path, arrays, {**self._stage.description, "step": step, **measured})


def _columns(batch, outputs, shown) -> dict[str, np.ndarray]:
  """Returns the columns of the grid of examples: input, outputs and original, of the first images of a batch."""
  label = batch[conventions.IMAGE_LR]
  masked = label * (1.0 - batch[conventions.MASK_LR])
  if shown == (conventions.ZOOMED,):
    label = batch[conventions.IMAGE_HR]
    columns = {"input": image_ops.upscale_nearest(masked, label.shape[1] // masked.shape[1])}
  else:
    columns = {"masked": masked}
  columns.update({name: outputs[name] for name in shown}, original=label)
  return {title: images[:MAX_PICTURES].numpy() for title, images in columns.items()}

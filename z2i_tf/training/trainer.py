"""A stage in its work folder: restores, trains, measures, saves. Knows no particular network."""

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
from z2i_tf.training import devices
from z2i_tf.training.checkpoints import RunCheckpoints
from z2i_tf.training.checkpoints import RunRecord
from z2i_tf.training.loop import run_loop
from z2i_tf.training.loop import Scalars
from z2i_tf.training.loop import StageActions
from z2i_tf.training.metric_writers import MetricWriter
from z2i_tf.training.metric_writers import NoMetricWriter
from z2i_tf.training.metric_writers import Reporter
from z2i_tf.training.precision import loss_scales
from z2i_tf.training.preemption import asked_to_stop
from z2i_tf.training.skip_nonfinite import guarded_step
from z2i_tf.training.stage import Stage
from z2i_tf.training.work_dir import BEST_FOLDER
from z2i_tf.training.work_dir import KEPT_FOLDER
from z2i_tf.training.work_dir import make_folder
from z2i_tf.training.work_dir import RAW_FOLDER
from z2i_tf.training.work_dir import record_settings
from z2i_tf.training.work_dir import writing_errors

# So many images of the validation data are shown.
MAX_PICTURES = 4

_STOPPING = "stopping after this step, and saving; Ctrl-C again quits without saving"


@dataclasses.dataclass(frozen=True)
class StageData:
  """What a stage trains and measures on.

  Attributes:
    training: (first example, number of this worker, number of workers) -> endless batches, this worker's shares of the
      global ones; global batch n has the examples first + n * batch size and following.
    validation: batches with fixed masks; the first gives the pictures.
    is_held_out: whether `validation` is no training data; otherwise pictures are shown and nothing is measured.
    measured_on: what tells `validation` from others: the best measurement counts for this.
    scalars: what is logged about the data, as it is.
  """

  training: Callable[[int, int, int], tf.data.Dataset]
  validation: tf.data.Dataset
  is_held_out: bool
  measured_on: str = ""
  scalars: Callable[[], Scalars] = dict


class StageRun(StageActions):
  """A run of a stage in `work_dir`: `config.json`, `checkpoints/`, `events/`, `log.csv`, and model files.

  `model.npz` holds the weights of the last checkpoint and makes the work folder a model folder; others are `best/`,
  with the weights that measured best, and `kept/step_N/`. If averages of the weights are kept, these are what is
  measured and what all of them hold; `raw/` then has the last checkpoint's own weights.
  """

  def __init__(
    self, stage: Stage, work_dir: str, settings: Mapping[str, Any], shown_settings: Mapping[str, Any], data: StageData
  ):
    """Stores the parts; nothing is read or written yet.

    Args:
      stage: what is trained.
      work_dir: exists, and is kept for this run (`work_dir.alone_in`); several workers see the same one.
      settings: what must not change when the run is continued, JSON-compatible.
      shown_settings: those and all others, for people.
      data: what it is trained on.
    """
    self._stage, self._work_dir, self._data = stage, work_dir, data
    self._settings, self._shown_settings = settings, shown_settings
    self._record = RunRecord()
    self._is_chief = devices.is_chief(stage.strategy)
    optimizers = {f"{name}_optimizer": optimizer for name, optimizer in stage.optimizers.items()}
    averages = {"averages": stage.averages.tracked} if stage.averages else {}
    self._checkpoints = RunCheckpoints(
      work_dir, {**stage.networks, **optimizers, **averages}, self._record, self._is_chief
    )
    self._writer = NoMetricWriter()
    # In the replicas' context every worker reads its own copy of batch norms' statistics: no worker waits for others.
    self._evaluate_batch = tf.function(
      lambda batch: stage.strategy.run(stage.step.evaluate, args=(batch,)), autograph=False
    )

  def run(self, reporter: Reporter) -> None:
    """Trains to the end of the stage, beginning at the last checkpoint if there is one.

    Raises: InputError if the last checkpoint cannot be restored, initial weights cannot be had, the folder cannot be
      written, or another worker is gone; Stopped after a signal.
    """
    stage, record = self._stage, self._record
    with devices.needing_other_workers(), asked_to_stop(_STOPPING) as interruption:
      self._restore()
      if record.step >= stage.loop.iterations:
        print(f"{self._work_dir} has its {stage.loop.iterations} steps already")
        return
      if self._is_chief:
        record_settings(self._work_dir, self._shown_settings)
        self._writer = MetricWriter(self._work_dir, self._shown_settings, record.step, reporter)
      batches = devices.distributed_batches(
        stage.strategy, functools.partial(self._data.training, record.examples), stage.loop.batch_size
      )
      run_loop(
        stage.loop, iter(batches), self._train_step(), self, self._writer, record.step, interruption, record.skipped
      )

  def _train_step(self):
    """Returns the step of all replicas; those of the warm-up that are still to be done come first."""
    stage = self._stage
    steps = [
      guarded_step(step, stage.strategy, stage.variables, stage.jit_compile)
      for step in ([stage.step.warm_up] if stage.warmup_steps else []) + [stage.train]
    ]
    left = itertools.chain(
      itertools.repeat(steps[0], max(0, stage.warmup_steps - self._record.step)), itertools.repeat(steps[-1])
    )
    return lambda batch, stop: next(left)(batch, stop)

  def evaluate(self, step: int) -> Scalars:
    with self._averaged():
      measured = self._means(self._data.validation if self._data.is_held_out else self._data.validation.take(1), step)
    if not self._data.is_held_out:
      return {}
    quality = devices.mean_over_workers(
      self._stage.strategy, measured[f"validation/psnr/{self._stage.step.main_stage}"]
    )
    if math.isfinite(quality) and (self._record.best is None or quality > self._record.best):
      self._record.best = quality
      self._write_model_file(BEST_FOLDER, step, psnr=quality)
    return measured

  def keep(self, step: int) -> None:
    self._write_model_file(os.path.join(KEPT_FOLDER, f"step_{step}"), step)

  def save(self, step: int, skipped: int) -> None:
    record = self._record
    record.examples += (step - record.step) * self._stage.loop.batch_size
    record.step, record.skipped = step, skipped
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
    """Restores the last checkpoint, or loads what a new run starts from."""
    is_continued = self._checkpoints.restore()
    self._check_others_start_here()
    if is_continued:
      # A run killed between its last checkpoint and the model file has an older one, or none.
      self._write_last_model_files(self._record.step)
    else:
      self._stage.load_initial_weights()
      if self._stage.averages:
        self._stage.averages.start()
    if self._record.measured_on != self._data.measured_on:
      self._record.best, self._record.measured_on = None, self._data.measured_on
    self._record.settings = dict(self._settings)

  def _check_others_start_here(self):
    """Workers that do not see the same folder would have restored different things."""
    if devices.mean_over_workers(self._stage.strategy, float(self._record.step)) != self._record.step:
      raise InputError(
        f"--work_dir={self._work_dir}: this worker starts at step {self._record.step}, others do not; "
        "all must see the same folder"
      )

  def _means(self, dataset, step) -> dict[str, float]:
    """Returns means over all images of the dataset, and writes the pictures of its first batch."""
    sums: dict[str, float] = {}
    count = 0
    for index, batch in enumerate(dataset):
      stages, quality = tf.nest.map_structure(
        lambda value: self._stage.strategy.experimental_local_results(value)[0], self._evaluate_batch(batch)
      )
      if index == 0:
        self._writer.write_examples(step, _columns(batch, stages, self._stage.step.shown))
      count += int(batch[conventions.IMAGE_LR].shape[0])
      for name, values in quality.items():
        sums[name] = sums.get(name, 0.0) + float(tf.reduce_sum(values))
    if not count:
      raise InputError("none of the images to measure on is usable")
    return {f"validation/{name}": total / count for name, total in sums.items()}

  def _averaged(self):
    """Within the block the networks hold the averages of their weights, if such are kept."""
    return self._stage.averages.in_networks() if self._stage.averages else contextlib.nullcontext()

  def _write_last_model_files(self, step):
    """Writes what belongs to the last checkpoint."""
    self._write_model_file("", step)
    if self._stage.averages:
      self._write_model_file(RAW_FOLDER, step, averaged=False)

  def _write_model_file(self, folder: str, step: int, psnr: float | None = None, averaged: bool = True):
    """Writes the weights, averaged if averages are kept, as a model folder within the work folder.

    All workers take part, the chief writes.
    """
    with self._averaged() if averaged else contextlib.nullcontext():
      arrays = model_weights.read_arrays(self._stage.networks)
    if self._is_chief:
      path = os.path.join(self._work_dir, folder)
      make_folder(path)
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

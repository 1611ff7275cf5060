"""A stage of training in its work folder: restores, trains, measures, saves. Knows no particular network."""

import glob
import json
import os
from typing import Any, Callable, Dict, Mapping, Protocol, Tuple

import tensorflow as tf

from z2i_tf import checkpoints
from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.loop import run_loop
from z2i_tf.training.loop import Scalars
from z2i_tf.training.summaries import SummaryWriter
from z2i_tf.training.work_dir import CHECKPOINT_FOLDER
from z2i_tf.training.work_dir import EVENTS_FOLDER
from z2i_tf.training.work_dir import record_settings
from z2i_tf.training.work_dir import writing_errors

_KEPT_CHECKPOINTS = 3
# So many images of the validation data are shown.
MAX_PICTURES = 4
# In initial weights: every network.
ALL = "all"

Tensors = Dict[str, tf.Tensor]


class Step(Protocol):
  """One update of some networks."""

  def __call__(self, batch: Tensors) -> Tensors:
    """Updates them with a replica's share of a batch; returns scalars whose sum over the replicas is the global one."""

  def evaluate(self, batch: Tensors) -> Tuple[Tensors, Tensors]:
    """Returns what the networks make of a batch, by names of `conventions.STAGES`, and quality, per image."""


def check_batch_size(loop: LoopConfig, strategy: tf.distribute.Strategy) -> None:
  """Raises InputError if the batch cannot be shared equally among the replicas."""
  replicas = strategy.num_replicas_in_sync
  if loop.batch_size % replicas:
    raise InputError(f"--batch_size={loop.batch_size} cannot be shared by {replicas} replicas")


def begin(loop: LoopConfig, strategy: tf.distribute.Strategy, seed: int) -> None:
  """To be called before networks are built: seeds their initial weights.

  Raises: InputError if the batch cannot be shared equally among the replicas.
  """
  check_batch_size(loop, strategy)
  keras.utils.set_random_seed(seed)


class Stage:
  """A stage in its work folder: `config.json`, `checkpoints/`, `events/`, and `model.npz`.

  `model.npz` holds the weights of the last checkpoint and makes the work folder a model folder.
  """

  def __init__(self, step: Step, networks: Mapping[str, Model], stage_optimizers: Mapping[str, optimizers.Optimizer],
               loop: LoopConfig, strategy: tf.distribute.Strategy, description: Mapping[str, Any],
               initial_weights: Mapping[str, str]):
    """Stores the parts, built under the strategy.

    Args:
      step: the update.
      networks: what is saved, by name in weight files.
      stage_optimizers: by name in checkpoints, with all their variables.
      loop: how long, and when to do what.
      strategy: devices.
      description: what the networks are, for the model file; JSON-compatible.
      initial_weights: network name, or "all" for every network -> model folder whose weights a new run starts from;
        weights only, no optimizer state.
    """
    self._step, self._networks, self._loop, self._strategy = step, dict(networks), loop, strategy
    self._description, self._initial_weights = description, initial_weights
    with strategy.scope():
      self._step_counter = tf.Variable(0, dtype=tf.int64, trainable=False)
      self._checkpoint = tf.train.Checkpoint(step=self._step_counter, **self._networks, **stage_optimizers)

  def run(self, work_dir: str, settings: Mapping[str, Any],
          make_batches: Callable[[int], tf.data.Dataset], validation: tf.data.Dataset,
          is_training_data: bool, more_scalars: Callable[[], Scalars] = dict) -> None:
    """Trains to the end of the stage, beginning at the last checkpoint in `work_dir` if there is one.

    Args:
      work_dir: as `check_work_dir` wants it.
      settings: recorded in `config.json` when the run begins.
      make_batches: start step -> endless dataset of global batches.
      validation: batches with fixed masks; the first gives the pictures.
      is_training_data: whether `validation` was taken from the training data; then its first batch is
        shown and nothing is measured on it.
      more_scalars: as for `run_loop`.
    Raises: InputError if the last checkpoint cannot be restored, initial weights cannot be had, or the
      folder cannot be written.
    """
    manager = self._checkpoint_manager(work_dir)
    start_step = self._restore(manager, work_dir)
    if not start_step:
      self._load_initial_weights(self._initial_weights)
      record_settings(work_dir, settings)
    elif start_step >= self._loop.iterations:
      print(f"{work_dir} has its {self._loop.iterations} steps already")
      return
    writer = SummaryWriter(os.path.join(work_dir, EVENTS_FOLDER))
    writer.write_text(start_step, "config", f"```\n{json.dumps(settings, indent=2)}\n```")
    batches = self._strategy.experimental_distribute_dataset(make_batches(start_step))

    @tf.function
    def train_step(batch):
      scalars = self._strategy.run(self._step, args=(batch,))
      return {name: self._strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
              for name, value in scalars.items()}

    evaluate_batch = tf.function(self._step.evaluate)

    def evaluate(step):
      shown = validation.take(1) if is_training_data else validation
      means = _evaluate(shown, evaluate_batch, step, writer)
      return {} if is_training_data else means

    def save(step):
      self._step_counter.assign(step)
      with writing_errors(work_dir):
        manager.save(checkpoint_number=step)
      self.write_model_file(work_dir, step)

    run_loop(self._loop, batches, train_step, evaluate, save, writer, start_step, more_scalars)

  def write_model_file(self, folder: str, step: int) -> None:
    """Writes the present weights as `folder/model.npz`."""
    checkpoints.write_model_file(
        folder, checkpoints.read_arrays(self._networks),
        {**self._description, "step": step})

  def _load_initial_weights(self, folders):
    if ALL in folders:
      folders = dict.fromkeys(self._networks, folders[ALL])
    for name, folder in folders.items():
      if name not in self._networks:
        raise InputError(f"--init_{name}={folder}: the model to train has no such network")
      arrays, _ = checkpoints.read_model_file(folder)
      checkpoints.assign_arrays({name: self._networks[name]}, arrays, folder)

  def _checkpoint_manager(self, work_dir) -> tf.train.CheckpointManager:
    folder = os.path.join(work_dir, CHECKPOINT_FOLDER)
    try:
      manager = tf.train.CheckpointManager(
          self._checkpoint, folder, max_to_keep=_KEPT_CHECKPOINTS, step_counter=self._step_counter)
    except ValueError as error:
      raise InputError(f"{folder}/checkpoint: this list of the folder's checkpoints is damaged; mend it, or give "
                       "another --work_dir") from error
    if not manager.checkpoints and glob.glob(os.path.join(folder, "*.index")):
      raise InputError(f"{folder}: there are checkpoints, but the file 'checkpoint' that lists them is missing "
                       "or empty; put it back, or give another --work_dir")
    return manager

  def _restore(self, manager, work_dir) -> int:
    """Restores everything from the newest checkpoint that can be read; returns its step, 0 if none exists."""
    for path in reversed(manager.checkpoints):
      try:
        self._checkpoint.restore(path).assert_consumed()
      except (tf.errors.OpError, AssertionError, IndexError, ValueError) as error:
        print(f"{path} is damaged or of other networks ({type(error).__name__}); trying the one before")
        continue
      step = int(self._step_counter.numpy())
      print(f"continuing from {path}")
      # A run killed between its last checkpoint and the model file has an older one, or none.
      self.write_model_file(work_dir, step)
      return step
    if manager.checkpoints:
      raise InputError(f"{manager.latest_checkpoint}: neither this checkpoint nor one before it can be restored; "
                       "give another --work_dir")
    return 0


def _evaluate(dataset, evaluate_batch, step, writer):
  """Returns means over all images of the dataset, and writes the pictures of its first batch."""
  sums: Dict[str, float] = {}
  count = 0
  for index, batch in enumerate(dataset):
    stages, quality = evaluate_batch(batch)
    if index == 0:
      writer.write_pictures(step, _pictures(batch, stages))
    count += int(batch[conventions.IMAGE_LR].shape[0])
    for name, values in quality.items():
      sums[name] = sums.get(name, 0.0) + float(tf.reduce_sum(values))
  return {f"validation/{name}": total / count for name, total in sums.items()}


def _pictures(batch, stages) -> Mapping[str, tf.Tensor]:
  """Input, label and the stages of the first images of a batch."""
  known = batch[conventions.IMAGE_LR] * (1.0 - batch[conventions.MASK_LR])
  shown = {"0_masked_input": known, "0_label": batch[conventions.IMAGE_LR]}
  if batch[conventions.IMAGE_HR].shape != batch[conventions.IMAGE_LR].shape:
    shown["0_label_hr"] = batch[conventions.IMAGE_HR]
  shown.update((f"{number}_{name}", stages[name])
               for number, name in enumerate(conventions.STAGES, start=1) if name in stages)
  return {f"stages/{name}": images[:MAX_PICTURES] for name, images in shown.items()}

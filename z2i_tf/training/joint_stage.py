"""The joint stage: builds networks, optimizers and step under a strategy, and runs the loop."""

import dataclasses
import glob
import json
import os
from typing import Any, Callable, Dict, Mapping

import tensorflow as tf

from z2i_tf import checkpoints
from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.keras_api import keras
from z2i_tf.losses.perceptual import vgg19_features
from z2i_tf.models.blocks import check_width
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training.config import LossWeights
from z2i_tf.training.config import OptimizerConfig
from z2i_tf.training.joint_step import JointStep
from z2i_tf.training.loop import LoopConfig
from z2i_tf.training.loop import run_loop
from z2i_tf.training.loop import Scalars
from z2i_tf.training.schedules import adam
from z2i_tf.training.summaries import SummaryWriter
from z2i_tf.training.work_dir import CHECKPOINT_FOLDER
from z2i_tf.training.work_dir import EVENTS_FOLDER
from z2i_tf.training.work_dir import record_settings
from z2i_tf.training.work_dir import writing_errors

_KEPT_CHECKPOINTS = 3
# So many images of the validation data are shown.
MAX_PICTURES = 4
_ALL = "all"


@dataclasses.dataclass(frozen=True)
class JointStageConfig:
  """Everything about a joint stage but its data.

  Attributes:
    model: of the generator's networks.
    discriminator_width: channels of its first convolution.
    loss_weights: of the loss terms.
    optimizer: learning rates and their schedule.
    vgg_weights: "imagenet" or a file; not looked at where both VGG weights are 0.
    seed: of the initial weights.
    initial_weights: network name, or "all" for every network of the model -> model folder whose weights
      a new run starts from; weights only, no optimizer state.
  """
  model: ModelConfig
  discriminator_width: int
  loss_weights: LossWeights
  optimizer: OptimizerConfig
  vgg_weights: str
  seed: int
  initial_weights: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    check_width(self.discriminator_width)
    counted = dataclasses.asdict(self.loss_weights)
    if self.model.zoom != "sr":
      counted.pop("weight_l1_sr")
    if not any(counted.values()):
      raise ValueError(f"With zoom={self.model.zoom!r} all weights of the loss are 0: nothing would be trained.")


class JointStage:
  """A joint stage in its work folder: `config.json`, `checkpoints/`, `events/`, and `model.npz`.

  `model.npz` holds the weights of the last checkpoint, the discriminator's included, and makes the work
  folder a model folder. Creating the stage builds the networks; `run` restores and trains.
  """

  def __init__(self, config: JointStageConfig, loop: LoopConfig, strategy: tf.distribute.Strategy):
    """Builds networks and optimizers under the strategy.

    Raises: InputError if the batch cannot be shared equally among the replicas, or VGG's weights cannot
      be had.
    """
    replicas = strategy.num_replicas_in_sync
    if loop.batch_size % replicas:
      raise InputError(f"--batch_size={loop.batch_size} cannot be shared by {replicas} replicas")
    keras.utils.set_random_seed(config.seed)
    self._config, self._loop, self._strategy = config, loop, strategy
    weights = config.loss_weights
    with strategy.scope():
      self._inpainter = ZoomInpainter(config.model)
      discriminator = (
          patch_discriminator(config.discriminator_width) if weights.use_discriminator else None)
      self._networks = dict(self._inpainter.networks)
      optimizers = {"generator_optimizer": adam(config.optimizer)}
      optimizers["generator_optimizer"].build(self._inpainter.trainable_variables)
      if discriminator is not None:
        self._networks[conventions.DISCRIMINATOR] = discriminator
        optimizers["discriminator_optimizer"] = adam(config.optimizer)
        optimizers["discriminator_optimizer"].build(discriminator.trainable_variables)
      self._step = JointStep(
          self._inpainter, discriminator,
          vgg19_features(config.vgg_weights) if weights.use_vgg else None, weights,
          optimizers["generator_optimizer"], optimizers.get("discriminator_optimizer"),
          loop.batch_size, config.optimizer.gradient_clip_norm)
      self._step_counter = tf.Variable(0, dtype=tf.int64, trainable=False)
      self._checkpoint = tf.train.Checkpoint(step=self._step_counter, **self._networks, **optimizers)

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
      self._load_initial_weights(self._config.initial_weights)
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
        {"model": dataclasses.asdict(self._config.model), "step": step})

  def _load_initial_weights(self, folders):
    if _ALL in folders:
      folders = dict.fromkeys(self._networks, folders[_ALL])
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
  """Input, label and every stage of the first images of a batch."""
  known = batch[conventions.IMAGE_LR] * (1.0 - batch[conventions.MASK_LR])
  shown = {"0_masked_input": known, "0_label": batch[conventions.IMAGE_LR]}
  shown.update((f"{number}_{name}", stages[name])
               for number, name in enumerate(conventions.STAGES, start=1))
  return {f"stages/{name}": images[:MAX_PICTURES] for name, images in shown.items()}

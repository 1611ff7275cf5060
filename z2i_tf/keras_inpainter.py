"""The generator as a Keras model: compile, fit, evaluate, predict, save, and write a model folder.

It trains with the steps and the pixel losses of `z2i train`. Only `z2i train` has the discriminator, the perceptual
network, resumed runs, averages of weights and several machines.
"""

from collections.abc import Mapping
import dataclasses
import os
import types
from typing import Any

import tensorflow as tf

from z2i_tf import conventions
from z2i_tf.errors import InputError
from z2i_tf.inference import bundled_models
from z2i_tf.inference import model_store
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import Mean
from z2i_tf.keras_api import optimizers
from z2i_tf.keras_api import register_serializable
from z2i_tf.losses.terms import LOSS_TERMS
from z2i_tf.losses.terms import LossWeights
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models import zoom_inpainter
from z2i_tf.models.architecture import DEFAULT_MAX_THICKNESS_PX
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.blocks import freeze_batch_norms
from z2i_tf.training.joint_step import JointStep
from z2i_tf.training.stage_config import check_l1_normalization
from z2i_tf.training.stage_config import OVER_IMAGE

# Weights of the terms that need a network outside the generator.
_OTHER_WEIGHTS = tuple(
  term.weight_name for term in LOSS_TERMS if term.feature_label or term.network == conventions.DISCRIMINATOR
)
# The paper's weights of the terms on pixels.
PIXEL_LOSSES = LossWeights(**dict.fromkeys(_OTHER_WEIGHTS, 0.0))
_TOTAL = "loss/generator"
# Names of the metrics that Keras reports.
_REPORTED = (
  "loss",
  *(term.name for term in LOSS_TERMS if term.weight_name not in _OTHER_WEIGHTS),
  "hole_ratio",
  "hole_psnr_result",
  "hole_l1_result",
  *(
    f"{measure}_{output}"
    for measure in ("psnr", "ssim", "l1")
    for output in (conventions.RESULT, conventions.COMPOSED_HR)
  ),
)


def load_model(model: str | os.PathLike = bundled_models.DEFAULT) -> "ZoomInpainter":
  """Loads a trained generator as a Keras model.

  Args:
    model: name of a bundled model, or a folder with `model.npz`.
  Raises: InputError if there is no such model, or its file is damaged.
  """
  return model_store.load_model(os.fspath(model), ZoomInpainter)


@register_serializable(package="z2i_tf")
class ZoomInpainter(zoom_inpainter.ZoomInpainter):
  """The whole generator as a Keras model; see `models.zoom_inpainter.ZoomInpainter` for inputs and outputs.

  `z2i_tf.training_dataset` makes the batches for `fit` and `evaluate`: dicts of "image_lr" and "image_hr" in [0, 1]
  and "mask_lr", 1 = hole. Keras reports:
    loss: weighted sum of the terms.
    l1_coarse, l1_sr, l1_refine, gradient: the terms, unweighted.
    psnr_result, psnr_composed_hr: dB; with `evaluate` also ssim_*, l1_*, and hole_psnr_result, hole_l1_result.
    gradient_norm_*: norm of each network's gradient before clipping, in training only.
  """

  def __init__(self, config: ModelConfig = ModelConfig(), max_thickness_px: float = DEFAULT_MAX_THICKNESS_PX, **kwargs):
    """Builds the networks with random weights.

    Args:
      config: configuration of the networks.
      max_thickness_px: maximum thickness of the holes that they fill; saved with the weights.
    """
    super().__init__(config, **kwargs)
    self.max_thickness_px = max_thickness_px
    # Hidden from Keras, which would count and save the variables of metrics that it finds in a dict.
    self._run = types.SimpleNamespace(means={}, settings={})

  def get_config(self) -> dict[str, Any]:
    return {**super().get_config(), "max_thickness_px": self.max_thickness_px}

  def compile(
    self,
    optimizer: str | optimizers.Optimizer = "adam",
    loss_weights: LossWeights = PIXEL_LOSSES,
    l1_normalization: str = OVER_IMAGE,
    gradient_clip_norm: float = 0.0,
    freeze_batch_norm: bool = False,
    **kwargs,
  ) -> None:
    """Configures how `fit` trains.

    Args:
      optimizer: a Keras 2 optimizer, or its name.
      loss_weights: of the pixel terms; those of the VGG and the adversarial terms must be 0.
      l1_normalization: whether the L1 of the fills is a mean over the "image" or over the "hole".
      gradient_clip_norm: maximum global norm of the gradient, which is scaled down to it; 0 = no clipping.
      freeze_batch_norm: whether batch norms normalise by their moving statistics and keep them unchanged; helps with
        small batches.
      **kwargs: Keras' execution options `run_eagerly`, `jit_compile`, `steps_per_execution`.
    Raises: ValueError for a positive weight of another term, an argument that has no effect here, or networks without
      batch norms to freeze.
    """
    unknown = set(kwargs) - {"run_eagerly", "jit_compile", "steps_per_execution"}
    if unknown:
      raise ValueError(
        f"The losses are those of the package, see `loss_weights`. Received: {', '.join(sorted(unknown))}"
      )
    if not isinstance(loss_weights, LossWeights) or loss_weights.use_perceptual or loss_weights.use_discriminator:
      raise ValueError(
        f"loss_weights must be LossWeights with {', '.join(_OTHER_WEIGHTS)} of 0; z2i train has these terms. "
        f"Received: {loss_weights}"
      )
    check_l1_normalization(l1_normalization)
    for network in (self.coarse_net, self.refinement_net):
      freeze_batch_norms(network, freeze_batch_norm)
    self._run.settings = {
      "loss_weights": dataclasses.asdict(loss_weights),
      "l1_normalization": l1_normalization,
      "gradient_clip_norm": gradient_clip_norm,
      "freeze_batch_norm": freeze_batch_norm,
    }
    with self.distribute_strategy.scope():
      names = [*_REPORTED, *("gradient_norm_" + name for name in self.networks)]
      self._run.means = {name: Mean(name=name) for name in names}
    super().compile(optimizer=optimizer, **kwargs)

  def get_compile_config(self) -> dict[str, Any] | None:
    """Returns the arguments of `compile`, JSON-compatible; None if it was never called."""
    settings = self._run.settings
    return {**settings, "optimizer": optimizers.serialize(self.optimizer)} if settings else None

  def compile_from_config(self, config: Mapping[str, Any]) -> None:
    """Calls `compile` with the result of `get_compile_config`, and creates the optimizer's variables."""
    self.compile(
      **{
        **config,
        "optimizer": optimizers.deserialize(config["optimizer"]),
        "loss_weights": LossWeights(**config["loss_weights"]),
      }
    )
    self.optimizer.build([variable for network in self.networks.values() for variable in network.trainable_variables])

  @property
  def metrics(self) -> list[Mean]:
    """The means that Keras resets at the start of each epoch."""
    return list(self._run.means.values())

  def train_step(self, data: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Updates all networks once, as `z2i train` does; returns the means over the epoch so far."""
    data = _batch(data)
    return self._reported(self._step(data)(data), data)

  def test_step(self, data: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns the mean losses and image quality of the evaluation so far, without training."""
    data = _batch(data)
    step = self._step(data)
    outputs, quality = step.evaluate(data)
    means = {name: tf.reduce_mean(values) / self._replicas for name, values in quality.items()}
    return self._reported({**step.losses(outputs, data), **means}, data)

  def save_model_folder(self, folder: str | os.PathLike) -> str:
    """Writes the weights as `folder/model.npz`, which the `z2i` command and `Inpainter.load` accept as a model.

    Args:
      folder: created if missing; an existing model in it is replaced.
    Returns: the path of the file.
    Raises: InputError if it cannot be written.
    """
    folder = os.fspath(folder)
    try:
      os.makedirs(folder, exist_ok=True)
    except OSError as error:
      raise InputError(f"{folder}: cannot write the model: {error.strerror or error}") from error
    return model_weights.write_model_file(
      folder, model_weights.read_arrays(self.networks), architecture.describe(self.model_config, self.max_thickness_px)
    )

  @property
  def _replicas(self):
    return tf.distribute.get_replica_context().num_replicas_in_sync

  def _step(self, data):
    """Returns the update for batches of this size."""
    settings, batch_size = self._run.settings, _count(data) * self._replicas
    return JointStep(
      self,
      None,
      None,
      LossWeights(**settings["loss_weights"]),
      self.optimizer,
      None,
      batch_size,
      settings["gradient_clip_norm"],
      settings["l1_normalization"],
    )

  def _reported(self, scalars, data):
    """Updates the means with scalars whose sum over the replicas is the global value; returns them by Keras' names."""
    reported = {}
    for name, value in scalars.items():
      key = "loss" if name == _TOTAL else name.removeprefix("loss/").replace("/", "_")
      mean = self._run.means[key]
      mean.update_state(value * self._replicas, _count(data))
      reported[key] = mean.result()
    return reported


def _batch(data):
  """Returns the dict that Keras gives to a step; raises ValueError for anything else."""
  inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
  if not isinstance(inputs, Mapping) or targets is not None or weights is not None:
    raise ValueError(
      "Batches are dicts of image_lr, image_hr and mask_lr, as z2i_tf.training_dataset makes them, without "
      f"targets and weights. Received: {type(data).__name__} with {type(inputs).__name__}"
    )
  return inputs


def _count(data):
  """Returns the number of examples in the replica's share, float32."""
  return tf.cast(tf.shape(data[conventions.MASK_LR])[0], tf.float32)

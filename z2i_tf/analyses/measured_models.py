"""Loads or builds the models that `z2i complexity` measures, and describes the machine."""

from collections.abc import Iterable
from collections.abc import Mapping
import functools
import os
from typing import Any, cast

import cv2
import tensorflow as tf

from z2i_tf.analyses.complexity import Method
from z2i_tf.inference import model_store
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.inference.keras_generator import build_generator
from z2i_tf.inference.predictors import GeneratorPredictor
from z2i_tf.inference.predictors import Predictor
from z2i_tf.keras_api import keras
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.system import devices
from z2i_tf.system import processor

_FLOAT32 = "float32"


def add_trained(
  name: str,
  model: str,
  precision: str,
  size: tuple[int, int],
  models: dict[str, dict[str, Any]],
  methods: dict[str, Method],
) -> None:
  """Adds a trained model to `models` and, for each precision, to `methods`.

  Args:
    name: of the model in the tables.
    model: see `model_store.load_predictor`.
    precision: measured besides float32; SavedModels and models of other methods are measured in their own only.
    size: height and width of the images, pixels.
    models: name -> description, extended.
    methods: name with precision -> function that fills a hole, extended.
  Raises: InputError if the model cannot be loaded.
  """
  precisions = [None] if model_store.has_own_precision(model) else _precisions(precision)
  predictors = [model_store.load_predictor(model, chosen) for chosen in precisions]
  models[name] = {"hash": model_store.content_hash(model), **_describe(predictors[0], size)}
  _add_methods(name, predictors, methods)


def add_random(
  config: ModelConfig,
  precision: str,
  seed: int,
  size: tuple[int, int],
  models: dict[str, dict[str, Any]],
  methods: dict[str, Method],
) -> None:
  """Adds a model with random weights drawn from `seed`; see `add_trained` for the other arguments."""
  name = f"random weights, width {config.width}"
  if config.architecture != architecture.ZOOM_INPAINT:
    name += f", {config.architecture}"
  if config.sr_width != config.width and config.zoom == "sr":
    name += f", SR {config.sr_width}"
  if config.zoom != "sr":
    name += f", zoom {config.zoom}"
  if config.scale not in (1, 2):
    name += f", scale {config.scale}"
  keras.utils.set_random_seed(seed)
  arrays = model_weights.read_arrays(ZoomInpainter(config).networks)
  predictors = [GeneratorPredictor(build_generator(config, arrays, chosen)) for chosen in _precisions(precision)]
  models[name] = {"seed": seed, **_describe(predictors[0], size)}
  _add_methods(name, predictors, methods)


def measured_on() -> dict[str, str]:
  """Describes the hardware and threads that times depend on.

  Call it before TensorFlow takes a GPU's memory.
  """
  gpus = [f"{device.name} {device.model}".strip() for device in devices.list_devices() if device.name.startswith("GPU")]
  threads = tf.config.threading.get_intra_op_parallelism_threads() or os.environ.get("TF_NUM_INTRAOP_THREADS")
  return {
    "device of the models": ", ".join(gpus[:1]) or "CPU",
    "processor": processor.model_name(),
    "usable cores": str(processor.usable_cores()),
    "threads of an operation": str(threads or f"TensorFlow's choice ({processor.usable_cores()})"),
    "OpenCV's threads": str(cv2.getNumThreads()),
  }


def _precisions(precision: str) -> list[str]:
  return [_FLOAT32] if precision == _FLOAT32 else [_FLOAT32, precision]


def _describe(predictor: Predictor, size: tuple[int, int]) -> dict[str, Any]:
  flops = predictor.count_flops(*size)
  return {
    **predictor.settings,
    "parameters": _with_total(predictor.count_parameters()),
    **({"flops": _with_total(flops)} if flops else {}),
  }


def _with_total(counts: Mapping[str, float]) -> dict[str, float]:
  return {"total": sum(counts.values()), **counts}


def _add_methods(name: str, predictors: Iterable[Predictor], methods: dict[str, Method]) -> None:
  for predictor in predictors:
    methods[f"{name}, {predictor.precision}"] = cast(Method, functools.partial(Inpainter(predictor), native=True))

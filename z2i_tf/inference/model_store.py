"""Finds and loads trained models: bundled ones by name, others by folder."""

from collections.abc import Callable
import hashlib
import os

from z2i_tf.errors import InputError
from z2i_tf.inference.bundled_models import existing_folder
from z2i_tf.inference.bundled_models import model_folder
from z2i_tf.inference.foreign import adapters
from z2i_tf.inference.foreign import predictor as foreign
from z2i_tf.inference.foreign import runtimes
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.keras_generator import build_generator
from z2i_tf.inference.predictors import GeneratorPredictor
from z2i_tf.inference.predictors import Predictor
from z2i_tf.inference.predictors import SAVED_MODEL_FILE
from z2i_tf.inference.predictors import SavedModelPredictor
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.system import input_files


def load_model(
  model: str, build: Callable[[ModelConfig, float], ZoomInpainter] = lambda config, _: ZoomInpainter(config)
) -> ZoomInpainter:
  """Loads a trained generator as a Keras model.

  Args:
    model: name of a bundled model, or a folder with `model.npz`.
    build: creates the Keras model for a configuration and the thickness of holes that it fills, pixels.
  Raises: InputError if there is no such model, its file is damaged or incomplete, or the file of a bundled model is not
    the released one.
  """
  config, max_thickness_px, arrays, folder = _read(model)
  inpainter = build(config, max_thickness_px)
  model_weights.assign_arrays(inpainter.networks, arrays, folder)
  return inpainter


def load_generator(model: str, precision: str = "float32") -> Generator:
  """Loads a trained generator for inference; errors as `load_model`.

  Args:
    model: name of a bundled model, or a folder with `model.npz`.
    precision: "float32" or "bfloat16".
  """
  config, max_thickness_px, arrays, folder = _read(model)
  return build_generator(config, arrays, precision, folder, max_thickness_px)


def load_predictor(model: str, precision: str | None = None) -> Predictor:
  """Loads a model for inference.

  Args:
    model: name of a bundled model; a folder with `model.npz` or a SavedModel of `z2i export`; or the model of another
      method, as in `adapters.find`.
    precision: "float32" or "bfloat16"; None: float32, or a SavedModel's or another method's model's own precision.
  Raises: InputError as `load_model`, and if a model that has its own precision has another.
  """
  other = foreign.load(model, precision)
  if other:
    return other
  folder = model_folder(model)
  if os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE)):
    return SavedModelPredictor(folder, precision)
  return GeneratorPredictor(load_generator(model, precision or "float32"))


def content_hash(model: str) -> str:
  """Returns the SHA-256 of a model's weights, in hexadecimal.

  Args:
    model: as `load_predictor`. The hash of a SavedModel, or of a folder of several networks, covers all its files and
      their names; that of another method's model covers its adapter, and the files with an ONNX file's external data.
  Raises: InputError if they cannot be read.
  """
  found = adapters.find(model)
  if found:
    hashes = [_file_hash(each) if os.path.isfile(each) else _folder_hash(each) for each in found]
    if found[1].lower().endswith(".onnx"):
      hashes += map(_file_hash, runtimes.external_files(found[1]))
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()
  folder = model_folder(model)
  if os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE)):
    return _folder_hash(folder)
  return _file_hash(os.path.join(folder, model_weights.MODEL_FILE))


def has_own_precision(model: str) -> bool:
  """Returns whether a model has a fixed precision, as SavedModels and models of other methods do.

  Args, Raises: as `load_predictor`.
  """
  return bool(adapters.find(model)) or os.path.isfile(os.path.join(model_folder(model), SAVED_MODEL_FILE))


def _file_hash(path):
  try:
    return input_files.sha256(path)
  except OSError as error:
    raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _folder_hash(folder):
  def raise_error(error):
    raise error

  try:
    walk = os.walk(folder, onerror=raise_error)
    paths = sorted(os.path.join(parent, name) for parent, _, names in walk for name in names)
    lines = [f"{os.path.relpath(path, folder)} {input_files.sha256(path)}" for path in paths]
  except OSError as error:
    raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
  return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def store_max_thickness(folder: str, max_thickness_px: float) -> None:
  """Stores the thickness of the holes that a model fills in its file.

  Args:
    folder: contains `model.npz`, which is replaced.
    max_thickness_px: at least 1.
  Raises: ValueError if it is below 1; InputError if the folder has no model file, or cannot be written.
  """
  if not max_thickness_px >= 1:
    raise ValueError(f"`max_thickness_px` must be at least 1. Received: {max_thickness_px}")
  arrays, config = model_weights.read_model_file(folder)
  config.pop("format_version")
  model_weights.write_model_file(folder, arrays, {**config, "max_thickness_px": float(max_thickness_px)})


def _read(model):
  """Returns the configuration, the maximum thickness of holes, the arrays and the folder of a model."""
  if adapters.find(model):
    raise InputError(f"`model`={model}: a model of another method can only fill holes")
  folder = existing_folder(model)
  if os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE)):
    raise InputError(f"{folder}: a SavedModel can only fill holes; give the model that it was exported from")
  arrays, config = model_weights.read_model_file(folder)
  if "pretrained" in config:
    network = next(iter(arrays), "").partition("/")[0]
    if not network:
      raise InputError(f"{folder}: the model's file has no weights")
    raise InputError(
      f"{folder}: the {network} network alone, from z2i pretrain, cannot fill holes; start z2i train with "
      f"`init_{network}`={folder}"
    )
  try:
    return *architecture.read_description(config), arrays, folder
  except (KeyError, TypeError, ValueError) as error:
    raise InputError(f"{folder}: the model's configuration cannot be used: {error}") from error

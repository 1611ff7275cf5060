"""Finds and loads trained models: bundled ones by name, others by folder."""

from collections.abc import Callable
import hashlib
import os

from z2i_tf.errors import InputError
from z2i_tf.inference.bundled_models import bundled_names
from z2i_tf.inference.bundled_models import DEFAULT  # noqa: F401  Of those who load models.
from z2i_tf.inference.bundled_models import model_folder
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.generator import max_thickness
from z2i_tf.inference.generator import with_max_thickness
from z2i_tf.inference.predictor import Predictor
from z2i_tf.inference.saved_model_predictor import SAVED_MODEL_FILE
from z2i_tf.inference.saved_model_predictor import SavedModelPredictor
from z2i_tf.models import model_weights
from z2i_tf.models.zoom_inpainter import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.system import input_files


def load_model(
  model: str, build: Callable[[ModelConfig, float], ZoomInpainter] = lambda config, _: ZoomInpainter(config)
) -> ZoomInpainter:
  """Loads a trained generator as a Keras model.

  Args:
    model: name of a bundled model, or a folder with `model.npz`.
    build: makes it of its configuration and the thickness of holes that it fills, pixels.
  Raises: InputError if there is no such model, its file is damaged or incomplete, or a bundled one's is not the
    released one.
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
  return Generator(config, arrays, precision, folder, max_thickness_px)


def load_predictor(model: str, precision: str | None = None) -> Predictor | SavedModelPredictor:
  """Loads what fills holes; arguments and errors as `load_generator`, but for a SavedModel.

  Args:
    model: as of `load_generator`, or a folder with a SavedModel, whose precision is its own.
    precision: as of `load_generator`; None: that of the SavedModel, or float32.
  Raises: InputError also if a SavedModel has another precision.
  """
  if os.path.isfile(os.path.join(model, SAVED_MODEL_FILE)):
    return SavedModelPredictor(model, precision)
  return Predictor(load_generator(model, precision or "float32"))


def content_hash(model: str) -> str:
  """Returns the SHA-256 of a model's weights, in hexadecimal.

  Args:
    model: as of `load_predictor`. Of a SavedModel all files count, with their names.
  Raises: InputError if they cannot be read.
  """
  folder = model_folder(model)
  try:
    if not os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE)):
      return input_files.sha256(os.path.join(folder, model_weights.MODEL_FILE))
    paths = sorted(os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    lines = [f"{os.path.relpath(path, folder)} {input_files.sha256(path)}" for path in paths]
  except OSError as error:
    raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
  return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def store_max_thickness(folder: str, max_thickness_px: float) -> None:
  """Writes into a model file up to which thickness its networks fill holes.

  Args:
    folder: with `model.npz`, which is written anew.
    max_thickness_px: at least 1.
  Raises: InputError if the folder has no model file, or cannot be written.
  """
  arrays, config = model_weights.read_model_file(folder)
  config.pop("format_version")
  model_weights.write_model_file(folder, arrays, with_max_thickness(config, max_thickness_px))


def _read(model):
  """Returns the configuration, the largest thickness of holes, the arrays and the folder of a model."""
  folder = model_folder(model)
  if not os.path.isdir(folder):
    raise InputError(f"--model={model}: no such folder, and not a bundled model ({', '.join(bundled_names())})")
  if os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE)):
    raise InputError(f"{folder}: a SavedModel, which can only fill holes; give the model that it was exported from")
  arrays, config = model_weights.read_model_file(folder)
  if "pretrained" in config:
    network = next(iter(arrays)).partition("/")[0]
    raise InputError(
      f"{folder}: the {network} network alone, from z2i pretrain, which cannot fill holes; z2i train "
      f"--init_{network}={folder} makes a model of it"
    )
  try:
    return ModelConfig(**config["model"]), max_thickness(config), arrays, folder
  except (KeyError, TypeError, ValueError) as error:
    raise InputError(f"{folder}: the model's configuration cannot be used: {error}") from error

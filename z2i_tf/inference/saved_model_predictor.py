"""Runs a SavedModel of `z2i export` in place of a model folder."""

import os

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.inference.generator import max_thickness
from z2i_tf.models.zoom_inpainter import ModelConfig
from z2i_tf.system import input_files

SAVED_MODEL_FILE = "saved_model.pb"
FILL, ENCODED, STAGES = "serving_default", "encoded", "stages"  # Signatures.
# Describes the model; TensorFlow Serving ignores it.
DESCRIPTION_FILE = os.path.join("assets.extra", "z2i_tf.json")


class SavedModelPredictor:
  """A SavedModel of `write_saved_model`, with the interface of `Predictor`.

  Its inputs are 8-bit images, and so is what it fills in.

  Attributes:
    model_config: of its networks.
    precision: of its networks.
    max_thickness_px: of the holes that it can fill.
    signatures: its functions by name (see `write_saved_model`).
  """

  def __init__(self, folder: str, precision: str | None = None):
    """Loads the SavedModel; raises InputError if it cannot be loaded, or has another precision or other signatures."""
    try:
      description = input_files.read_json(os.path.join(folder, DESCRIPTION_FILE))
      self.model_config, self.precision = ModelConfig(**description["model"]), description["precision"]
      self.max_thickness_px = max_thickness(description)
      if precision in (None, self.precision):
        self._loaded = tf.saved_model.load(folder)  # Its functions live as long as it does.
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
      raise InputError(
        f"{folder}: not a SavedModel of z2i export, or damaged ({' '.join(str(error).split())[:200]}); export it again"
      ) from error
    if precision not in (None, self.precision):
      raise InputError(f"{folder}: exported with --precision={self.precision}, not {precision}")
    self.signatures = self._loaded.signatures
    for name in (FILL, ENCODED, STAGES):
      if name not in self.signatures or set(self.signatures[name].structured_input_signature[1]) != {"image", "mask"}:
        raise InputError(f"{folder}: a SavedModel without signature {name} (image, mask); export it with z2i export")

  def fill(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.fill`."""
    return self.signatures[FILL](**_pixels(images, holes))["image"].numpy().astype(np.float32) / 255.0

  def refine(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.refine`."""
    return self.stages(images, holes)[conventions.REFINED]

  def stages(self, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """As `Predictor.stages`, without attention's sources."""
    return {name: stage.numpy() for name, stage in self.signatures[STAGES](**_pixels(images, holes)).items()}


def _pixels(images, holes):
  return {
    "image": tf.constant(image_ops.to_levels(images)),
    "mask": tf.constant(holes[..., np.newaxis].astype(np.uint8) * np.uint8(255)),
  }

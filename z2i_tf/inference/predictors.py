"""Runs a model on NumPy arrays: a generator in this process, or a SavedModel of `z2i export`.

`foreign.predictor` runs models of other methods.
"""

import os
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.errors import one_line
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.generator import Generator
from z2i_tf.models import architecture
from z2i_tf.models import complexity
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.system import input_files

SAVED_MODEL_FILE = "saved_model.pb"
FILL, ENCODED, OUTPUTS = "serving_default", "encoded", "outputs"  # Signatures of a SavedModel.
# Folder of a SavedModel for files that are not part of its graph, and the one that describes the model.
EXTRA_FOLDER = "assets.extra"
DESCRIPTION_FILE = os.path.join(EXTRA_FOLDER, "z2i_tf.json")

# Batches of more low-resolution pixels are computed in tiles; the tiled graph takes longer to trace.
_MAX_UNTILED_PIXELS = 2**18
TILE_PIXELS = 2**19  # Of a tile, at high resolution.
_MAX_SCORES = 2**24  # Maximum number of attention's scores in memory at once.


class Predictor(Protocol):
  """What an `Inpainter` needs of a model.

  Attributes:
    precision: of its networks.
    max_thickness_px: thickness of the holes that it can fill (twice the largest distance to a known pixel).
  """

  precision: str
  max_thickness_px: float

  @property
  def scale(self) -> int:
    """Side of the image that `refine` returns, divided by the side of its input."""

  @property
  def settings(self) -> dict[str, Any]:
    """Settings that distinguish the model in records, JSON-compatible."""

  def fill(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Returns the result.

    Args:
      images: (B, H, W, 3) float32 in [0, 1].
      holes: (B, H, W) bool, True = hole.
    Returns: (B, H, W, 3) float32 in [0, 1].
    Raises: MemoryError or tf.errors.ResourceExhaustedError if memory does not suffice.
    """

  def refine(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Returns the refined image at high resolution, (B, H*scale, W*scale, 3); correct only near the hole.

    Args, Raises: as `fill`.
    """

  def outputs(self, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """Returns every output of the networks, everywhere, by name.

    Args, Raises: as `fill`; InputError if the model has no such outputs.
    """

  def count_parameters(self) -> dict[str, int]:
    """Returns network name -> trainable parameters."""

  def count_flops(self, height: int, width: int) -> dict[str, int]:
    """Returns network name -> operations for an image of height x width pixels; empty if they are not known."""


class _OwnPredictor:
  """Derives scale, settings and counts from a ModelConfig."""

  model_config: ModelConfig

  @property
  def scale(self) -> int:
    """As `Predictor.scale`."""
    return self.model_config.scale

  @property
  def settings(self) -> dict[str, Any]:
    """The configuration."""
    return self.model_config.to_dict()

  def count_parameters(self) -> dict[str, int]:
    """As `Predictor.count_parameters`."""
    return complexity.count_parameters(self.model_config)

  def count_flops(self, height: int, width: int) -> dict[str, int]:
    """As `Predictor.count_flops`; sides are rounded up as the networks' are."""
    multiple = conventions.SIZE_MULTIPLE
    return complexity.count_flops(self.model_config, *(-(-side // multiple) * multiple for side in (height, width)))


class GeneratorPredictor(_OwnPredictor):
  """A `Predictor` that runs a `Generator` in this process."""

  def __init__(self, generator: Generator):
    """Wraps a generator; its graphs are traced on first use."""
    self.model_config = generator.model_config
    self.precision = generator.precision
    self.max_thickness_px = generator.max_thickness_px

    def traced(choose, whole):
      def run(max_tile_pixels):
        return tf.function(
          lambda image, mask: choose(generator(image, mask, Limits(max_tile_pixels, _MAX_SCORES), whole)),
          autograph=False,
          input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32),
            tf.TensorSpec([None, None, None, 1], tf.float32),
          ],
        )

      untiled, tiled = run(None), run(TILE_PIXELS)
      return lambda images, holes: (untiled if holes.size <= _MAX_UNTILED_PIXELS else tiled)(images, _as_mask(holes))

    self._fill = traced(lambda outputs: outputs[conventions.RESULT], whole=False)
    self._outputs = traced(lambda outputs: outputs, whole=True)
    self._refine = traced(lambda outputs: outputs[conventions.REFINED], whole=False)

  def fill(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.fill`."""
    return self._fill(images, holes).numpy()

  def refine(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.refine`."""
    return self._refine(images, holes).numpy()

  def outputs(self, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """As `Predictor.outputs`: every output of `Generator`."""
    return {name: output.numpy() for name, output in self._outputs(images, holes).items()}


class SavedModelPredictor(_OwnPredictor):
  """A `Predictor` that runs a SavedModel of `export.saved_model`. Its inputs and fills are rounded to 8 bits.

  Attributes:
    signatures: the SavedModel's functions by name (see `export.saved_model`).
  """

  def __init__(self, folder: str, precision: str | None = None):
    """Loads a SavedModel.

    Args:
      folder: contains `saved_model.pb`.
      precision: "float32" or "bfloat16"; None: any.
    Raises: InputError if it cannot be loaded, or has another precision or other signatures.
    """
    try:
      description = input_files.read_json(os.path.join(folder, DESCRIPTION_FILE))
      self.model_config, self.max_thickness_px = architecture.read_description(description)
      self.precision = description["precision"]
      if precision in (None, self.precision):
        self._loaded = tf.saved_model.load(folder)  # Its functions live as long as it does.
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
      raise InputError(
        f"{folder}: not a SavedModel of z2i export, or damaged ({one_line(error)}); export it again"
      ) from error
    if precision not in (None, self.precision):
      raise InputError(f"{folder}: exported with `precision`={self.precision}, not {precision}")
    self.signatures = self._loaded.signatures
    for name in (FILL, ENCODED, OUTPUTS):
      if name not in self.signatures or set(self.signatures[name].structured_input_signature[1]) != {"image", "mask"}:
        raise InputError(f"{folder}: a SavedModel without signature {name} (image, mask); export it with z2i export")

  def fill(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.fill`."""
    return self.signatures[FILL](**_signature_inputs(images, holes))["image"].numpy().astype(np.float32) / 255.0

  def refine(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.refine`."""
    return self.outputs(images, holes)[conventions.REFINED]

  def outputs(self, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """As `Predictor.outputs`, without attention's sources."""
    outputs = self.signatures[OUTPUTS](**_signature_inputs(images, holes))
    return {name: output.numpy() for name, output in outputs.items()}


def _as_mask(holes):
  return holes.astype(np.float32)[..., np.newaxis]


def _signature_inputs(images, holes):
  """Returns the inputs of a SavedModel's signatures, uint8."""
  return {
    "image": tf.constant(image_ops.to_levels(images)),
    "mask": tf.constant(holes[..., np.newaxis].astype(np.uint8) * np.uint8(255)),
  }

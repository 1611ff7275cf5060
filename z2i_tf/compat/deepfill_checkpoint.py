"""Reads DeepFill-v2's published TensorFlow 1 checkpoints by the names of their variables.

Only the generator is read. The checkpoints' discriminator and optimizer are left out.
"""

import re

import numpy as np

from z2i_tf import conventions
from z2i_tf.compat import checkpoint_files
from z2i_tf.errors import InputError
from z2i_tf.models import deepfill_table
from z2i_tf.models.architecture import DEEPFILL_V2
from z2i_tf.models.architecture import ModelConfig

_SCOPE = "inpaint_net/"
_SLOT = re.compile(r".*/(Adam(_\d+)?|ExponentialMovingAverage|Momentum|RMSProp(_\d+)?)")
_TABLES = {
  conventions.COARSE_NET: ((deepfill_table.COARSE,), deepfill_table.COARSE_RGB),
  conventions.REFINE_NET: (
    (
      deepfill_table.HALLUCINATION,
      deepfill_table.BEFORE_ATTENTION,
      deepfill_table.AFTER_ATTENTION,
      deepfill_table.DECODER,
    ),
    deepfill_table.REFINEMENT_RGB,
  ),
}


def variable_names() -> dict[str, str]:
  """Returns name of an array in model.npz -> name of its variable in a published checkpoint."""
  names = {}
  for network, (tables, rgb) in _TABLES.items():
    layers = [row.name for table in tables for row in table] + [rgb]
    for number, layer in enumerate(layers):
      for array in ("kernel", "bias"):
        names[f"{network}/conv{number:02d}/{array}"] = f"{_SCOPE}{layer}/{array}"
  return names


def read_deepfill_checkpoint(
  prefix: str, zoom: str | None = None, scale: int | None = None
) -> tuple[dict[str, np.ndarray], ModelConfig]:
  """Reads the generator's weights.

  Args:
    prefix: path without `.index`, such as `folder/snap-0`.
    zoom: to put around the networks: "none" (as published; also None) or "bicubic".
    scale: of a bicubic zoom; None is 2.
  Returns: arrays by their names in model.npz, and the generator's configuration.
  Raises: InputError if files are missing or damaged, the checkpoint has other variables, or zoom and scale do not go
    together.
  """
  found = checkpoint_files.read_tensors(prefix, lambda key: key.startswith(_SCOPE) and not _SLOT.fullmatch(key))
  names = variable_names()
  missing, extra = set(names.values()) - set(found), set(found) - set(names.values())
  if missing or extra:
    problem = f"no variable {min(missing)}" if missing else f"an unknown variable {min(extra)}"
    raise InputError(f"{prefix}: not a checkpoint of DeepFill-v2: {problem}")
  arrays = {name: found[variable] for name, variable in names.items()}
  zoom = zoom or "none"
  scale = (1 if zoom == "none" else 2) if scale is None else scale
  try:
    width = arrays[f"{conventions.COARSE_NET}/conv00/kernel"].shape[-1]
    return arrays, ModelConfig(zoom, scale, width, architecture=DEEPFILL_V2)
  except (ValueError, IndexError) as error:
    raise InputError(f"{prefix}: {error}") from error

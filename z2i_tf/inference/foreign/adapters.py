"""Reads adapters: how the networks of another method take an image with a hole, and return it filled.

An adapter is a JSON file that `adapter_schema.json` describes. Those of known exports come with the package, in
`assets/adapters`; one of your own lies beside its model, under the model's name.
"""

import dataclasses
import os
import re
from typing import Any

from z2i_tf.errors import InputError
from z2i_tf.errors import one_line
from z2i_tf.inference import bundled_models
from z2i_tf.inference.predictors import DESCRIPTION_FILE
from z2i_tf.models.architecture import DEFAULT_MAX_THICKNESS_PX
from z2i_tf.models.model_weights import MODEL_FILE
from z2i_tf.system import input_files

FILE_EXTENSIONS = (".onnx", ".tflite")  # Of models that are one file.
_FOLDER = os.path.join(bundled_models.ASSETS, "adapters")
_EXTENSION = ".json"
_SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "adapter_schema.json")
_PREFIX = re.compile(r"([A-Za-z0-9_-]{2,}):(.+)", re.DOTALL)  # One letter would be a drive of Windows.


@dataclasses.dataclass(frozen=True)
class Adapter:
  """The content of an adapter.

  Attributes:
    name: of the adapter.
    networks: entries of the JSON file, in order of application.
    multiple: sides of the networks' images are multiples of it, pixels.
    fixed: height and width of the networks' images, pixels; None: any multiple.
    max_thickness_px: thickness of the holes that the networks fill (twice the largest distance to a known pixel).
  """

  name: str
  networks: tuple[dict[str, Any], ...]
  multiple: int
  fixed: tuple[int, int] | None
  max_thickness_px: float


def bundled_names() -> list[str]:
  """Returns the names of the adapters that come with the package."""
  return sorted(name.removesuffix(_EXTENSION) for name in os.listdir(_FOLDER) if name.endswith(_EXTENSION))


def find(model: str) -> tuple[str, str] | None:
  """Finds the adapter of a model argument.

  Args:
    model: `ADAPTER:PATH` with the name of a bundled adapter, or a path whose adapter lies beside it.
  Returns: paths of the adapter and of the model; None if there is no adapter, and for models of this package (a bundled
    model's name, a folder with `model.npz`, a SavedModel of `z2i export`), even if an adapter lies beside them.
  Raises: InputError for an unknown adapter, an ONNX or TFLite file without one, or a URL.
  """
  if "://" in model and not os.path.exists(model):
    raise InputError(f"`model`={model}: models are read from local files; copy it to this machine")
  if model in bundled_models.bundled_names() or any(
    os.path.isfile(os.path.join(model, name)) for name in (MODEL_FILE, DESCRIPTION_FILE)
  ):
    return None
  prefixed = None if os.path.exists(model) else _PREFIX.fullmatch(model)
  if prefixed:
    name, path = prefixed.groups()
    if name not in bundled_names():
      raise InputError(f"`model`={model}: no adapter {name}; there are {', '.join(bundled_names())}")
    return os.path.join(_FOLDER, name + _EXTENSION), path
  is_file = model.lower().endswith(FILE_EXTENSIONS)
  beside = (os.path.splitext(model)[0] if is_file else os.path.normpath(model)) + _EXTENSION
  if os.path.isfile(beside) and (is_file or os.path.isdir(model)):
    return beside, model
  if is_file:
    raise InputError(
      f"`model`={model}: a model of another method needs an adapter: write {beside}, or give ADAPTER:{model} with one "
      f"of {', '.join(bundled_names())}"
    )
  return None


def read(path: str) -> Adapter:
  """Reads an adapter; raises InputError naming the file and its first fault."""
  import jsonschema  # Only needed here: it takes longer to import than most commands take to begin.

  content = input_files.read_bytes(path)
  try:
    given = input_files.parse_json(content.decode("utf-8"))
  except ValueError as error:
    raise InputError(f"{path}: not JSON: {error}") from error
  schema = input_files.read_json(_SCHEMA)
  problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(given))
  if problem:
    place = "/".join(map(str, problem.absolute_path)) or "the adapter"
    raise InputError(f"{path}: {place}: {one_line(problem.message)}")
  networks = given["networks"]
  names = [network.get("name") for network in networks]
  if len(networks) > 1 and (None in names or len(set(names)) < len(names)):
    raise InputError(f"{path}: several networks need a `name` each, all different")
  if any(part["kind"] == "previous" for each in networks[0]["inputs"] for part in each["parts"]):
    raise InputError(f"{path}: networks/0: the first network has no previous one")
  ranges = [network["output"]["range"] for network in networks]
  parts = [part for network in networks for each in network["inputs"] for part in each["parts"]]
  ranges += [part["range"] for part in parts if "range" in part]
  if any(low == high for low, high in ranges):
    raise InputError(f"{path}: a `range` whose two values are equal")
  size = given["size"]  # JSON Schema's integers include 8.0.
  return Adapter(
    os.path.basename(path).removesuffix(_EXTENSION),
    tuple(networks),
    int(size.get("multiple", 1)),
    (int(size["fixed"][0]), int(size["fixed"][1])) if "fixed" in size else None,
    float(given.get("max_thickness_px", DEFAULT_MAX_THICKNESS_PX)),
  )

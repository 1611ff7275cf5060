"""Fills holes with the networks of another method, by their adapter."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.inference import pyramid
from z2i_tf.inference.foreign import adapters
from z2i_tf.inference.foreign import edges
from z2i_tf.inference.foreign import runtimes
from z2i_tf.inference.foreign.adapters import Adapter

_RGB = 3
_CHANNELS = {"image": _RGB, "gray": 1, "edges": 1, "mask": 1}


class ForeignPredictor:
  """A `Predictor` that runs the networks of another method.

  The hole's pixels always get the value that the adapter names, so no network sees the pixels under it. Networks of
  any size see the image padded by reflection at the bottom and right. Networks of one size see it padded likewise; a
  larger image is shrunk first, keeping its proportions, by means over known pixels, and its fill is enlarged again
  (bicubic). Images are never enlarged for a network.

  Attributes:
    scale: 1: the networks return the image's own resolution.
    precision: type of the first network's input.
    max_thickness_px: as in `Predictor`.
    settings: as in `Predictor`.
  """

  scale = 1

  def __init__(self, adapter: Adapter, path: str, precision: str | None = None):
    """Loads the networks.

    Args:
      adapter: of the method.
      path: of the model; with several networks, a folder of models named after them.
      precision: required precision of the model; None: any.
    Raises: InputError if a network cannot be loaded, does not fit the adapter, or computes in another precision.
    """
    self._path = path
    self._adapter = adapter
    several = len(adapter.networks) > 1
    paths = [runtimes.path_of(path, network["name"]) if several else path for network in adapter.networks]
    self._runtimes = [runtimes.load(each) for each in paths]
    size = adapter.fixed
    for network, runtime, network_path in zip(adapter.networks, self._runtimes, paths):
      found = _check_network(network, runtime, network_path)
      if found and size and found != size:
        raise InputError(f"{network_path}: takes images of {_sides(found)}; expected {_sides(size)}")
      size = size or found
    self._size = size
    self.precision = next(iter(self._runtimes[0].inputs.values())).dtype
    self.max_thickness_px = adapter.max_thickness_px
    self.settings = {"adapter": adapter.name}
    if precision not in (None, self.precision):
      raise InputError(f"{path}: computes in `precision`={self.precision}, not {precision}")

  def fill(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.fill`, one image after the other."""
    return np.stack([self._fill(image, hole) for image, hole in zip(images, holes)])

  def refine(self, images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """As `Predictor.refine`; at scale 1 that is the fill."""
    return self.fill(images, holes)

  def outputs(self, images: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """Raises InputError: adapters do not name intermediate results."""
    raise InputError(f"{self._path}: a model of another method shows only its result, no intermediate ones")

  def count_parameters(self) -> dict[str, int]:
    """As `Predictor.count_parameters`: number of values of the constant tensors, by the networks' names."""
    names = [network.get("name", self._adapter.name) for network in self._adapter.networks]
    return {name: runtime.parameters for name, runtime in zip(names, self._runtimes)}

  def count_flops(self, height: int, width: int) -> dict[str, int]:
    """Returns an empty dict: the runtimes do not count operations."""
    del height, width
    return {}

  def _fill(self, image, hole):
    height, width = hole.shape
    shrunk_image, shrunk_hole = self._shrunk(image, hole)
    rows, columns = shrunk_hole.shape
    multiple = self._adapter.multiple
    sides = self._size or tuple(-(-side // multiple) * multiple for side in (rows, columns))
    padding = ((0, sides[0] - rows), (0, sides[1] - columns))
    padded_image = np.pad(shrunk_image, (*padding, (0, 0)), "reflect")
    filled = self._run(padded_image, np.pad(shrunk_hole, padding, "reflect"))[:rows, :columns]
    if (rows, columns) != (height, width):
      filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(filled, 0.0, 1.0)

  def _shrunk(self, image, hole):
    """Returns image and hole, shrunk if they are larger than a network of one size takes."""
    ratio = max(side / limit for side, limit in zip(hole.shape, self._size)) if self._size else 1.0
    if ratio <= 1.0:
      return image, hole
    size = tuple(max(1, min(limit, round(side / ratio))) for side, limit in zip(hole.shape, self._size))
    means, known_share = pyramid.shrink_known(image, hole, size)
    # A pixel with any hole in it is filled, so that the hole is covered when the fill is enlarged.
    return means, known_share < 1.0 - 1e-6

  def _run(self, image, hole):
    """Returns the networks' result, (H, W, 3) float32 in the range of the image, for an image of their size."""
    gray = image @ np.array([0.299, 0.587, 0.114], np.float32)
    previous = None
    for network, runtime in zip(self._adapter.networks, self._runtimes):
      values = {
        "image": image,
        "gray": gray[..., np.newaxis],
        "edges": edges.known_edges(gray, hole)[..., np.newaxis] if _has_part(network, "edges") else None,
        "previous": previous,
      }
      inputs = {
        each["name"]: _input_array(each, values, hole, runtime.inputs[each["name"]].dtype) for each in network["inputs"]
      }
      output = network["output"]
      previous = _as_nhwc(runtime.run(inputs, output["name"]), output["layout"])
      if previous.ndim != 4 or previous.shape[:3] != (1, *hole.shape):
        raise InputError(
          f"{self._path}: output {output['name']} has shape {previous.shape} in the order NHWC, for an image of "
          f"{hole.shape[0]}x{hole.shape[1]}; check the adapter's layout and size"
        )
      previous = previous[0].astype(np.float32)
    if previous.shape[-1] != _RGB:
      raise InputError(f"{self._path}: output {output['name']} has {previous.shape[-1]} channels, not {_RGB}")
    if not np.isfinite(previous).all():
      raise InputError(f"{self._path}: output {output['name']} contains NaN or infinite values")
    low, high = output["range"]
    result = (previous - np.float32(low)) / np.float32(high - low)
    return result[..., ::-1] if output.get("order") == "BGR" else result


def load(model: str, precision: str | None = None) -> ForeignPredictor | None:
  """Loads the model of another method.

  Args:
    model: as in `adapters.find`.
    precision: as in `ForeignPredictor`.
  Returns: None if the model is one of this package.
  Raises: InputError if the adapter or the model cannot be used.
  """
  found = adapters.find(model)
  return ForeignPredictor(adapters.read(found[0]), found[1], precision) if found else None


def _check_network(network: Mapping[str, Any], runtime: runtimes.Runtime, path: str) -> tuple[int, int] | None:
  """Returns the height and width of the image that a network takes, None for any; InputError if it does not fit."""
  wanted = {each["name"] for each in network["inputs"]}
  if wanted != set(runtime.inputs):
    raise InputError(f"{path}: its inputs are {_listed(runtime.inputs)}, the adapter's {_listed(wanted)}")
  if network["output"]["name"] not in runtime.outputs:
    raise InputError(f"{path}: its outputs are {_listed(runtime.outputs)}, the adapter's {network['output']['name']}")
  found = None
  for each in network["inputs"]:
    shape = runtime.inputs[each["name"]].shape
    if len(shape) != 4:
      raise InputError(f"{path}: input {each['name']} has {len(shape)} dimensions; images and masks have 4")
    order = [each["layout"].index(letter) for letter in "NHWC"]
    batch, height, width, depth = (shape[axis] for axis in order)
    # The channels of a previous network's output are known only after it has run.
    depths = [part.get("channels", _CHANNELS.get(part["kind"])) for part in each["parts"]]
    is_wide = each.get("join") == "width"
    if is_wide and len(set(depths)) > 1:
      raise InputError(f"{path}: input {each['name']} joins parts of {_listed(map(str, depths))} channels by width")
    expected = depth if None in depths else depths[0] if is_wide else sum(depths)
    if batch not in (None, 1) or depth not in (None, expected):
      raise InputError(
        f"{path}: input {each['name']} has shape {_sides(shape)}; the adapter ({each['layout']}) needs batch 1 and "
        f"{expected} channels"
      )
    if (height is None) != (width is None):
      raise InputError(
        f"{path}: input {each['name']} has shape {_sides(shape)}; height and width must both be fixed or both free"
      )
    if height is not None and width is not None:
      size = (height, width // len(depths) if is_wide else width)
      if found and size != found:
        raise InputError(f"{path}: its inputs have several sizes: {_sides(found)} and {_sides(size)}")
      found = size
  return found


def _input_array(given, values, hole, dtype):
  """Returns the array of one input, (1, H, W, C) or (1, C, H, W)."""
  parts = [_part_array(part, values, hole) for part in given["parts"]]
  array = np.concatenate(parts, axis=1 if given.get("join") == "width" else 2)[np.newaxis]
  if dtype == "uint8":
    array = np.clip(np.rint(array), 0, 255)
  array = array if given["layout"] == "NHWC" else array.transpose(0, 3, 1, 2)
  return np.ascontiguousarray(array, dtype)


def _part_array(part, values, hole):
  """Returns one part of an input, (H, W, C) float32."""
  inside = hole[..., np.newaxis]
  if part["kind"] == "mask":
    mask = np.where(inside, np.float32(part["hole"]), np.float32(part["known"]))
    return np.repeat(mask, part.get("channels", 1), axis=2)
  if part["kind"] in ("edges", "previous"):
    return values[part["kind"]]
  low, high = part["range"]
  array = np.where(inside, np.float32(part["hole"]), values[part["kind"]] * np.float32(high - low) + np.float32(low))
  return array[..., ::-1] if part.get("order") == "BGR" else array


def _has_part(network, kind):
  return any(part["kind"] == kind for each in network["inputs"] for part in each["parts"])


def _as_nhwc(array, layout):
  return array if layout == "NHWC" or array.ndim != 4 else array.transpose(0, 2, 3, 1)


def _listed(names):
  return ", ".join(sorted(names))


def _sides(shape):
  return "x".join("?" if side is None else str(side) for side in shape)

"""Runs networks of other methods on NumPy arrays: ONNX files, TFLite files and SavedModels.

Names of tensors are those of the adapter. What converters add to them, ":0" and "serving_default_", is ignored.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import math
import os
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.keras_api import is_bundled_with_tensorflow

_SAVED_MODEL_FILE = "saved_model.pb"
_SIGNATURE = "serving_default"
# ONNX's names of types -> NumPy's.
_ONNX_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
_ERRORS = 3  # Of onnxruntime's levels of messages.
_INPUT_TYPES = ("float32", "float16", "uint8")
_MAX_MESSAGE = 200


class Input(NamedTuple):
  """An input of a network: its shape, None where any size goes, and its NumPy type."""

  shape: tuple[int | None, ...]
  dtype: str


class Runtime(Protocol):
  """A loaded network.

  Attributes:
    inputs: by the adapter's names.
    outputs: names.
    parameters: number of values of its constant tensors, whole numbers left out.
  """

  inputs: dict[str, Input]
  outputs: list[str]
  parameters: int

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """Returns one output; raises InputError if the network refuses the inputs."""


def load(path: str) -> Runtime:
  """Loads a network; raises InputError if it cannot be loaded, or a package for it is missing."""
  if path.lower().endswith(".onnx"):
    kind: type = OnnxRuntime
  elif path.lower().endswith(".tflite"):
    kind = TfliteRuntime
  elif os.path.isfile(os.path.join(path, _SAVED_MODEL_FILE)):
    kind = SavedModelRuntime
  else:
    raise InputError(f"{path}: neither an ONNX file (.onnx), a TFLite file (.tflite) nor the folder of a SavedModel")
  if kind is not SavedModelRuntime and not os.path.isfile(path):
    raise InputError(f"{path}: no such file")
  runtime = kind(path)
  for name, tensor in runtime.inputs.items():
    if tensor.dtype not in _INPUT_TYPES:
      raise InputError(f"{path}: input {name} has type {tensor.dtype}; supported are {', '.join(_INPUT_TYPES)}")
  return runtime


def path_of(folder: str, name: str) -> str:
  """Returns the path of a network in a folder of several: NAME.onnx, NAME.tflite or NAME/; InputError if none."""
  for path in (os.path.join(folder, name + extension) for extension in (".onnx", ".tflite", "")):
    if os.path.exists(path):
      return path
  raise InputError(f"{folder}: no network {name} in it: neither {name}.onnx nor {name}.tflite nor a SavedModel {name}/")


class OnnxRuntime:
  """Runs an ONNX file in onnxruntime; see `Runtime`."""

  def __init__(self, path: str):
    """Loads the file; raises InputError if the extra `onnx` is missing or the file cannot be loaded."""
    onnxruntime = onnx_runtime("a model as ONNX file")
    import onnx

    self._path = path
    self._errors = _onnx_errors(onnxruntime)
    try:
      options = onnxruntime.SessionOptions()
      options.log_severity_level = _ERRORS
      self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
      initializers = onnx.load(path).graph.initializer
    except self._errors as error:
      raise InputError(f"{path}: cannot be loaded: {_first_line(error)}") from error
    given = self._session.get_inputs()
    self._names = {_plain(each.name): each.name for each in given}
    self.inputs = {
      _plain(each.name): Input(
        tuple(side if isinstance(side, int) else None for side in each.shape), _ONNX_TYPES.get(each.type, each.type)
      )
      for each in given
    }
    self._outputs = {_plain(each.name): each.name for each in self._session.get_outputs()}
    self.outputs = list(self._outputs)
    whole = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    self.parameters = sum(math.prod(each.dims) for each in initializers if each.data_type not in whole)

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """As `Runtime.run`."""
    try:
      return self._session.run([self._outputs[output]], {self._names[name]: array for name, array in inputs.items()})[0]
    except self._errors as error:
      raise InputError(f"{self._path}: refuses its inputs: {_first_line(error)}") from error


class TfliteRuntime:
  """Runs a TFLite file; see `Runtime`. The signature is used if there is one, otherwise the graph's own tensors."""

  def __init__(self, path: str):
    """Loads the file; raises InputError if it cannot be loaded, or its runtime is not installed."""
    self._path = path
    try:
      self._interpreter = tflite_interpreter("a model as TFLite file")(model_path=path)
      signatures = self._interpreter.get_signature_list()
      if signatures:
        self._runner = self._interpreter.get_signature_runner(_signature_of(signatures))
        details = self._runner.get_input_details()
        self._outputs = {_plain(name): name for name in self._runner.get_output_details()}
      else:
        self._runner = None
        details = {each["name"]: each for each in self._interpreter.get_input_details()}
        self._outputs = {_plain(each["name"]): each["index"] for each in self._interpreter.get_output_details()}
    except (RuntimeError, ValueError) as error:
      raise InputError(f"{path}: cannot be loaded: {_first_line(error)}") from error
    self._inputs = {_plain(name): (name, each) for name, each in details.items()}
    self.inputs = {
      name: Input(
        tuple(int(side) if side >= 0 else None for side in each["shape_signature"]), np.dtype(each["dtype"]).name
      )
      for name, (_, each) in self._inputs.items()
    }
    self.outputs = list(self._outputs)
    self.parameters = _tflite_parameters(path)

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """As `Runtime.run`."""
    try:
      if self._runner is not None:
        return self._runner(**{self._inputs[name][0]: array for name, array in inputs.items()})[self._outputs[output]]
      for name, array in inputs.items():
        self._interpreter.resize_tensor_input(self._inputs[name][1]["index"], array.shape, strict=True)
      self._interpreter.allocate_tensors()
      for name, array in inputs.items():
        self._interpreter.set_tensor(self._inputs[name][1]["index"], array)
      self._interpreter.invoke()
      return self._interpreter.get_tensor(self._outputs[output])
    except (RuntimeError, ValueError) as error:
      raise InputError(f"{self._path}: refuses its inputs: {_first_line(error)}") from error


class SavedModelRuntime:
  """Runs a SavedModel's signature `serving_default`, or its only one; see `Runtime`."""

  def __init__(self, path: str):
    """Loads the folder; raises InputError if it cannot be loaded, or has several signatures and no serving_default."""
    self._path = path
    try:
      self._loaded = tf.saved_model.load(path)  # Its functions live as long as it does.
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
      raise InputError(f"{path}: cannot be loaded: {_first_line(error)}") from error
    signatures = self._loaded.signatures
    if not signatures:
      raise InputError(f"{path}: a SavedModel without signatures")
    self._function = signatures[_signature_of(signatures)]
    self._names = {_plain(name): name for name in self._function.structured_input_signature[1]}
    self.inputs = {
      plain: _input_of(self._function.structured_input_signature[1][name]) for plain, name in self._names.items()
    }
    self._outputs = {_plain(name): name for name in self._function.structured_outputs}
    self.outputs = list(self._outputs)
    self.parameters = sum(math.prod(variable.shape) for variable in self._function.variables if variable.trainable)
    self.parameters += _constant_floats(self._function.graph.as_graph_def())

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """As `Runtime.run`."""
    try:
      tensors = {self._names[name]: tf.constant(array) for name, array in inputs.items()}
      return self._function(**tensors)[self._outputs[output]].numpy()
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
      raise InputError(f"{self._path}: refuses its inputs: {_first_line(error)}") from error


def tflite_interpreter(purpose: str) -> Callable[..., Any]:
  """Returns the interpreter's class: TensorFlow 2.15's, or that of ai-edge-litert, which replaces it in later versions.

  Raises: InputError naming the purpose if the package is not installed.
  """
  if is_bundled_with_tensorflow:
    return tf.lite.Interpreter
  try:
    from ai_edge_litert.interpreter import Interpreter
  except ImportError as error:
    raise InputError(f"{purpose} needs ai-edge-litert: pip install 'z2i_tf[tflite]'") from error
  return Interpreter


def onnx_runtime(purpose: str) -> Any:
  """Returns the module onnxruntime; raises InputError naming the purpose if the extra `onnx` is not installed."""
  try:
    import onnx  # noqa: F401
    import onnxruntime
  except ImportError as error:
    raise InputError(f"{purpose} needs {error.name}: pip install 'z2i_tf[onnx]'") from error
  return onnxruntime


def _onnx_errors(onnxruntime) -> tuple[type[Exception], ...]:
  """Returns every error that onnxruntime raises of its own, and those of unreadable files."""
  from google.protobuf.message import DecodeError

  state = onnxruntime.capi.onnxruntime_pybind11_state
  own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
  return (*own, DecodeError, OSError, RuntimeError, ValueError)


def _plain(name: str) -> str:
  return name.removesuffix(":0").removeprefix("serving_default_")


def _signature_of(signatures: Iterable[str]) -> str:
  names = list(signatures)
  if _SIGNATURE in names or len(names) > 1:
    return _SIGNATURE
  return names[0]


def _input_of(spec: tf.TensorSpec) -> Input:
  return Input(tuple(spec.shape), spec.dtype.name)


def _first_line(error: Exception) -> str:
  return " ".join(str(error).split())[:_MAX_MESSAGE]


def _constant_floats(graph: Any) -> int:
  """Counts the values of a graph's constants that are not whole numbers; scalars are none of a network's weights."""
  nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
  tensors = [node.attr["value"].tensor for node in nodes if node.op == "Const"]
  return sum(
    math.prod(dim.size for dim in tensor.tensor_shape.dim)
    for tensor in tensors
    if tensor.tensor_shape.dim and tf.as_dtype(tensor.dtype).is_floating
  )


def _tflite_parameters(path: str) -> int:
  """Counts the values of a TFLite file's stored tensors that are neither 32- nor 64-bit whole numbers."""
  if is_bundled_with_tensorflow:
    from tensorflow.lite.python import schema_py_generated as schema
  else:
    from ai_edge_litert import schema_py_generated as schema
  with open(path, "rb") as file:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(file.read())))
  whole = (schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL)
  return sum(
    math.prod(int(side) for side in tensor.shape)
    for subgraph in model.subgraphs
    for tensor in subgraph.tensors
    if tensor.type not in whole and model.buffers[tensor.buffer].data is not None and len(tensor.shape)
  )

"""Runs networks of other methods on NumPy arrays: ONNX files, TFLite files and SavedModels.

The adapter gives the names of tensors. Additions of converters, ":0" and "serving_default_", are ignored.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import math
import os
import threading
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.errors import one_line
from z2i_tf.inference.predictors import SAVED_MODEL_FILE
from z2i_tf.keras_api import is_bundled_with_tensorflow

_SIGNATURE = "serving_default"
# ONNX's names of types -> NumPy's.
_ONNX_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
_FATAL = 4  # onnxruntime's highest log level; errors are raised anyway.
_INPUT_TYPES = ("float32", "float16", "uint8")


class Input(NamedTuple):
  """An input of a network: its shape, None where any size goes, and its NumPy type.

  A tensor of unknown rank counts as four dimensions of any size.
  """

  shape: tuple[int | None, ...]
  dtype: str


class Runtime(Protocol):
  """A loaded network.

  Attributes:
    inputs: by the adapter's names.
    outputs: names.
    parameters: number of values of its constant tensors, without scalars and integers.
  """

  inputs: dict[str, Input]
  outputs: list[str]
  parameters: int

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """Returns one output; raises InputError if the network refuses the inputs. Threads may share a network."""


def load(path: str) -> Runtime:
  """Loads a network; raises InputError if it cannot be loaded, or a package for it is missing."""
  if path.lower().endswith(".onnx"):
    kind: type = OnnxRuntime
  elif path.lower().endswith(".tflite"):
    kind = TfliteRuntime
  elif os.path.isfile(os.path.join(path, SAVED_MODEL_FILE)):
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
      options.log_severity_level = _FATAL
      # With its fallback, onnxruntime prints errors before it raises them.
      self._session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"], enable_fallback=False
      )
      initializers = onnx.load(path, load_external_data=False).graph.initializer
      given = self._session.get_inputs()
      self._names = {_plain(each.name): each.name for each in given}
      self.inputs = {
        _plain(each.name): Input(
          tuple(side if isinstance(side, int) else None for side in each.shape), _ONNX_TYPES.get(each.type, each.type)
        )
        for each in given
      }
      self._outputs = {_plain(each.name): each.name for each in self._session.get_outputs()}
    except self._errors as error:
      raise InputError(f"{path}: cannot be loaded: {one_line(error)}") from error
    self.outputs = list(self._outputs)
    whole = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    self.parameters = sum(math.prod(each.dims) for each in initializers if each.dims and each.data_type not in whole)

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """As `Runtime.run`."""
    try:
      return self._session.run([self._outputs[output]], {self._names[name]: array for name, array in inputs.items()})[0]
    except self._errors as error:
      raise InputError(f"{self._path}: refuses its inputs: {one_line(error)}") from error


class TfliteRuntime:
  """Runs a TFLite file; see `Runtime`. The signature is used if there is one, otherwise the graph's own tensors."""

  def __init__(self, path: str):
    """Loads the file; raises InputError if it cannot be loaded, or its runtime is not installed."""
    self._path = path
    self._lock = threading.Lock()  # An interpreter holds the tensors of one run.
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
      raise InputError(f"{path}: cannot be loaded: {one_line(error)}") from error
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
    """As `Runtime.run`; threads run one after the other."""
    try:
      with self._lock:
        return self._run(inputs, output)
    except (RuntimeError, ValueError) as error:
      raise InputError(f"{self._path}: refuses its inputs: {one_line(error)}") from error

  def _run(self, inputs, output):
    if self._runner is not None:
      return self._runner(**{self._inputs[name][0]: array for name, array in inputs.items()})[self._outputs[output]]
    for name, array in inputs.items():
      self._interpreter.resize_tensor_input(self._inputs[name][1]["index"], array.shape, strict=True)
    self._interpreter.allocate_tensors()
    for name, array in inputs.items():
      self._interpreter.set_tensor(self._inputs[name][1]["index"], array)
    self._interpreter.invoke()
    return self._interpreter.get_tensor(self._outputs[output])


class SavedModelRuntime:
  """Runs a SavedModel's signature `serving_default`, or its only one; see `Runtime`."""

  def __init__(self, path: str):
    """Loads the folder; raises InputError if it cannot be loaded, or has several signatures and no serving_default."""
    self._path = path
    try:
      self._loaded = tf.saved_model.load(path)  # Its functions live as long as it does.
      signatures = self._loaded.signatures
      self._function = signatures[_signature_of(signatures)]
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
      raise InputError(f"{path}: cannot be loaded: {one_line(error)}") from error
    self._names = {_plain(name): name for name in self._function.structured_input_signature[1]}
    self.inputs = {
      plain: _input_of(self._function.structured_input_signature[1][name]) for plain, name in self._names.items()
    }
    self._outputs = {_plain(name): name for name in self._function.structured_outputs}
    self.outputs = list(self._outputs)
    variables = [each for each in self._function.variables if each.trainable and each.shape.rank]
    self.parameters = sum(math.prod(each.shape) for each in variables)
    self.parameters += _constant_floats(self._function.graph.as_graph_def())

  def run(self, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """As `Runtime.run`.

    Raises: tf.errors.ResourceExhaustedError if memory does not suffice.
    """
    try:
      tensors = {self._names[name]: tf.constant(array) for name, array in inputs.items()}
      return self._function(**tensors)[self._outputs[output]].numpy()
    except tf.errors.ResourceExhaustedError:
      raise
    except (ValueError, TypeError, tf.errors.OpError) as error:
      raise InputError(f"{self._path}: refuses its inputs: {one_line(error)}") from error


def tflite_interpreter(purpose: str) -> Callable[..., Any]:
  """Returns the interpreter's class: TensorFlow 2.15's, or ai-edge-litert's, which replaces it in later versions.

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


def external_files(path: str) -> list[str]:
  """Returns the sorted paths of an ONNX file's external weight files.

  Raises: InputError if the extra `onnx` is missing or the file cannot be read.
  """
  errors = _onnx_errors(onnx_runtime("a model as ONNX file"))
  import onnx

  try:
    model = onnx.load(path, load_external_data=False)
  except errors as error:
    raise InputError(f"{path}: cannot be loaded: {one_line(error)}") from error
  names = {
    entry.value
    for tensor in _messages(model, onnx.TensorProto)
    if tensor.data_location == onnx.TensorProto.EXTERNAL
    for entry in tensor.external_data
    if entry.key == "location"
  }
  return sorted(os.path.join(os.path.dirname(path), name) for name in names)


def _messages(message: Any, kind: type) -> Iterator[Any]:
  """Yields every message of one type in a protocol buffer, at any depth."""
  if isinstance(message, kind):
    yield message
  for field, value in message.ListFields():
    if field.message_type is not None:
      for each in [value] if hasattr(value, "ListFields") else value:
        yield from _messages(each, kind)


def _onnx_errors(onnxruntime) -> tuple[type[Exception], ...]:
  """Returns the error types of onnxruntime, and those of unreadable files."""
  from google.protobuf.message import DecodeError

  state = onnxruntime.capi.onnxruntime_pybind11_state
  own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
  return (*own, DecodeError, OSError, RuntimeError, ValueError)


def _plain(name: str) -> str:
  return name.removesuffix(":0").removeprefix("serving_default_")


def _signature_of(signatures: Iterable[str]) -> str:
  """Returns `serving_default`, or the only signature; raises ValueError if neither exists."""
  names = list(signatures)
  if _SIGNATURE in names:
    return _SIGNATURE
  if len(names) != 1:
    raise ValueError(f"signatures {', '.join(sorted(names))}; expected {_SIGNATURE}" if names else "no signatures")
  return names[0]


def _input_of(spec: tf.TensorSpec) -> Input:
  return Input((None,) * 4 if spec.shape.rank is None else tuple(spec.shape), spec.dtype.name)


def _constant_floats(graph: Any) -> int:
  """Counts the values of a graph's floating-point constants, without scalars."""
  nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
  tensors = [node.attr["value"].tensor for node in nodes if node.op == "Const"]
  return sum(
    math.prod(dim.size for dim in tensor.tensor_shape.dim)
    for tensor in tensors
    if tensor.tensor_shape.dim and tf.as_dtype(tensor.dtype).is_floating
  )


def _tflite_parameters(path: str) -> int:
  """Counts the values of a TFLite file's stored tensors, without scalars, booleans and 32- and 64-bit integers."""
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

"""Writes the requests that TensorFlow Serving runs when it loads a SavedModel, so that the first real one is fast.

The server reads them as serialised PredictionLogs from `assets.extra/tf_serving_warmup_requests` in the SavedModel's
folder. It does not serve a model if a request fails, so this module compares requests with signatures first.
"""

from collections.abc import Iterable
import os
from typing import Any

from google.protobuf.message import DecodeError
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from z2i_tf.errors import InputError
from z2i_tf.inference.predictors import EXTRA_FOLDER
from z2i_tf.inference.predictors import SAVED_MODEL_FILE
from z2i_tf.system.atomic_files import atomic_write

_DEFAULT_MODEL_NAME = "z2i"
_FILE = "tf_serving_warmup_requests"
_MAX_REQUESTS = 1000  # The server's limit.


def write_warmup_requests(
  saved_model_dir: str, requests: Iterable[tuple[str, dict[str, Any]]], model_name: str = _DEFAULT_MODEL_NAME
) -> None:
  """Writes warm-up requests into the folder of a SavedModel, replacing those it has.

  Args:
    saved_model_dir: the folder that holds saved_model.pb (of one version, on a server).
    requests: pairs of a signature's name and its inputs by name: arrays, or, for strings, lists of bytes (a NumPy array
      of fixed-length bytes would lose zeros at their end).
    model_name: the model's name on the server.
  Raises: InputError if `tensorflow-serving-api` is missing, the folder has no SavedModel, a request does not fit its
    signature, their number is not 1 to 1000, or the file cannot be written.
  """
  messages = _messages()
  signatures = _signatures(saved_model_dir)
  logs = []
  for signature, inputs in requests:
    request = messages.PredictLog().request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
      request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    _check_fits(request, signatures, saved_model_dir)
    logs.append(messages.PredictionLog(predict_log=messages.PredictLog(request=request)).SerializeToString())
  if not 1 <= len(logs) <= _MAX_REQUESTS:
    raise InputError(f"{saved_model_dir}: {len(logs)} warm-up requests; give 1 to {_MAX_REQUESTS}")
  path = os.path.join(saved_model_dir, EXTRA_FOLDER, _FILE)
  try:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as file, tf.io.TFRecordWriter(file.name) as records:
      for log in logs:
        records.write(log)
  except (OSError, tf.errors.OpError) as error:
    raise InputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


def read_warmup_requests(saved_model_dir: str) -> list[tuple[str, dict[str, np.ndarray]]]:
  """Reads warm-up requests: pairs of a signature's name and its inputs by name, strings as arrays of objects.

  Raises: InputError if `tensorflow-serving-api` or the file is missing, or the file is damaged or contains requests
    other than predictions.
  """
  messages = _messages()
  path = os.path.join(saved_model_dir, EXTRA_FOLDER, _FILE)
  if not os.path.isfile(path):
    raise InputError(f"{path}: no such file")
  requests = []
  try:
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
      log = messages.PredictionLog.FromString(record)
      if log.WhichOneof("log_type") != "predict_log":
        raise InputError(f"{path}: a request other than a prediction ({log.WhichOneof('log_type')})")
      request = log.predict_log.request
      requests.append(
        (request.model_spec.signature_name, {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()})
      )
  except (tf.errors.DataLossError, DecodeError) as error:
    raise InputError(f"{path}: damaged; write it again") from error
  return requests


def check_serving_is_installed() -> None:
  """Raises InputError if the package with TensorFlow Serving's messages is missing."""
  _messages()


def _messages():
  """Imports the module with TensorFlow Serving's log messages, which is an extra."""
  try:
    from tensorflow_serving.apis import prediction_log_pb2
  except ImportError as error:
    raise InputError(
      f"warm-up requests need a package that is not installed ({error.name}): pip install 'z2i_tf[serving]'"
    ) from error
  return prediction_log_pb2


def _signatures(saved_model_dir):
  """Reads {signature: {input: TensorInfo}} without loading the model."""
  path = os.path.join(saved_model_dir, SAVED_MODEL_FILE)
  try:
    with open(path, "rb") as file:
      saved_model = saved_model_pb2.SavedModel.FromString(file.read())
  except OSError as error:
    raise InputError(f"{path}: no SavedModel here: {error.strerror}") from error
  except DecodeError as error:
    raise InputError(f"{path}: damaged; export the model again") from error
  return {
    name: signature.inputs for graph in saved_model.meta_graphs for name, signature in graph.signature_def.items()
  }


def _check_fits(request, signatures, saved_model_dir):
  signature = request.model_spec.signature_name
  if signature not in signatures:
    raise InputError(f"{saved_model_dir}: no signature {signature!r} to warm up; it has {sorted(signatures)}")
  expected = signatures[signature]
  if set(request.inputs) != set(expected):
    raise InputError(
      f"{saved_model_dir}: signature {signature!r} takes {sorted(expected)}, "
      f"a warm-up request has {sorted(request.inputs)}"
    )
  for name, tensor in request.inputs.items():
    shape, wanted_shape = (tf.TensorShape(proto) for proto in (tensor.tensor_shape, expected[name].tensor_shape))
    if tensor.dtype != expected[name].dtype or not shape.is_compatible_with(wanted_shape):
      raise InputError(
        f"{saved_model_dir}: {name!r} of signature {signature!r} is {wanted_shape} "
        f"{tf.as_dtype(expected[name].dtype).name}, a warm-up request has {shape} "
        f"{tf.as_dtype(tensor.dtype).name}"
      )

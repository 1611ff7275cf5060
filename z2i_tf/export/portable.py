"""Writes models as one file for the runtimes of TensorFlow Lite and ONNX."""

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.errors import InputError
from z2i_tf.export.pixel_graph import fill_pixels
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.system import standard_error
from z2i_tf.system.atomic_files import atomic_write

# Names of inputs and outputs.
IMAGE = "image"
MASK = "mask"
RESULT = "result"

_ONNX_OPSET = 15  # tf2onnx's default; runtimes support it since 2021.


def export_tflite(
  model: ZoomInpainter, path: str, height: int | None, width: int | None, batch: int | None = 1
) -> None:
  """Writes a TFLite file with one signature: image, mask -> image, as `pixel_graph.fill_pixels`.

  It uses only TFLite's own operations, so the file runs without TensorFlow.

  Args:
    model: the generator with its weights.
    path: of the file.
    height: of the images, pixels. None: any height; the interpreter then needs `resize_tensor_input` (a signature
      runner calls it).
    width: as `height`.
    batch: images per call; None: any number.
  Raises: InputError if a size is not positive, or the file cannot be written.
  """
  module = tf.Module()
  module.fill = _frozen(model, batch, height, width, IMAGE)
  converter = tf.lite.TFLiteConverter.from_concrete_functions([module.fill.get_concrete_function()], module)
  # TFLite's converter prints counts that look like failures; real ones are exceptions.
  with standard_error.filtered(lambda _: False, shows_all_on_error=True):
    content = converter.convert()
  _write(path, content)


def export_onnx(model: ZoomInpainter, path: str, height: int | None, width: int | None, batch: int | None = 1) -> None:
  """Writes an ONNX file: image, mask -> result, as `pixel_graph.fill_pixels`.

  Names in an ONNX graph are unique, so the output has another name than in TFLite.

  Args: as `export_tflite`; None needs no call before the first run.
  Raises: InputError if a size is not positive, tf2onnx is missing, or the file cannot be written.
  """
  check_onnx_is_installed()
  import onnx
  import tf2onnx

  function = _frozen(model, batch, height, width, RESULT)
  proto, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=_ONNX_OPSET)
  onnx.checker.check_model(proto)  # tf2onnx does not fail on operations that ONNX does not have.
  _write(path, proto.SerializeToString())


def check_onnx_is_installed() -> None:
  """Raises InputError if the packages that write ONNX files are missing."""
  try:
    import onnx  # noqa: F401
    import tf2onnx  # noqa: F401
  except ImportError as error:
    raise InputError(
      f"an ONNX file needs a package that is not installed ({error.name}): pip install 'z2i_tf[onnx]'"
    ) from error


def _frozen(model, batch, height, width, output):
  """Returns `fill_pixels` with constants for weights, as a tf.function: image, mask -> {output: result}."""
  for name, size in (("height", height), ("width", width), ("batch", batch)):
    if size is not None and size < 1:
      raise InputError(f"{name} must be at least 1, not {size}")
  signature = [
    tf.TensorSpec([batch, height, width, 3], tf.uint8, IMAGE),
    tf.TensorSpec([batch, height, width, 1], tf.uint8, MASK),
  ]
  traced = tf.function(
    lambda image, mask: fill_pixels(lambda *inputs: keras_result(model, *inputs), image, mask),
    input_signature=signature,
  )
  constant = convert_to_constants.convert_variables_to_constants_v2(traced.get_concrete_function())
  graph = constant.graph.as_graph_def()
  # Remains of custom gradients would make TensorFlow warn that the saved function has no gradient.
  del graph.library.function[:]
  for node in graph.node:
    node.attr.pop("_gradient_op_type", None)
  (result,) = constant.outputs

  def fill(image, mask):
    (filled,) = tf.graph_util.import_graph_def(graph, {IMAGE: image, MASK: mask}, [result.name])
    return {output: tf.ensure_shape(filled, [batch, height, width, 3])}

  return tf.function(fill, input_signature=signature)


def keras_result(model: ZoomInpainter, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns the Keras model's result for an image of any size.

  Args:
    model: the generator.
    image: (B, H, W, 3) in [0, 1].
    mask: (B, H, W, 1), 1 = hole.
  Returns: (B, H, W, 3) in [0, 1].
  """
  height, width = tf.unstack(tf.shape(image)[1:3])
  padded = [image_ops.pad_to_multiple(part, conventions.SIZE_MULTIPLE) for part in (image, mask)]
  outputs = model(dict(zip((conventions.IMAGE_LR, conventions.MASK_LR), padded)), training=False)
  return outputs[conventions.RESULT][:, :height, :width]


def _write(path, content):
  try:
    with atomic_write(path) as file:
      file.write(content)
  except OSError as error:
    raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error

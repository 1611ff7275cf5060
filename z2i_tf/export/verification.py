"""Compares an exported model with the model in Python, in gray levels."""

from collections.abc import Callable
from collections.abc import Iterable
import json
import os
from typing import Any

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.inference.foreign import runtimes
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.inference.predictors import FILL
from z2i_tf.system.atomic_files import atomic_write

# (images (n, h, w, 3) uint8, masks (n, h, w, 1) uint8, 255 = hole) -> (n, h, w, 3) uint8.
Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Gray levels. Two runtimes add in different orders, so they may round differently.
MAX_DIFFERENCE = 1


def saved_model_fill(folder: str) -> Fill:
  """Loads a SavedModel and returns its signature `serving_default`."""
  loaded = tf.saved_model.load(folder)

  def fill(images, masks):
    return loaded.signatures[FILL](image=tf.constant(images), mask=tf.constant(masks))["image"].numpy()

  return fill


def tflite_fill(path: str) -> Fill:
  """Loads a TFLite file in its own runtime; raises InputError if that is not installed."""
  runner = runtimes.tflite_interpreter("`verify` of a TFLite file")(path).get_signature_runner()
  return lambda images, masks: runner(image=images, mask=masks)["image"]


def onnx_fill(path: str) -> Fill:
  """Loads an ONNX file in its own runtime; raises InputError if that is not installed."""
  session = runtimes.onnx_runtime("`verify` of an ONNX file").InferenceSession(path, providers=["CPUExecutionProvider"])
  return lambda images, masks: session.run(["result"], {"image": images, "mask": masks})[0]


def compare(fill: Fill, inpainter: Inpainter, examples: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
  """Runs an export and the model in Python on the same examples.

  Args:
    fill: runs the export.
    inpainter: runs the model in Python.
    examples: images (h, w, 3) uint8 with masks (h, w), 1 = hole.
  Returns: JSON-compatible: "examples", one entry each; "largest_difference" in the holes, gray levels; "is_equal",
    whether that is at most 1 and all known pixels are those of the images.
  """
  entries = []
  for image, mask in examples:
    filled = fill(image[np.newaxis], mask[np.newaxis, ..., np.newaxis].astype(np.uint8) * np.uint8(255))[0]
    difference = np.abs(filled.astype(int) - inpainter(image, mask, native=True))[mask != 0]
    entries.append(
      {
        "height": image.shape[0],
        "width": image.shape[1],
        "hole_share": round(float(mask.mean()), 4),
        "largest_difference": int(difference.max()),
        "share_that_differs": float((difference > 0).mean()),
        "known_pixels_are_equal": bool((filled == image)[mask == 0].all()),
      }
    )
  largest = max(entry["largest_difference"] for entry in entries)
  return {
    "examples": entries,
    "largest_difference": largest,
    "is_equal": largest <= MAX_DIFFERENCE and all(entry["known_pixels_are_equal"] for entry in entries),
  }


def write_report(path: str, report: dict[str, Any]) -> None:
  """Writes the result of `compare` as JSON; raises InputError if the file cannot be written."""
  try:
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with atomic_write(path) as file:
      file.write(json.dumps(report, indent=2, sort_keys=True).encode())
  except OSError as error:
    raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error

"""Exported files in their own runtimes, beside the model in Python."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

import z2i_tf
from z2i_tf.errors import InputError
from z2i_tf.export import portable
from z2i_tf.export import verification
from z2i_tf.export.pixel_graph import fill_pixels
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.predictors import GeneratorPredictor
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_FIXED = (2, 24, 37)  # Padded to 24x40.


@pytest.fixture(name="model", scope="module")
def _model():
  tf.random.set_seed(0)
  return ZoomInpainter(ModelConfig(width=4))


@pytest.fixture(name="inpainter", scope="module")
def _inpainter(model):
  return z2i_tf.Inpainter(GeneratorPredictor(Generator(model.model_config, model_weights.read_arrays(model.networks))))


def _batch(count, height, width):
  """Noise whose holes differ from example to example; of the masks the first is 0/255, all others 0/1."""
  rng = np.random.default_rng(height)
  images = rng.integers(0, 256, (count, height, width, 3), np.uint8)
  masks = np.zeros((count, height, width, 1), np.uint8)
  for number, mask in enumerate(masks):
    mask[height // 4 : height // 2 + 1, width // 4 + number : -2] = 1 if number else 255
  return images, masks


def _assert_as_in_python(result, inpainter, images, masks):
  expected = np.stack([inpainter(image, mask, native=True) for image, mask in zip(images, masks)])
  assert result.shape == images.shape and result.dtype == np.uint8
  hole = np.broadcast_to(masks != 0, images.shape)
  np.testing.assert_array_equal(result[~hole], images[~hole])
  assert np.abs(result.astype(int) - expected).max() <= 1


def _keras_fill(model, images, masks):
  return fill_pixels(
    lambda *inputs: portable.keras_result(model, *inputs), tf.constant(images), tf.constant(masks)
  ).numpy()


@pytest.fixture(name="format_", params=["tflite", "onnx"])
def _format(request):
  if request.param == "onnx":
    for package in ("tf2onnx", "onnx", "onnxruntime"):
      pytest.importorskip(package, reason=f"the extra `onnx` is not installed ({package})")
  return {
    "tflite": (portable.export_tflite, verification.tflite_fill),
    "onnx": (portable.export_onnx, verification.onnx_fill),
  }[request.param]


def test_a_fixed_size(format_, model, inpainter, tmp_path, capfd):
  export, runtime = format_
  path = str(tmp_path / "model")
  batch, height, width = _FIXED
  export(model, path, height, width, batch)
  assert os.listdir(tmp_path) == ["model"]
  assert "non-converted" not in capfd.readouterr().err
  fill = runtime(path)
  images, masks = _batch(*_FIXED)
  result = fill(images, masks)
  _assert_as_in_python(result, inpainter, images, masks)
  assert result[np.broadcast_to(masks != 0, images.shape)].std() > 3  # Otherwise a flat filling would do.
  np.testing.assert_array_equal(fill(np.where(masks, 255 - images, images), masks), result)


def test_any_size(format_, model, inpainter, tmp_path):
  export, runtime = format_
  path = str(tmp_path / "model")
  export(model, path, None, None, None)
  fill = runtime(path)
  for size in ((1, 32, 32), _FIXED, (1, 3, 5)):
    images, masks = _batch(*size)
    _assert_as_in_python(fill(images, masks), inpainter, images, masks)


@pytest.mark.parametrize("height, width", [(16, 16), (17, 9), (2, 2), (1, 5)])
def test_padding_is_that_of_the_python_path(model, inpainter, height, width):
  images, masks = _batch(1, height, width)
  masks[:, -1, -1], masks[:, 0, 0] = 255, 0
  _assert_as_in_python(_keras_fill(model, images, masks), inpainter, images, masks)


def test_what_is_hole(model, inpainter):
  """128 and more; in a mask of zeros and ones the ones; an example without hole comes back."""
  images, _ = _batch(4, 16, 16)
  hole = np.zeros((16, 16, 1), bool)
  hole[4:9, 5:12] = True
  gray = np.where(hole, 128, 127)
  one_in_gray = np.where(hole, 255, 1)
  masks = np.stack([gray, hole, one_in_gray, gray - 1]).astype(np.uint8)
  result = _keras_fill(model, images, masks)
  _assert_as_in_python(result[:3], inpainter, images[:3], np.stack([hole] * 3).astype(np.uint8))
  np.testing.assert_array_equal(result[3], images[3])


def test_unusable_arguments_are_refused(model, tmp_path):
  path = str(tmp_path / "model.tflite")
  with pytest.raises(InputError, match="height must be at least 1, not 0"):
    portable.export_tflite(model, path, 0, 8)
  with pytest.raises(InputError, match="batch must be at least 1, not -1"):
    portable.export_tflite(model, path, 8, 8, -1)


def test_a_file_that_cannot_be_written_is_said(monkeypatch, model, tmp_path):
  monkeypatch.setattr(portable, "fill_pixels", lambda fill, image, mask: image)
  path = str(tmp_path / "missing" / "model.tflite")
  with pytest.raises(InputError, match="missing/model.tflite: cannot be written: No such file"):
    portable.export_tflite(model, path, 8, 8)


def test_without_the_extra_the_error_names_it(monkeypatch, model, tmp_path):
  monkeypatch.setitem(sys.modules, "tf2onnx", None)
  with pytest.raises(InputError, match=r"not installed \(\w+\): pip install 'z2i_tf\[onnx\]'"):
    portable.export_onnx(model, str(tmp_path / "model.onnx"), 8, 8)
  assert not os.listdir(tmp_path)

"""Warm-up requests, written beside a tiny SavedModel, read back and replayed."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.export import serving_warmup

_PNG = b"not a picture, but with zeros at its end\0\0"


class _Tiny(tf.Module):
  """Signatures like those of an exported model; 255 inside the hole."""

  @tf.function(
    input_signature=[
      tf.TensorSpec([None, None, None, 3], tf.uint8, "image"),
      tf.TensorSpec([None, None, None, 1], tf.uint8, "mask"),
    ]
  )
  def fill(self, image, mask):
    return {"image": tf.maximum(image, mask)}

  @tf.function(
    input_signature=[tf.TensorSpec([None], tf.string, "image_bytes"), tf.TensorSpec([None], tf.string, "mask_bytes")]
  )
  def fill_encoded(self, image_bytes, mask_bytes):
    return {"image_bytes": tf.strings.join([image_bytes, mask_bytes], "+")}


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
  folder = str(tmp_path_factory.mktemp("saved_model"))
  tiny = _Tiny()
  tf.saved_model.save(tiny, folder, signatures={"serving_default": tiny.fill, "encoded": tiny.fill_encoded})
  return folder


@pytest.fixture(name="serving_api")
def _serving_api():
  return pytest.importorskip(
    "tensorflow_serving.apis.prediction_log_pb2", reason="the extra `serving` (tensorflow-serving-api) is not installed"
  )


def _requests():
  image = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
  mask = np.zeros((2, 4, 6, 1), np.uint8)
  mask[:, 1:3, 2:4] = 255
  return [
    ("serving_default", {"image": image, "mask": mask}),
    ("encoded", {"image_bytes": [_PNG, b"x"], "mask_bytes": [b"m", b""]}),
  ]


def test_requests_are_read_back_and_replayed(folder, serving_api):
  serving_warmup.write_warmup_requests(folder, iter(_requests()))
  assert os.listdir(os.path.join(folder, "assets.extra")) == ["tf_serving_warmup_requests"]
  loaded = tf.saved_model.load(folder)
  answers = {}
  for (signature, inputs), (written_signature, written) in zip(
    serving_warmup.read_warmup_requests(folder), _requests(), strict=True
  ):
    assert signature == written_signature and set(inputs) == set(written)
    for name, value in inputs.items():
      np.testing.assert_array_equal(value, np.array(written[name], None if name in ("image", "mask") else object))
    answers[signature] = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
  image, mask = _requests()[0][1].values()
  np.testing.assert_array_equal(answers["serving_default"]["image"], np.maximum(image, mask))
  assert answers["encoded"]["image_bytes"].numpy().tolist() == [_PNG + b"+m", b"x+"]


def test_the_server_s_names_are_in_the_file(folder, serving_api):
  serving_warmup.write_warmup_requests(folder, _requests()[:1], model_name="painter")
  path = os.path.join(folder, "assets.extra", "tf_serving_warmup_requests")
  (record,) = tf.data.TFRecordDataset(path).as_numpy_iterator()
  request = serving_api.PredictionLog.FromString(record).predict_log.request
  assert request.model_spec.name == "painter" and request.model_spec.signature_name == "serving_default"
  assert request.inputs["image"].dtype == tf.uint8.as_datatype_enum


@pytest.mark.parametrize(
  "request_, message",
  [
    (("paint", {}), "no signature 'paint' to warm up; it has .*'encoded', 'serving_default'"),
    (("serving_default", {"image": np.zeros((1, 8, 8, 3), np.uint8)}), "takes .'image', 'mask'., .* has .'image'."),
    (
      ("serving_default", {"image": np.zeros((1, 8, 8, 3), np.float32), "mask": np.zeros((1, 8, 8, 1), np.uint8)}),
      "'image' .* uint8, a warm-up request has .* float32",
    ),
    (
      ("serving_default", {"image": np.zeros((8, 8, 3), np.uint8), "mask": np.zeros((1, 8, 8, 1), np.uint8)}),
      "'image' .* uint8, a warm-up request has .8, 8, 3. uint8",
    ),
  ],
)
def test_a_request_that_would_keep_the_server_from_loading_is_refused(folder, serving_api, request_, message):
  serving_warmup.write_warmup_requests(folder, _requests())
  with pytest.raises(InputError, match=message):
    serving_warmup.write_warmup_requests(folder, [_requests()[0], request_])
  assert len(serving_warmup.read_warmup_requests(folder)) == 2  # The former file.


def test_folders_and_files_that_cannot_be_used(folder, serving_api, tmp_path):
  with pytest.raises(InputError, match="no SavedModel here"):
    serving_warmup.write_warmup_requests(str(tmp_path), _requests())
  (tmp_path / "saved_model.pb").write_bytes(b"damaged")
  with pytest.raises(InputError, match="saved_model.pb: damaged; export the model again$"):
    serving_warmup.write_warmup_requests(str(tmp_path), _requests())
  with pytest.raises(InputError, match="0 warm-up requests; give 1 to 1000"):
    serving_warmup.write_warmup_requests(folder, [])
  with pytest.raises(InputError, match="no such file"):
    serving_warmup.read_warmup_requests(str(tmp_path))
  (tmp_path / "assets.extra").mkdir()
  path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
  path.write_bytes(b"damaged, and long enough")
  with pytest.raises(InputError, match="damaged"):
    serving_warmup.read_warmup_requests(str(tmp_path))
  with tf.io.TFRecordWriter(str(path)) as writer:
    writer.write(serving_api.PredictionLog(classify_log=serving_api.ClassifyLog()).SerializeToString())
  with pytest.raises(InputError, match="prediction.*classify_log"):
    serving_warmup.read_warmup_requests(str(tmp_path))


def test_without_the_extra_the_error_names_it(folder, monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
  with pytest.raises(InputError, match=r"not installed \(tensorflow_serving.*pip install 'z2i_tf\[serving\]'"):
    serving_warmup.write_warmup_requests(folder, _requests())

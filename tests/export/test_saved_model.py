"""An exported SavedModel: what its signatures do, alone and beside the model in Python."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
import z2i_tf
from z2i_tf import conventions
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.export import portable
from z2i_tf.export import serving_warmup
from z2i_tf.export import verification
from z2i_tf.inference import model_store

# Run where neither this package nor tensorflow_addons can be imported: a folder of its own, no PYTHONPATH, and refused.
_ALONE = """
import sys
class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] in ("z2i_tf", "tensorflow_addons", "tf_keras"):
      raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from tensorflow.python.tools import saved_model_cli
sys.argv = ["saved_model_cli", "run", "--dir", "model", "--tag_set", "serve", "--signature_def", "serving_default",
            "--inputs", "image=image.npy;mask=mask.npy", "--outdir", "out"]
saved_model_cli.main()
assert not [name for name in sys.modules if name.startswith(("z2i_tf", "tensorflow_addons"))]
"""


@pytest.fixture(name="model_folder", scope="session")
def _model_folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("saved") / "original"
  assert main(["convert-checkpoint", f"--original={recordings.ORIGINAL_CHECKPOINT}", f"--output={folder}"]) == 0
  return str(folder)


@pytest.fixture(name="exported", scope="session")
def _exported(model_folder, built_once):
  warmup = ["--warmup"] if importlib.util.find_spec("tensorflow_serving") else []

  def build(folder):
    folder.mkdir()
    assert main(["export", f"--model={model_folder}", f"--output={folder / 'model'}"] + warmup) == 0
    assert os.listdir(folder) == ["model"]

  return str(built_once("exported", build) / "model")


@pytest.fixture(name="predictor", scope="session")
def _predictor(exported):
  return model_store.load_predictor(exported)


@pytest.fixture(name="inpainter", scope="session")
def _inpainter(model_folder):
  return z2i_tf.Inpainter(model_store.load_predictor(model_folder))


def _example(height, width, seed=0):
  rng = np.random.default_rng(seed)
  image = rng.integers(0, 256, (height, width, 3), np.uint8)
  mask = np.zeros((height, width), np.uint8)
  mask[height // 3 : height // 2 + 1, width // 4 : width // 2 + 1 + seed] = 255
  return image, mask


def _assert_filled(filled, image, mask, inpainter):
  assert filled.dtype == np.uint8
  np.testing.assert_array_equal(filled[mask == 0], image[mask == 0])
  assert np.abs(filled.astype(int) - inpainter(image, mask, native=True)).max() <= 1


@pytest.mark.slow
def test_it_needs_tensorflow_alone_and_runs_in_its_command_line(exported, inpainter, tmp_path):
  os.symlink(exported, tmp_path / "model")
  image, mask = _example(21, 34)
  np.save(tmp_path / "image.npy", image[None])
  np.save(tmp_path / "mask.npy", mask[None, ..., None])
  environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
  done = subprocess.run(
    [sys.executable, "-c", _ALONE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  _assert_filled(np.load(tmp_path / "out" / "image.npy")[0], image, mask, inpainter)


def test_the_signatures(predictor):
  shapes = {
    name: (sorted(signature.structured_input_signature[1]), sorted(signature.structured_outputs))
    for name, signature in predictor.signatures.items()
  }
  assert shapes == {
    "serving_default": (["image", "mask"], ["image"]),
    "encoded": (["image", "mask"], ["image_bytes"]),
    "outputs": (["image", "mask"], sorted(set(conventions.OUTPUTS) - {conventions.COMPOSED_HR})),
  }


def test_a_comparison_says_what_differs(predictor, inpainter):
  examples = [(image, mask // 255) for image, mask in (_example(16, 24), _example(33, 17))]
  signature = predictor.signatures["serving_default"]
  fill = lambda images, masks: signature(image=tf.constant(images), mask=tf.constant(masks))["image"].numpy()
  report = verification.compare(fill, inpainter, examples)
  assert report["is_equal"] and report["largest_difference"] <= 1
  assert [(entry["height"], entry["width"]) for entry in report["examples"]] == [(16, 24), (33, 17)]
  darker = verification.compare(lambda *pair: fill(*pair) // 2, inpainter, examples[:1])
  assert not darker["is_equal"] and not darker["examples"][0]["known_pixels_are_equal"]


def test_a_batch_with_masks_of_either_range(predictor, inpainter):
  images, masks = (np.stack(arrays) for arrays in zip(*(_example(19, 26, seed) for seed in range(3))))
  masks[1] //= 255
  masks[2] = np.where(masks[2], 128, 127)
  signature = predictor.signatures["serving_default"]
  filled = signature(image=tf.constant(images), mask=tf.constant(masks[..., None]))["image"].numpy()
  for number, mask in enumerate((masks[0], masks[1], masks[2] // 128)):
    _assert_filled(filled[number], images[number], mask, inpainter)
  assert not np.array_equal(filled, images)


def test_encoded_files(predictor, inpainter):
  pairs = [_example(24, 16, seed) for seed in range(2)]
  encode = lambda array: tf.io.encode_png(array.reshape(*array.shape[:2], -1)).numpy()
  files = [[encode(array) for array in arrays] for arrays in zip(*pairs)]
  signature = predictor.signatures["encoded"]
  answer = signature(image=tf.constant(files[0]), mask=tf.constant(files[1]))["image_bytes"].numpy()
  for content, (image, mask) in zip(answer, pairs):
    _assert_filled(tf.io.decode_png(content).numpy(), image, mask, inpainter)
  other = [encode(array) for array in _example(16, 16)]
  for images, masks, message in (
    ([files[0][0], other[0]], files[1], "all images of the batch must have one size"),
    (files[0], [files[1][0], other[1]], "all masks of the batch must have one size"),
    (files[0], [other[1]] * 2, "image and mask must have the same number and size"),
    ([], [], "the batch has no image"),
  ):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
      signature(image=tf.constant(images, tf.string), mask=tf.constant(masks, tf.string))
  image, mask = pairs[0]
  for rgba, message in (
    (np.dstack([np.full_like(mask, 255)] * 3 + [mask]), None),  # Its alpha is the mask.
    (np.dstack([mask] * 3 + [np.full_like(mask, 255)]), None),
    (np.dstack([mask] * 3 + [mask]), None),
    (np.dstack([mask] * 3 + [255 - mask]), "mark different holes"),
    (np.dstack([mask * 0] * 4), "mask is empty"),
    (np.dstack([mask * 0 + 255] * 4), "mask covers everything"),
  ):
    arguments = {"image": tf.constant(files[0][:1]), "mask": tf.constant([encode(rgba)])}
    if message:
      with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signature(**arguments)
    else:
      _assert_filled(tf.io.decode_png(signature(**arguments)["image_bytes"].numpy()[0]).numpy(), image, mask, inpainter)
  with pytest.raises(tf.errors.InvalidArgumentError):
    signature(image=tf.constant([b"no picture"]), mask=tf.constant([files[1][0]]))


@pytest.mark.parametrize("signature", ["serving_default", "outputs"])
@pytest.mark.parametrize(
  "change, message",
  [
    (lambda image, mask: (image, np.concatenate([mask, mask])), "the same number and size"),
    (lambda image, mask: (image, mask[:, :-1]), "the same number and size"),
    (lambda image, mask: (image[:0], mask[:0]), "no image, or one without pixels"),
    (lambda image, mask: (image[:, :0], mask[:, :0]), "no image, or one without pixels"),
    (lambda image, mask: (np.repeat(image, 2, axis=0), np.concatenate([mask, 0 * mask])), "a mask is empty"),
    (lambda image, mask: (image, 0 * mask + 255), "a mask covers everything"),
  ],
)
def test_unusable_batches_are_invalid_arguments(predictor, signature, change, message):
  image, mask = _example(16, 24)
  image, mask = change(image[np.newaxis], mask[np.newaxis, ..., np.newaxis])
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    predictor.signatures[signature](image=tf.constant(image), mask=tf.constant(mask))


def test_warm_up_requests_are_answered(exported, predictor):
  pytest.importorskip("tensorflow_serving", reason="the extra `serving` is not installed")
  requests = dict(serving_warmup.read_warmup_requests(exported))
  assert set(requests) == {"serving_default", "encoded"}
  filled, encoded = (
    predictor.signatures[name](**{key: tf.constant(value) for key, value in requests[name].items()})
    for name in ("serving_default", "encoded")
  )
  image, mask = (requests["serving_default"][name][0] for name in ("image", "mask"))
  assert (filled["image"][0].numpy() == image)[mask[..., 0] == 0].all() and mask.any()
  np.testing.assert_array_equal(tf.io.decode_png(encoded["image_bytes"][0]), filled["image"][0])


def test_stages_are_those_of_the_python_path(predictor, inpainter):
  image, mask = _example(18, 25)
  expected = inpainter.outputs(image, mask)
  stages = z2i_tf.Inpainter(predictor).outputs(image, mask)
  assert set(stages) == set(conventions.OUTPUTS) - {conventions.COMPOSED_HR}
  for name, stage in stages.items():
    np.testing.assert_allclose(stage, expected[name], atol=1e-4 * max(1, np.abs(expected[name]).max()))


def test_the_folder_serves_as_a_model(exported, predictor, inpainter):
  image, mask = _example(20, 30)
  _assert_filled(z2i_tf.Inpainter(predictor)(image, mask, native=True), image, mask, inpainter)
  with pytest.raises(InputError, match="exported with `precision`=float32, not bfloat16"):
    model_store.load_predictor(exported, "bfloat16")


def test_other_saved_models_are_refused(exported, tmp_path, capsys):
  class Doubled(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def double(self, x):
      return {"y": 2 * x}

  doubled = Doubled()
  tf.saved_model.save(doubled, str(tmp_path / "other"), signatures={"serving_default": doubled.double})
  with pytest.raises(InputError, match="other: not a SavedModel of z2i export"):
    model_store.load_predictor(str(tmp_path / "other"))
  os.makedirs(tmp_path / "other" / "assets.extra")
  with open(os.path.join(exported, "assets.extra", "z2i_tf.json"), "rb") as file:
    (tmp_path / "other" / "assets.extra" / "z2i_tf.json").write_bytes(file.read())
  with pytest.raises(InputError, match=r"other: a SavedModel without signature serving_default \(image, mask\)"):
    model_store.load_predictor(str(tmp_path / "other"))
  (tmp_path / "other" / "saved_model.pb").write_bytes(b"damaged")
  with pytest.raises(InputError, match="other: not a SavedModel of z2i export, or damaged"):
    model_store.load_predictor(str(tmp_path / "other"))
  assert main(["export", f"--output={exported}"]) == 2
  assert "is not empty; give a new folder" in capsys.readouterr().err


@pytest.mark.parametrize(
  "arguments, message",
  [
    ([], "--output is missing"),
    (["--output={dir}/nowhere/model"], "no such folder; create it first"),
    (["--output={dir}/m", "--height=64"], "--height is for --format=tflite"),
    (["--output={dir}", "--format=tflite"], "is a folder; give a file"),
    (["--output={dir}/m.tflite", "--format=tflite", "--warmup"], "--warmup is for --format=saved_model"),
    (["--output={dir}/m.tflite", "--format=tflite", "--precision=bfloat16"], "--precision=bfloat16 is for"),
    (["--output={dir}/m", "--model=nothing"], "--model=nothing: no such folder"),
  ],
)
def test_unusable_exports(tmp_path, capsys, arguments, message):
  assert main(["export"] + [argument.format(dir=tmp_path) for argument in arguments]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not os.listdir(tmp_path)


@pytest.mark.parametrize("is_equal", [True, False])
def test_an_export_is_left_with_its_report_or_not_at_all(model_folder, tmp_path, capsys, monkeypatch, is_equal):
  def write(model, path, height, width):
    assert (height, width) == (16, 24)
    with open(path, "wb") as file:
      file.write(b"a model")

  def compare(fill, inpainter, examples):
    assert [mask.shape for _, mask in examples] == [(16, 24)]
    difference = 0 if is_equal else 7
    return {
      "is_equal": is_equal,
      "largest_difference": difference,
      "examples": [{"height": 16, "width": 24, "largest_difference": difference}],
    }

  monkeypatch.setattr(portable, "export_tflite", write)
  monkeypatch.setattr(verification, "tflite_fill", lambda path: None)
  monkeypatch.setattr(verification, "compare", compare)
  command = [
    "export",
    f"--model={model_folder}",
    f"--output={tmp_path / 'm.tflite'}",
    "--format=tflite",
    "--height=16",
    "--width=24",
    "--verify",
  ]
  assert main(command) == (0 if is_equal else 2)
  output = capsys.readouterr()
  if is_equal:
    assert "at most 0 grey levels" in output.out
    assert sorted(os.listdir(tmp_path)) == ["m.tflite", "m.tflite.verification.json"]
  else:
    assert "the export differs from the model in Python by 7 grey levels (at 16x24)" in output.err
    assert not os.listdir(tmp_path)

"""DeepFill-v2's networks go through pretraining, a recipe, joint training, export, analyses and evaluation."""

import json

import numpy as np
import pytest

from tests.training import stand_ins
from z2i_tf.cli.main import main
from z2i_tf.export import portable
from z2i_tf.export import verification
from z2i_tf.images import image_files
from z2i_tf.inference import model_store
from z2i_tf.models import architecture
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.zoom_inpainter import ZoomInpainter

_SMALL = [
  "--architecture=deepfill_v2",
  "--width=4",
  "--crop_size=16",
  "--mask_reference_size=64",
  "--batch_size=2",
  "--iterations=1",
]
_COMMON = ["--data_dir=data/images", "--perceptual_weights=none", "--save_every=1", "--log_every=1"]


@pytest.fixture(name="work", scope="module")
def _work(tmp_path_factory):
  """The folders of a recipe of two stages: the coarse network, then all with a zoom."""
  folder = tmp_path_factory.mktemp("deepfill")
  (folder / "coarse.cfg").write_text("\n".join(["--network=coarse", *_SMALL]))
  (folder / "joint.cfg").write_text("\n".join([*_SMALL, "--zoom=bicubic", f"--init_coarse={folder}/runs/coarse"]))
  with stand_ins.eagerly():
    args = [f"--stages={folder}/coarse.cfg,{folder}/joint.cfg", f"--work_dir={folder}/runs", *_COMMON]
    assert main(["recipe", *args]) == 0
  rng = np.random.default_rng(0)
  mask = np.zeros((40, 48), np.uint8)
  mask[10:20, 10:20] = 1
  for name in ("images", "masks"):
    (folder / name).mkdir()
  image_files.write_rgb(str(folder / "images" / "a.png"), rng.integers(0, 256, (40, 48, 3), np.uint8))
  image_files.write_mask(str(folder / "masks" / "a.png"), mask)
  return folder


@pytest.fixture(name="small_model", scope="module")
def _small_model(tmp_path_factory):
  """A model without zoom, with random weights."""
  folder = str(tmp_path_factory.mktemp("deepfill_model"))
  config = ModelConfig("none", 1, 4, architecture="deepfill_v2")
  arrays = model_weights.read_arrays(ZoomInpainter(config).networks)
  model_weights.write_model_file(folder, arrays, architecture.describe(config))
  return folder


def test_training_leaves_a_model_of_the_architecture(work):
  arrays, config = model_weights.read_model_file(str(work / "runs" / "joint"))
  described = {"zoom": "bicubic", "scale": 2, "width": 4, "sr_width": 4, "architecture": "deepfill_v2"}
  assert config["model"] == described
  assert not any("/bn" in name for name in arrays)
  assert [name for name in arrays if name.startswith("disc") and name.endswith("u")][-1] == "disc/conv05/u"


def test_it_is_evaluated_measured_and_drawn(work, capsys):
  pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
  flags = [f"--image_dir={work}/images", f"--mask_dir={work}/masks"]
  model = f"--model={work}/runs/joint"
  size = ["--size=16x16", "--count=1", f"--output_dir={work}/complexity", "--architecture=deepfill_v2", "--width=4"]
  with stand_ins.eagerly():
    assert main(["evaluate", model, "--baseline=", *flags, f"--output_dir={work}/evaluation"]) == 0
    assert main(["complexity", *size, "--zoom=none"]) == 0
    assert main(["intermediate", model, *flags, f"--output_dir={work}/intermediate"]) == 0
  entry = json.loads((work / "evaluation" / "comparison.json").read_text())["methods"]["joint"]
  assert entry["architecture"] == "deepfill_v2" and entry["width"] == 4
  assert "random weights, width 4, deepfill_v2, zoom none, float32" in capsys.readouterr().out
  assert (work / "intermediate" / "intermediate.png").is_file()


def _export_onnx(folder, path):
  pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
  pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
  portable.export_onnx(model_store.load_model(folder), path, 24, 32)
  return verification.onnx_fill(path)


def _export_tflite(folder, path):
  portable.export_tflite(model_store.load_model(folder), path, 24, 32)
  return verification.tflite_fill(path)


def _export_saved_model(folder, path):
  assert main(["export", f"--model={folder}", f"--output={path}"]) == 0
  return verification.saved_model_fill(path)


@pytest.mark.parametrize("export", [_export_onnx, _export_tflite, _export_saved_model])
def test_an_export_gives_the_keras_models_result(small_model, tmp_path, export):
  rng = np.random.default_rng(0)
  image, mask = rng.integers(0, 256, (1, 24, 32, 3), np.uint8), np.zeros((1, 24, 32, 1), np.uint8)
  mask[:, 5:12, 8:20] = 255
  keras = model_store.load_model(small_model)
  result = portable.keras_result(keras, image.astype(np.float32) / 255, mask.astype(np.float32) / 255).numpy()
  exported = export(small_model, str(tmp_path / "exported"))(image, mask)
  np.testing.assert_array_equal(exported[mask[..., 0] == 0], image[mask[..., 0] == 0])
  assert np.abs(255 * result - exported)[mask[..., 0] == 255].max() <= 1


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["train", "--freeze_batch_norm=coarse"], "Networks of deepfill_v2 have no batch norms"),
    (["train", "--width=6"], "The width of deepfill_v2 is a multiple of 4. Received: 6"),
    (["pretrain", "--network=sr"], "--architecture=deepfill_v2: the network 'sr' is the same in all"),
  ],
)
def test_what_does_not_go_with_it_is_one_line(work, tmp_path, capsys, arguments, message):
  arguments = [argument.format(work) for argument in arguments]
  assert main([arguments[0], *_SMALL, *_COMMON, *arguments[1:], f"--work_dir={tmp_path}/run"]) == 2
  error = capsys.readouterr().err
  assert message in error and error.strip().count("\n") == 0


def test_16_bits_are_refused(work, tmp_path, capsys):
  args = [f"{work}/images/a.png", f"{work}/masks/a.png", "-o", f"{tmp_path}/filled.png"]
  assert main(["inpaint", *args, f"--model={work}/runs/joint", "--precision=bfloat16"]) == 2
  assert "networks of deepfill_v2 compute in float32 only" in capsys.readouterr().err

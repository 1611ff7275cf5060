"""DeepFill-v2's networks go through pretraining, a recipe, joint training, export, analyses and evaluation."""

import json

import numpy as np
import pytest

from tests.training import stand_ins
import z2i_tf
from z2i_tf.cli.main import main
from z2i_tf.images import image_files
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
  assert main(["evaluate", model, "--baseline=", *flags, f"--output_dir={work}/evaluation"]) == 0
  entry = json.loads((work / "evaluation" / "comparison.json").read_text())["methods"]["joint"]
  assert entry["architecture"] == "deepfill_v2" and entry["width"] == 4
  size = ["--size=16x16", "--count=1", f"--output_dir={work}/complexity", "--architecture=deepfill_v2", "--width=4"]
  assert main(["complexity", *size, "--zoom=none"]) == 0
  assert "random weights, width 4, deepfill_v2, zoom none, float32" in capsys.readouterr().out
  assert main(["intermediate", model, *flags, f"--output_dir={work}/intermediate"]) == 0
  assert (work / "intermediate" / "intermediate.png").is_file()


@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_it_is_exported(small_model, format_):
  if format_ == "onnx":
    pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
  args = [f"--model={small_model}", f"--format={format_}", f"--output={small_model}/exported.{format_}"]
  assert main(["export", *args, "--height=24", "--width=32", "--verify"]) == 0


def test_it_is_exported_as_saved_model(small_model, work):
  assert main(["export", f"--model={small_model}", f"--output={small_model}/saved"]) == 0
  image, mask = (f"{work}/{name}/a.png" for name in ("images", "masks"))
  expected, exported = (
    z2i_tf.Inpainter.load(model)(image, mask, native=True) for model in (small_model, f"{small_model}/saved")
  )
  assert np.abs(expected.astype(int) - exported).max() <= 1


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

"""`z2i import-weights`: weights trained elsewhere, in the layout of the recorded ones."""

import numpy as np
import pytest

from tests import recordings
from z2i_tf.cli.main import main
from z2i_tf.models import model_weights

_GENERATOR = ("coarse/", "sr/", "refine/")


@pytest.fixture(name="weights", scope="module")
def _weights():
  """The recorded networks, discriminator included."""
  return {
    name: array
    for file, roots in (("inference", _GENERATOR), ("joint_step", ("disc/",)))
    for name, array in recordings.load(file).items()
    if name.startswith(roots)
  }


def _import(folder, arrays, *options):
  np.savez(folder / "weights.npz", **arrays)
  return main(["import-weights", f"--weights={folder / 'weights.npz'}", f"--output={folder / 'model'}", *options])


def test_every_array_arrives_and_the_networks_are_inferred(weights, tmp_path, capsys):
  assert _import(tmp_path, weights) == 0
  assert "coarse, sr, refine, disc; zoom sr x2, width 8" in capsys.readouterr().out
  arrays, config = model_weights.read_model_file(str(tmp_path / "model"))
  assert config["model"] == {"zoom": "sr", "scale": 2, "width": 8, "sr_width": 8}
  assert arrays.keys() == {name for name in weights if not (name.startswith("disc/") and name.endswith("/v"))}
  for name, array in arrays.items():
    np.testing.assert_array_equal(array, weights[name])


def test_scale_of_the_zoom_is_inferred(weights, tmp_path):
  sr = {name: array for name, array in recordings.load("sr_x3").items() if name.startswith("sr/")}
  generator = {name: array for name, array in weights.items() if name.startswith(("coarse/", "refine/"))}
  assert _import(tmp_path, {**generator, **sr}) == 0
  assert model_weights.read_model_config(str(tmp_path / "model"))["model"]["scale"] == 3


def test_without_sr_network_the_zoom_is_said(weights, tmp_path, capsys):
  generator = {name: array for name, array in weights.items() if name.startswith(("coarse/", "refine/"))}
  assert _import(tmp_path, generator) == 2
  assert "no SR network: give the zoom of its training, --zoom" in capsys.readouterr().err
  assert _import(tmp_path, generator, "--zoom=none") == 0


def _misshapen(name):
  return lambda weights: {**weights, name: weights[name][:-1]}


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda weights: {**weights, "hr": np.zeros(3, np.float32)}, "'hr' belongs to none of the networks"),
    (lambda weights: {**weights, "sr/conv11/kernel": np.zeros(3, np.float32)}, "no place in the model, sr/conv11"),
    (lambda weights: {name: weights[name] for name in weights if name != "refine/bn03/var"}, "no array refine/bn03"),
    (lambda weights: {name: weights[name] for name in weights if not name.startswith("coarse/")}, "no coarse network"),
    (lambda weights: {**weights, "coarse/conv00/kernel": np.float32(1)}, "coarse/conv00/kernel has the shape ()"),
    (
      lambda weights: {**weights, "sr/conv09/kernel": np.zeros((3, 3, 0, 32), np.float32)},
      "sr/conv09/kernel has the shape (3, 3, 0, 32)",
    ),
    (_misshapen("coarse/conv05/bias"), "coarse/conv05/bias has shape (15,)"),
    (lambda weights: {**weights, "coarse/conv05/bias": np.full(8, np.nan, np.float32)}, "not finite"),
    (lambda weights: {**weights, "coarse/conv05/bias": np.zeros(8, np.int64)}, "not finite"),
  ],
  ids=[
    "unknown",
    "left over",
    "missing",
    "no network",
    "no kernel",
    "empty kernel",
    "misshapen",
    "not finite",
    "integers",
  ],
)
def test_every_array_is_accounted_for(weights, tmp_path, capsys, change, message):
  assert _import(tmp_path, change(weights)) == 2
  error = capsys.readouterr().err
  assert message in error and "weights.npz" in error and error.count("\n") == 1
  assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("content", [None, b"", b"no arrays", b"PK\x03\x04 cut"])
def test_what_is_no_file_of_arrays_is_refused(tmp_path, capsys, content):
  path = tmp_path / "weights.npz"
  if content is not None:
    path.write_bytes(content)
  assert main(["import-weights", f"--weights={path}", f"--output={tmp_path / 'model'}"]) == 2
  assert f"{path}: {'not an .npz file' if content is not None else 'no such file'}" in capsys.readouterr().err

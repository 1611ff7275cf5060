"""`z2i pretrain` from the command line, what it leaves, and its hand-over to `z2i train`."""

import numpy as np
import pytest

from tests.training import stand_ins
from tests.training.test_loop import read_events
from z2i_tf import checkpoints
from z2i_tf.cli.main import main

_SMALL = ["--data_dir=data/images", "--crop_size=16", "--batch_size=2", "--log_every=1",
          "--vgg_weights=none", "--iterations=1", "--save_every=1"]
_STAGES = {"coarse": "1_coarse", "sr": "2_zoomed", "refine": "3_refined"}


@pytest.fixture(name="pretrained", scope="module")
def _pretrained(tmp_path_factory):
  """A step of each network; returns the folder of the three runs."""
  folder = tmp_path_factory.mktemp("pretrained")
  with stand_ins.eagerly():
    for network in _STAGES:
      masks = [] if network == "sr" else ["--mask_reference_size=64"]
      assert main(["pretrain", f"--network={network}", "--width=4", "--validation_dir=data/images",
                   f"--work_dir={folder / network}", *masks] + _SMALL) == 0
  return folder


@pytest.mark.parametrize("network", _STAGES)
def test_run_leaves_events_checkpoints_and_weights(pretrained, network):
  scalars, others = read_events(pretrained / network / "events")
  stage = _STAGES[network][2:]
  for name in (f"loss/l1_{network}", "loss/generator", f"gradient_norm/{network}", f"psnr/{stage}",
               f"validation/psnr/{stage}"):
    assert np.isfinite(scalars[name][1]), name
  assert {tag for tag in others if tag.startswith("stages/")} == {
      "stages/0_masked_input", "stages/0_label", f"stages/{_STAGES[network]}"} | (
          {"stages/0_label_hr"} if network == "sr" else set())
  assert ("hole_ratio" in scalars) == (network != "sr")
  arrays, config = checkpoints.read_model_file(str(pretrained / network))
  assert {name.split("/")[0] for name in arrays} == {network}
  assert config["pretrained"] == {"network": network, "width": 4, "scale": 2 if network == "sr" else 1}
  assert config["step"] == 1
  assert (pretrained / network / "checkpoints" / "ckpt-1.index").exists()


@pytest.mark.usefixtures("eager_functions")
def test_the_joint_stage_starts_from_the_three(pretrained, tmp_path):
  """At a learning rate of next to nothing, kernels stay what they are."""
  assert main(["train", "--width=4", f"--work_dir={tmp_path / 'run'}", "--learning_rates=1e-30", "--decay_fractions=",
               "--weight_adversarial=0", *(f"--init_{name}={pretrained / name}" for name in _STAGES)] + _SMALL) == 0
  arrays, _ = checkpoints.read_model_file(str(tmp_path / "run"))
  for network in _STAGES:
    for name, array in checkpoints.read_model_file(str(pretrained / network))[0].items():
      if not name.endswith(("mean", "var")):
        np.testing.assert_array_equal(arrays[name], array)


def test_a_network_alone_is_no_model(pretrained, tmp_path, capsys):
  assert main(["inpaint", f"--model={pretrained / 'coarse'}", "--image=data/images/astronaut.jpg",
               "--mask=data/masks/astronaut.png", f"--output={tmp_path / 'out.png'}"]) == 2
  assert "one network alone, from z2i pretrain" in capsys.readouterr().err


def test_a_finished_run_says_so_and_belongs_to_its_network(pretrained, capsys):
  command = ["pretrain", "--width=4", "--mask_reference_size=64", "--validation_dir=data/images",
             f"--work_dir={pretrained / 'coarse'}", *_SMALL]
  assert main(command + ["--network=coarse"]) == 0
  assert "has its 1 steps already" in capsys.readouterr().out
  assert main(command + ["--network=refine"]) == 2
  assert "holds a run of z2i pretrain --network=coarse, not of z2i pretrain --network=refine" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, message", [
    ([], "--network is missing"),
    (["--network=disc"], "--network=disc"),
    (["--network=coarse", "--scale=2"], "--scale=2: only --network=sr zooms"),
    (["--network=sr", "--scale=5"], "scale=5"),
    (["--network=sr", "--init_sr=nowhere"], "nowhere: no model here"),
    (["--network=sr", "--init_coarse=nowhere"], "--init_coarse=nowhere: --network=sr can only start from --init_sr"),
    (["--network=sr", "--init_all=nowhere"], "Unknown command line flag 'init_all'"),
    (["--network=sr", "--width=5"], "even number"),
    (["--network=sr", "--mask_kind=large"], "--mask_kind=large: there are no masks here"),
    (["--network=coarse", "--weight_vgg=-1", "--vgg_weights=nowhere.h5"], "weight_vgg=-1"),
    (["--network=coarse", "--vgg_weights=nowhere.h5"], "nowhere.h5: no such file"),
    (["--network=coarse", "--data_dir="], "--data_dir is missing"),
    (["--network=coarse", "--work_dir="], "--work_dir is missing"),
])
def test_unusable_settings_get_one_line(tmp_path, capsys, arguments, message):
  assert main(["pretrain", f"--work_dir={tmp_path / 'run'}"] + _SMALL + arguments) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not (tmp_path / "run").exists()

"""`z2i pretrain` from the command line, what it leaves, and its hand-over to `z2i train`."""

import contextlib
import io

import numpy as np
import pytest

from tests.training import stand_ins
from tests.training.test_loop import read_events
from tests.training.test_loop import read_pictures
from z2i_tf.cli.main import main
from z2i_tf.models import model_weights

_SMALL = [
  "--data_dir=data/images",
  "--crop_size=16",
  "--batch_size=2",
  "--log_every=1",
  "--perceptual_weights=none",
  "--iterations=1",
  "--save_every=1",
]
_STAGES = {"coarse": "1_coarse", "sr": "2_zoomed", "refine": "3_refined"}


@pytest.fixture(name="pretrained", scope="module")
def _pretrained(tmp_path_factory):
  """A step of each network; returns the folder of the three runs."""
  folder = tmp_path_factory.mktemp("pretrained")
  with stand_ins.eagerly(), contextlib.redirect_stdout(io.StringIO()) as said:
    for network in _STAGES:
      masks = [] if network == "sr" else ["--mask_reference_size=64"]
      assert (
        main(
          [
            "pretrain",
            f"--network={network}",
            "--width=4",
            "--validation_dir=data/images",
            f"--work_dir={folder / network}",
            *masks,
          ]
          + _SMALL
        )
        == 0
      )
  (folder / "said.txt").write_text(said.getvalue())
  return folder


def test_what_makes_a_model_of_it_is_said(pretrained, capsys):
  lines = (pretrained / "said.txt").read_text().splitlines()
  for network, shape in (("coarse", "--width=4"), ("refine", "--width=4"), ("sr", "--sr_width=4 --scale=2")):
    folder = pretrained / network / "best"
    assert sum(f"z2i train {shape} --init_{network}={folder}" in line for line in lines) == 1
    paths = "data/images/astronaut.jpg", "data/masks/astronaut.png", "-o", str(pretrained / "out.png")
    assert main(["inpaint", *paths, f"--model={folder}"]) == 2
    assert f"start z2i train with --init_{network}={folder}" in capsys.readouterr().err


@pytest.mark.parametrize("network", _STAGES)
def test_run_leaves_events_checkpoints_and_weights(pretrained, network):
  scalars, _ = read_events(pretrained / network / "events")
  stage = _STAGES[network][2:]
  for name in (
    f"loss/l1_{network}",
    "loss/generator",
    f"gradient_norm/{network}",
    f"psnr/{stage}",
    f"validation/psnr/{stage}",
  ):
    assert np.isfinite(scalars[name][1]), name
  ((tag, step, picture),) = read_pictures(pretrained / network / "events")
  # Input, output and original of the validation images; titles above them.
  assert (tag, step) == ("examples", 1) and picture.shape == (20 + 4 * 132, 3 * 132 - 4, 3)
  assert ("hole_ratio" in scalars) == (network != "sr")
  arrays, config = model_weights.read_model_file(str(pretrained / network))
  assert {name.split("/")[0] for name in arrays} == {network}
  assert config["pretrained"] == {"network": network, "width": 4, "scale": 2 if network == "sr" else 1}
  assert config["step"] == 1
  assert (pretrained / network / "checkpoints" / "ckpt-1.index").exists()


_NO_RATE = ["--learning_rates=1e-30", "--decay_fractions="]  # Next to nothing: kernels stay what they are.


def _statistics_that_moved(folder, pretrained, network):
  """Whether those of a network's batch norms are other ones than before, in all of them or in none."""
  arrays, _ = model_weights.read_model_file(str(folder))
  former, _ = model_weights.read_model_file(str(pretrained / network))
  moved = {not np.array_equal(arrays[name], array) for name, array in former.items() if name.endswith(("mean", "var"))}
  assert len(moved) == 1
  return moved.pop()


@pytest.mark.usefixtures("eager_functions")
def test_the_joint_stage_starts_from_the_three(pretrained, tmp_path):
  assert (
    main(
      [
        "train",
        "--width=4",
        f"--work_dir={tmp_path / 'run'}",
        *_NO_RATE,
        "--freeze_batch_norm=coarse",
        "--weight_adversarial=0",
        *(f"--init_{name}={pretrained / name}" for name in _STAGES),
      ]
      + _SMALL
    )
    == 0
  )
  arrays, _ = model_weights.read_model_file(str(tmp_path / "run"))
  for network in _STAGES:
    for name, array in model_weights.read_model_file(str(pretrained / network))[0].items():
      if not name.endswith(("mean", "var")):
        np.testing.assert_array_equal(arrays[name], array)
  assert not _statistics_that_moved(tmp_path / "run", pretrained, "coarse")
  assert _statistics_that_moved(tmp_path / "run", pretrained, "refine")


@pytest.mark.usefixtures("eager_functions")
def test_batch_norms_of_a_network_alone_are_frozen(pretrained, tmp_path):
  initial = {"mean": 0.0, "var": 1.0}
  for name, array in model_weights.read_model_file(str(pretrained / "refine"))[0].items():
    if name.endswith(tuple(initial)):
      assert np.any(array != initial[name.rsplit("/")[-1]]), name  # Without freezing they move.
  assert (
    main(
      [
        "pretrain",
        "--network=refine",
        "--width=4",
        f"--init_refine={pretrained / 'refine'}",
        *_NO_RATE,
        "--freeze_batch_norm=refine",
        f"--work_dir={tmp_path / 'run'}",
      ]
      + _SMALL
    )
    == 0
  )
  assert not _statistics_that_moved(tmp_path / "run", pretrained, "refine")


@pytest.mark.parametrize(
  "network, frozen, message",
  [
    ("sr", "sr", "batch norms of these networks: none. Received: --freeze_batch_norm=sr"),
    ("coarse", "refine", "batch norms of these networks: coarse. Received: --freeze_batch_norm=refine"),
    ("coarse", "coarse", "no statistics to keep. Received: --freeze_batch_norm=coarse"),
  ],
)
def test_batch_norms_that_cannot_be_frozen(network, frozen, message, tmp_path, capsys):
  assert (
    main(
      [
        "pretrain",
        f"--network={network}",
        "--width=4",
        f"--freeze_batch_norm={frozen}",
        f"--work_dir={tmp_path / 'run'}",
      ]
      + _SMALL
    )
    == 2
  )
  assert message in capsys.readouterr().err
  assert not (tmp_path / "run").exists()


def test_a_network_alone_is_no_model(pretrained, tmp_path, capsys):
  assert (
    main(
      [
        "inpaint",
        f"--model={pretrained / 'coarse'}",
        "--image=data/images/astronaut.jpg",
        "--mask=data/masks/astronaut.png",
        f"--output={tmp_path / 'out.png'}",
      ]
    )
    == 2
  )
  assert "network alone, from z2i pretrain" in capsys.readouterr().err


def test_a_finished_run_says_so_and_belongs_to_its_network(pretrained, capsys):
  command = [
    "pretrain",
    "--width=4",
    "--mask_reference_size=64",
    "--validation_dir=data/images",
    f"--work_dir={pretrained / 'coarse'}",
    *_SMALL,
  ]
  assert main(command + ["--network=coarse"]) == 0
  assert "is finished (step 1 of 1)" in capsys.readouterr().out
  assert main(command + ["--network=refine"]) == 2
  assert "holds a run of z2i pretrain --network=coarse, not of z2i pretrain --network=refine" in capsys.readouterr().err


@pytest.mark.parametrize(
  "arguments, message",
  [
    ([], "--network is missing"),
    (["--network=disc"], "--network=disc"),
    (["--network=coarse", "--scale=2"], "--scale=2: only --network=sr zooms"),
    (["--network=sr", "--scale=5"], "--scale=5"),
    (["--network=sr", "--init_sr=nowhere"], "nowhere: no model here"),
    (["--network=sr", "--init_coarse=nowhere"], "--init_coarse=nowhere: --network=sr can only start from --init_sr"),
    (["--network=sr", "--init_all=nowhere"], "Unknown command line flag 'init_all'"),
    (["--network=sr", "--width=5"], "even number"),
    (["--network=sr", "--mask_kind=large"], "--mask_kind=large: the network 'sr' trains without masks"),
    (["--network=sr", "--l1_normalization=hole"], "--l1_normalization=hole: the network 'sr' trains without masks"),
    (["--network=coarse", "--weight_vgg=-1", "--perceptual_weights=nowhere.h5"], "--weight_vgg=-1"),
    (["--network=coarse", "--perceptual_weights=nowhere.h5"], "nowhere.h5: no such file"),
    (["--network=coarse", "--data_dir="], "--data_dir is missing"),
    (["--network=coarse", "--work_dir="], "--work_dir is missing"),
  ],
)
def test_unusable_settings_get_one_line(tmp_path, capsys, arguments, message):
  assert main(["pretrain", f"--work_dir={tmp_path / 'run'}"] + _SMALL + arguments) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not (tmp_path / "run").exists()

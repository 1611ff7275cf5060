"""`z2i train` from photographs to a model that inpaints, and what it refuses."""

import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.training.test_loop import read_events
from z2i_tf import checkpoints
from z2i_tf import image_io
from z2i_tf.cli.main import main

_SMALL = ["--width=4", "--sr_width=2", "--discriminator_width=6", "--crop_size=16",
          "--mask_reference_size=64", "--batch_size=2", "--vgg_weights=none", "--log_every=1",
          "--evaluate_every=2", "--save_every=2"]


def _weights(work_dir):
  arrays, config = checkpoints.read_model_file(str(work_dir))
  return arrays, config


@pytest.fixture(name="finished", scope="module")
def _finished(tmp_path_factory):
  """A run of 3 steps on the sample photographs, validated on them too; returns its folder and output."""
  work_dir = tmp_path_factory.mktemp("runs") / "whole"
  assert main(["train", "--data_dir=data/images", "--validation_dir=data/images", f"--work_dir={work_dir}",
               "--iterations=3"] + _SMALL) == 0
  return work_dir


def test_run_leaves_events_checkpoints_and_a_model_that_inpaints(finished, tmp_path):
  scalars, others = read_events(finished / "events")
  for name in ("loss/l1_coarse", "loss/l1_sr", "loss/l1_refine", "loss/gradient", "loss/adversarial",
               "loss/adversarial_discriminator", "loss/generator", "gradient_norm/coarse",
               "gradient_norm/disc", "psnr/result", "psnr/composed_hr", "hole_ratio"):
    assert set(scalars[name]) == {1, 2, 3}, name
    assert np.isfinite(list(scalars[name].values())).all()
  assert set(scalars["validation/psnr/result"]) == {2, 3}
  for stage in ("0_masked_input", "0_label", "1_coarse", "2_zoomed", "3_refined", "4_composed_hr",
                "5_zoomed_out", "6_result"):
    assert f"stages/{stage}" in others
  assert "config" in others
  arrays, config = _weights(finished)
  assert config["step"] == 3
  assert config["model"] == {"zoom": "sr", "scale": 2, "width": 4, "sr_width": 2}
  assert arrays["disc/conv00/kernel"].shape[-1] == 6
  output = tmp_path / "out.png"
  assert main(["inpaint", "--image=data/images/astronaut.jpg", "--mask=data/masks/astronaut.png",
               f"--output={output}", f"--model={finished}"]) == 0
  assert image_io.read_rgb(str(output)).shape == (256, 256, 3)


def test_stopped_and_continued_ends_like_an_uninterrupted_run(finished, tmp_path, capsys):
  command = ["train", "--data_dir=data/images", "--validation_dir=data/images",
             f"--work_dir={tmp_path / 'run'}"] + _SMALL
  assert main(command + ["--iterations=2", "--decay_fractions=0.8,0.9"]) == 0
  assert main(command + ["--iterations=3", "--decay_fractions=0.8,0.9"]) == 0
  assert "continuing from" in capsys.readouterr().out
  reader, expected = (tf.train.load_checkpoint(str(folder / "checkpoints" / "ckpt-3"))
                      for folder in (tmp_path / "run", finished))
  names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
  assert any("generator_optimizer" in name for name in names)
  for name in names:
    if "save_counter" not in name:
      np.testing.assert_allclose(reader.get_tensor(name), expected.get_tensor(name), rtol=1e-3, atol=1e-5,
                                 err_msg=name)


def test_other_settings_in_the_same_folder_are_refused(finished, capsys):
  assert main(["train", "--data_dir=data/images", f"--work_dir={finished}", "--iterations=4"]
              + [flag for flag in _SMALL if "batch" not in flag]) == 2
  error = capsys.readouterr().err
  assert "--batch_size was 2, is 16" in error and error.count("\n") == 1
  settings = json.loads((finished / "config.json").read_text())
  assert settings["crop_size"] == 16 and "iterations" not in settings


def test_a_new_run_starts_from_given_weights(finished, tmp_path):
  command = ["train", "--data_dir=data/images", "--iterations=1", "--learning_rates=1e-30",
             "--decay_fractions="] + _SMALL
  assert main(command + [f"--init_all={finished}", f"--work_dir={tmp_path / 'all'}"]) == 0
  source, (arrays, _) = _weights(finished)[0], _weights(tmp_path / "all")
  for name in ("coarse/conv05/kernel", "sr/conv10/bias", "refine/conv20/kernel"):
    np.testing.assert_allclose(arrays[name], source[name], atol=1e-7)


@pytest.mark.parametrize("flags, message", [
    (["--init_coarse=nowhere"], "nowhere: no model here"),
    (["--init_sr={finished}", "--zoom=none"], "has no such network"),
    (["--init_all={finished}", "--init_sr={finished}"], "leave out --init_sr"),
    (["--init_coarse={finished}", "--width=6"], "coarse/conv00/kernel has shape (3, 3, 4, 4)"),
    (["--batch_size=0"], "--batch_size"),
    (["--crop_size=20"], "crop_size=20"),
    (["--crop_size=512"], "smaller than the crop"),
    (["--mask_reference_size=8"], "raise the mask reference size"),
    (["--zoom=sr", "--scale=1"], "scale=1"),
    (["--zoom=linear"], "--zoom=linear"),
    (["--width=5"], "even number"),
    (["--discriminator_width=5"], "even number"),
    (["--mask_kind=round"], "--mask_kind=round"),
    (["--learning_rates=1e-3"], "one learning rate more"),
    (["--learning_rates=fast,slow,stop"], "fast"),
    (["--weight_l1_sr=-1"], "weight_l1_sr=-1"),
    (["--vgg_weights=nowhere.h5"], "nowhere.h5: no such file"),
    (["--data_dir=nowhere"], "nowhere: no such folder"),
    (["--data_dir=flags"], "no images in it"),
    (["--work_dir=nowhere/run"], "create it first"),
    (["--flagfile=nowhere.cfg"], "nowhere.cfg"),
    (["stray"], "unexpected argument 'stray'"),
])
def test_unusable_settings_get_one_line(finished, tmp_path, capsys, flags, message):
  flags = [flag.format(finished=finished) for flag in flags]
  command = ["train", "--data_dir=data/images", f"--work_dir={tmp_path / 'run'}", "--iterations=1"]
  assert main(command + _SMALL + flags) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not os.path.exists(tmp_path / "run" / "checkpoints")


@pytest.mark.parametrize("name", sorted(os.listdir("flags")))
def test_flagfiles_parse_and_name_only_known_flags(name, capsys):
  """A flag that needs a value from the user is the only thing missing."""
  with open(os.path.join("flags", name), encoding="utf-8") as file:
    text = file.read()
  assert text.startswith("#") and "'" not in text.replace("'s", "") and not re.search(r"=.*/home|=.*\"", text)
  assert main(["train", f"--flagfile=flags/{name}"]) == 2
  assert "--data_dir is missing" in capsys.readouterr().err

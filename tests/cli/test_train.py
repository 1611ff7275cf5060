"""`z2i train` from photographs to a model that inpaints, and what it refuses."""

import csv
import json
import os
import shutil

from absl import flags
import numpy as np
import pytest
import tensorflow as tf

from tests.datasets import stand_ins as data_sets
from tests.training import stand_ins
from tests.training.test_loop import read_events
from tests.training.test_loop import read_pictures
from z2i_tf.cli import train
from z2i_tf.cli.flags import training_flags
from z2i_tf.cli.main import main
from z2i_tf.images import image_files
from z2i_tf.models import model_weights
from z2i_tf.system import folder_lock
from z2i_tf.training import checkpoints
from z2i_tf.training import run_stage
from z2i_tf.training.work_dir import LOCK_FILE

_SMALL = [
  "--width=4",
  "--sr_width=2",
  "--discriminator_width=6",
  "--crop_size=16",
  "--mask_reference_size=64",
  "--batch_size=2",
  "--perceptual_weights=none",
  "--log_every=1",
  "--evaluate_every=2",
  "--save_every=1",
]
_DATA = ["train", "--data_dir=data/images", "--validation_dir=data/images"]
_COMMAND = _DATA + _SMALL
_WIDTHS_LEFT_OUT = {
  "--weight_adversarial=0": "--discriminator_width=",
  "--zoom=none": "--sr_width=",
  "--zoom=bicubic": "--sr_width=",
}


def _small_with(arguments):
  """Returns `_SMALL` without the widths of networks that the arguments leave out, and the arguments."""
  left_out = tuple(_WIDTHS_LEFT_OUT[argument] for argument in arguments if argument in _WIDTHS_LEFT_OUT)
  return [flag for flag in _SMALL if not flag.startswith(left_out)] + arguments


def _weights(work_dir):
  arrays, config = model_weights.read_model_file(str(work_dir))
  return arrays, config


@pytest.fixture(name="finished", scope="module")
def _finished(built_once):
  """A run of 3 steps on the sample photographs, validated on them too; returns its folder.

  Eager, as all of this file is: `z2i train` with a traced step is `test_overfit`, the traced step with a discriminator
  `test_joint_step`.
  """

  def build(work_dir):
    with stand_ins.eagerly():
      assert main(_COMMAND + [f"--work_dir={work_dir}", "--iterations=3", "--keep_every=2"]) == 0

  return built_once("trained", build)


def test_run_leaves_events_checkpoints_and_a_model_that_inpaints(finished, tmp_path):
  scalars, others = read_events(finished / "events")
  for name in (
    "loss/l1_coarse",
    "loss/l1_sr",
    "loss/l1_refine",
    "loss/gradient",
    "loss/adversarial",
    "loss/adversarial_discriminator",
    "loss/generator",
    "gradient_norm/coarse",
    "gradient_norm/disc",
    "psnr/result",
    "psnr/composed_hr",
    "hole_ratio",
  ):
    assert set(scalars[name]) == {1, 2, 3}, name
    assert np.isfinite(list(scalars[name].values())).all()
  for name in ("psnr/result", "psnr/composed_hr", "ssim/result", "l1/result", "hole_psnr/result", "hole_l1/result"):
    assert set(scalars["validation/" + name]) == {2, 3}, name
  assert scalars["learning_rate/generator"] == scalars["learning_rate/discriminator"]
  np.testing.assert_allclose(list(scalars["learning_rate/generator"].values()), [1e-3, 1e-3, 1e-4], rtol=1e-5)
  for name in ("speed/examples_per_second", "data/wait_share", "skipped_steps"):
    assert set(scalars[name]) == {1, 2, 3}
  assert set(scalars["data/skipped_images"].values()) == {0}
  pictures = read_pictures(finished / "events")
  assert [(tag, step) for tag, step, _ in pictures] == [("examples", 2), ("examples", 3)]
  # Four crops of 16 pixels in columns of 128: masked, coarse, result, original.
  assert pictures[0][2].shape == (20 + 4 * 132, 4 * 132 - 4, 3)
  masked, _, result, original = (pictures[0][2][20:, 132 * column : 132 * column + 128] for column in range(4))
  is_known = masked.any(axis=-1)
  assert 0 < is_known.mean() < 1
  np.testing.assert_array_equal(masked[is_known], original[is_known])
  np.testing.assert_array_equal(result[is_known], original[is_known])
  assert (result[~is_known] != original[~is_known]).any()
  assert "config" in others
  arrays, config = _weights(finished)
  assert config["step"] == 3
  assert config["model"] == {"zoom": "sr", "scale": 2, "width": 4, "sr_width": 2}
  assert arrays["disc/conv00/kernel"].shape[-1] == 6
  output = tmp_path / "out.png"
  assert (
    main(
      [
        "inpaint",
        "--image=data/images/astronaut.jpg",
        "--mask=data/masks/astronaut.png",
        f"--output={output}",
        f"--model={finished}",
      ]
    )
    == 0
  )
  assert image_files.read_rgb(str(output)).shape == (256, 256, 3)


def _checkpoint(work_dir, step):
  """Returns every variable of a checkpoint, and its record."""
  reader = tf.train.load_checkpoint(str(work_dir / "checkpoints" / f"ckpt-{step}"))
  entries = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
  record = json.loads(entries["record/.ATTRIBUTES/py_state"])
  return {name: value for name, value in entries.items() if "VARIABLE_VALUE" in name}, record


def test_the_checkpoint_holds_all_that_goes_on(finished):
  variables, record = _checkpoint(finished, 3)
  for part in ("coarse/", "sr/", "refine/", "disc/", "generator_optimizer/", "discriminator_optimizer/"):
    assert any(name.startswith(part) for name in variables), part
  assert (record["step"], record["examples"], record["skipped"]) == (3, 6, 0)
  best = model_weights.read_model_file(str(finished / "best"))[1]
  assert record["best"] == best["validation_psnr"] and best["step"] in (2, 3)
  assert record["settings"]["command"] == "z2i train" and record["settings"]["crop_size"] == 16
  assert model_weights.read_model_file(str(finished / "kept" / "step_2"))[1]["step"] == 2
  assert os.path.basename(tf.train.latest_checkpoint(str(finished / "checkpoints"))) == "ckpt-3"


def _losses(work_dir):
  with open(work_dir / "log.csv", newline="", encoding="utf-8") as file:
    return [
      {name: value for name, value in row.items() if not name.startswith(("speed/", "data/wait"))}
      for row in csv.DictReader(file)
    ]


_AVERAGED = _COMMAND + ["--ema_decay=0.9", "--iterations=3"]
_UNCHANGED = [
  "--learning_rates=1e-30",
  "--decay_fractions=",
  "--freeze_batch_norm=coarse,refine",
  "--iterations=1",
  "--weight_adversarial=0",
]


@pytest.fixture(name="averaged", scope="module")
def _averaged(built_once):
  """As `finished`, with averages of the weights."""

  def build(work_dir):
    with stand_ins.eagerly():
      assert main(_AVERAGED + [f"--work_dir={work_dir}"]) == 0

  return built_once("averaged", build)


def test_averaged_weights_are_what_is_saved_and_raw_ones_lie_beside_them(averaged, finished):
  raw, config = _weights(averaged / "raw")
  expected = _weights(finished)[0]
  assert config["step"] == 3 and raw.keys() == expected.keys()
  for name, array in _weights(averaged)[0].items():
    np.testing.assert_array_equal(raw[name], expected[name], err_msg=name)  # Training itself does not know of them.
    assert np.array_equal(array, raw[name]) == name.startswith("disc/"), name
  assert not (finished / "raw").exists()


@pytest.mark.usefixtures("eager_functions")
def test_killed_while_saving_and_continued_ends_bit_for_bit_like_an_uninterrupted_run(averaged, tmp_path, capsys):
  run = tmp_path / "run"
  shutil.copytree(averaged, run)
  folder = run / "checkpoints"
  for path in [
    *folder.glob("ckpt-3.index"),
    *folder.glob("ckpt-2*"),
    folder / "checkpoint",
    run / "model.npz",
    run / "raw" / "model.npz",
  ]:
    path.unlink()
  (folder / "unfinished_temp").mkdir()
  (folder / "unfinished_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
  (folder / "unfinished.index").write_bytes(b"half")
  assert main(_AVERAGED + [f"--work_dir={run}"]) == 0
  assert f"continuing from {folder / 'ckpt-1'}" in capsys.readouterr().out
  variables, record = _checkpoint(run, 3)
  expected, expected_record = _checkpoint(averaged, 3)
  assert record == expected_record and variables.keys() == expected.keys()
  assert any(name.startswith("averages/") for name in expected)
  for name, value in variables.items():
    np.testing.assert_array_equal(value, expected[name], err_msg=name)
  assert [row["step"] for row in _losses(run)] == ["1", "2", "3"] and _losses(run) == _losses(averaged)
  assert {path.name for path in folder.iterdir()} == {path.name for path in (averaged / "checkpoints").iterdir()}
  for part in (".", "raw"):
    arrays = _weights(run / part)[0]
    for name, array in _weights(averaged / part)[0].items():
      np.testing.assert_array_equal(arrays[name], array, err_msg=name)


@pytest.mark.usefixtures("eager_functions")
def test_averages_are_what_is_measured(averaged, finished, tmp_path):
  """A new run whose weights do not change measures the averages that it starts from as the run that made them did."""
  command = _DATA + _small_with(_UNCHANGED) + [f"--work_dir={tmp_path / 'run'}"]
  assert main(command + [f"--init_{name}={averaged}" for name in ("coarse", "sr", "refine")]) == 0
  measured, expected, raw = (
    float(_losses(folder)[-1]["validation/psnr/result"]) for folder in (tmp_path / "run", averaged, finished)
  )
  assert measured == pytest.approx(expected, abs=1e-4)
  assert abs(measured - raw) > 1e-2  # `finished` has the same raw weights, and measures those.


@pytest.mark.slow
@pytest.mark.usefixtures("eager_functions")
def test_a_warm_up_is_continued_where_it_was(finished, tmp_path):
  """Of three steps two warm up: the generator and its averages change in the last one alone, at its rate."""
  command = _COMMAND + [
    "--iterations=3",
    "--discriminator_warmup_steps=2",
    f"--init_all={finished}",
    "--ema_decay=0.9",
    "--learning_rates=1e-3,1e-4",
    "--decay_fractions=0.7",
  ]
  whole, run = tmp_path / "whole", tmp_path / "run"
  assert main(command + [f"--work_dir={whole}"]) == 0
  source, averages = _weights(finished)[0], {}
  for step in (1, 2):
    variables, _ = _checkpoint(whole, step)
    averages[step] = {name: value for name, value in variables.items() if name.startswith("averages/")}
    assert int(variables["generator_optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE"]) == 0
    assert int(variables["discriminator_optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE"]) == step
  for name, value in averages[2].items():
    np.testing.assert_array_equal(value, averages[1][name])
  initial = {value.tobytes() for value in averages[1].values()}
  assert all(array.tobytes() in initial for name, array in source.items() if not name.startswith("disc/"))
  for name, array in _weights(whole / "raw")[0].items():
    assert not np.array_equal(array, source[name]) or name.endswith("gamma"), name
  rows = _losses(whole)
  assert [bool(row["loss/generator"]) for row in rows] == [False, False, True]
  assert all(row["loss/adversarial_discriminator"] for row in rows)
  for name, rates in (("generator", [1e-4] * 3), ("discriminator", [1e-3, 1e-3, 1e-4])):
    assert [float(row[f"learning_rate/{name}"]) for row in rows] == pytest.approx(rates)
  shutil.copytree(whole, run)
  for path in (run / "checkpoints").glob("ckpt-[23]*"):
    path.unlink()
  assert main(command + [f"--work_dir={run}"]) == 0
  variables, expected = _checkpoint(run, 3)[0], _checkpoint(whole, 3)[0]
  for name, value in variables.items():
    np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_other_settings_in_the_same_folder_are_refused(finished, capsys):
  assert (
    main(
      ["train", "--data_dir=data/images", f"--work_dir={finished}", "--iterations=4"]
      + [flag for flag in _SMALL if "batch" not in flag]
    )
    == 2
  )
  error = capsys.readouterr().err
  assert "--batch_size was 2, is 16" in error and error.count("\n") == 1
  settings = json.loads((finished / "config.json").read_text())
  assert settings["crop_size"] == 16 and settings["iterations"] == 3


def test_a_run_does_not_go_on_with_other_images(finished, tmp_path, capsys):
  shutil.copytree("data/images", tmp_path / "images")
  shutil.copy("data/images/coffee.jpg", tmp_path / "images" / "fifth.jpg")
  assert main(_COMMAND + [f"--data_dir={tmp_path / 'images'}", f"--work_dir={finished}", "--iterations=4"]) == 2
  error = capsys.readouterr().err
  assert "--data_dir content was '4 images, " in error and ", is '5 images, " in error and error.count("\n") == 1


@pytest.mark.usefixtures("eager_functions")
def test_other_settings_may_be_allowed_and_are_said(finished, tmp_path, capsys):
  """The data goes on where it was, whatever the batch size; falling learning rates may become constant."""
  run = tmp_path / "run"
  shutil.copytree(finished, run)
  assert (
    main(
      _COMMAND
      + [
        f"--work_dir={run}",
        "--iterations=4",
        "--batch_size=3",
        "--allow_config_change",
        "--learning_rates=1e-3",
        "--decay_fractions=",
      ]
    )
    == 0
  )
  assert "changed: --batch_size was 2, is 3\n" in capsys.readouterr().out
  record = _checkpoint(run, 4)[1]
  assert (record["step"], record["examples"], record["settings"]["batch_size"]) == (4, 9, 3)


def test_a_flag_that_an_older_run_did_not_know_counts_as_its_default(finished, monkeypatch, capsys):
  read_state = checkpoints.read_state

  def older(work_dir):
    record = read_state(work_dir)
    assert record["settings"].pop("ema_decay") == 0.0
    record["settings"]["vgg_weights"] = record["settings"].pop("perceptual_weights")  # Its former name.
    return record

  monkeypatch.setattr(checkpoints, "read_state", older)
  former_command = ["--vgg_weights=none" if flag == "--perceptual_weights=none" else flag for flag in _COMMAND]
  for command in (_COMMAND, former_command):
    values = flags.FlagValues()
    train.define_flags(values)
    values(["z2i train", *command[1:], f"--work_dir={finished}", "--iterations=3"])
    assert run_stage.check_former_run(training_flags.joint_config(values)) == []
  assert main(_COMMAND + [f"--work_dir={finished}", "--iterations=3", "--ema_decay=0.9"]) == 2
  assert "--ema_decay was 0.0, is 0.9" in capsys.readouterr().err


@pytest.mark.parametrize(
  "flag, former",
  [
    ("--width=6", "4"),
    ("--precision=mixed_float16", "'float32'"),
    ("--weight_adversarial=0", "0.5"),
    ("--zoom=bicubic", "'sr'"),
    ("--ema_decay=0.9", "0.0"),
  ],
)
def test_other_variables_are_never_allowed(finished, capsys, flag, former):
  command = _DATA + _small_with([flag]) + [f"--work_dir={finished}", "--iterations=4", "--allow_config_change"]
  assert main(command) == 2
  error = capsys.readouterr().err
  assert f"holds a run with other variables: {flag.partition('=')[0]} was {former}, is " in error
  assert error.count("\n") == 1


def test_a_folder_of_another_command_is_refused(finished, capsys):
  assert (
    main(
      [
        "pretrain",
        "--network=coarse",
        "--data_dir=data/images",
        f"--work_dir={finished}",
        "--perceptual_weights=none",
        "--allow_config_change",
      ]
    )
    == 2
  )
  assert "holds a run of z2i train, not of z2i pretrain" in capsys.readouterr().err


@pytest.mark.usefixtures("eager_functions")
def test_a_new_run_starts_from_given_weights(finished, tmp_path):
  """At a learning rate of next to nothing only batch-norm averages and spectral norms move.

  (The test of the warm-up has --init_all.)
  """
  networks = ("coarse", "refine", "disc")
  command = [
    "train",
    "--data_dir=data/images",
    "--iterations=1",
    "--learning_rates=1e-30",
    "--decay_fractions=",
    "--seed=5",
    f"--work_dir={tmp_path / 'run'}",
  ] + _SMALL
  assert main(command + [f"--init_{name}={finished}" for name in networks]) == 0
  source, arrays = _weights(finished)[0], _weights(tmp_path / "run")[0]
  for name, array in arrays.items():
    network = name.split("/")[0]
    if name.endswith("kernel") and network != "disc":
      assert np.array_equal(source[name], array) == (network in networks), name
  for number in range(5):  # The discriminator's kernels are rescaled, two power iterations go on from u.
    for name, cosine in (("kernel", 0.9999), ("u", 0.9)):
      now, former = (a[f"disc/conv{number:02d}/{name}"].ravel() for a in (arrays, source))
      assert now @ former / np.linalg.norm(now) / np.linalg.norm(former) > cosine


def test_damaged_checkpoints(finished, tmp_path, capsys):
  """The one before serves; where none can be read, nothing starts anew."""
  run = tmp_path / "run"
  shutil.copytree(finished, run)
  (run / model_weights.MODEL_FILE).unlink()
  command = _COMMAND + [f"--work_dir={run}", "--iterations=2"]

  def cut(step):
    data = run / "checkpoints" / f"ckpt-{step}.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])

  cut(3)
  assert main(command) == 0
  output = capsys.readouterr().out
  assert "ckpt-3 is damaged" in output and "continuing from" in output and "is finished (step 2 of 2)" in output
  assert _weights(run)[1]["step"] == 2
  (run / "checkpoints" / "checkpoint").write_text("")  # TensorFlow's list and config.json are for others to read.
  (run / "config.json").unlink()
  assert main(command) == 0
  capsys.readouterr()
  cut(2)
  cut(1)
  assert main(command) == 2
  error = capsys.readouterr().err
  assert "ckpt-3: neither this checkpoint nor one before" in error and error.count("\n") == 1


def test_two_runs_at_once_are_refused_and_a_finished_one_mends_its_model_file(finished, tmp_path, capsys):
  shutil.copytree(finished, tmp_path / "run")
  (tmp_path / "run" / model_weights.MODEL_FILE).unlink()
  command = _COMMAND + [f"--work_dir={tmp_path / 'run'}", "--iterations=3"]
  lock = tmp_path / "run" / LOCK_FILE
  with folder_lock.locked_folder(str(lock.parent), lock.name, ""):
    assert main(command) == 2
    error = capsys.readouterr().err
    assert f"{lock.parent}: another run is training here" in error and str(lock) in error and error.count("\n") == 1
  assert main(command) == 0 and not lock.exists()
  said = capsys.readouterr().out
  assert "is finished (step 3 of 3)" in said and "z2i inpaint photo.png mask.png" in said.splitlines()[-1]
  assert said.split()[-1] == f"--model={tmp_path / 'run' / 'best'}"  # It was measured on the present images.
  expected = _weights(finished)[0]
  for name, array in _weights(tmp_path / "run")[0].items():
    np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
  "images, validation, is_best",
  [
    ("{tmp_path}/others", "data/images", True),
    ("data/images", "{tmp_path}/others", False),
    ("data/images", None, False),
  ],
)
def test_best_is_recommended_only_if_it_was_measured_on_the_present_images(
  finished, tmp_path, capsys, images, validation, is_best
):
  shutil.copytree(finished, tmp_path / "run")
  shutil.copytree("data/images", tmp_path / "others")
  command = ["train", f"--data_dir={images.format(tmp_path=tmp_path)}", *_SMALL, f"--work_dir={tmp_path / 'run'}"]
  command.append("--iterations=3")
  if validation:
    command.append(f"--validation_dir={validation.format(tmp_path=tmp_path)}")
  assert main([*command, "--allow_config_change"]) == 0
  said = capsys.readouterr().out
  assert "is finished (step 3 of 3)" in said
  assert f"--model={tmp_path / 'run' / 'best' if is_best else tmp_path / 'run'}" == said.split()[-1]


@pytest.mark.usefixtures("eager_functions")
def test_damaged_images_are_skipped_and_counted(tmp_path, capsys):
  """In training data and in those to measure on, here of a TensorFlow Dataset."""
  rng = np.random.default_rng(0)
  images = [rng.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(6)] + [np.zeros((20, 20, 3), np.uint8)]
  data_sets.write_tfds("div2k/bicubic_x2", tmp_path / "tfds", {"train": images, "validation": images[4:]})
  assert (
    main(
      [
        "train",
        "--source=div2k",
        f"--data_dir={tmp_path / 'tfds'}",
        "--validation_split=validation",
        "--iterations=1",
        "--crops_per_image=2",
        f"--work_dir={tmp_path / 'run'}",
      ]
      + _small_with(["--weight_adversarial=0", "--batch_size=12"])
    )
    == 0
  )
  captured = capsys.readouterr()
  assert "7 images, 1 steps of 12 examples: 0.9 epochs" in captured.out
  assert "2 unusable images were skipped" in captured.out
  assert captured.out.count("20x20 pixels, smaller than the crop of 32x32") == 2
  assert "div2k/bicubic_x2/2.0.0 validation" in captured.out and "2.0.0 train" in captured.out
  scalars, _ = read_events(tmp_path / "run" / "events")
  assert scalars["data/skipped_images"][1] >= 1 and "validation/psnr/result" in scalars


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--init_coarse=nowhere"], "nowhere: no model here"),
    (["--init_sr={finished}", "--zoom=none"], "trains no such network"),
    (["--init_all={finished}", "--init_sr={finished}"], "leave out --init_sr"),
    (["--init_disc={finished}", "--weight_adversarial=0"], "trains no such network"),
    (["--init_coarse={finished}", "--width=6"], "coarse/conv00/kernel has 4 filters, the network to train has 6"),
    (["--init_sr={finished}", "--scale=3"], "sr/conv09/kernel has 8 filters, the network to train has 18"),
    (["--batch_size=0"], "--batch_size"),
    (["--source=imagenet"], "--source=imagenet"),
    (["--keep_every=0"], "--keep_every must be at least 1"),
    (["--max_skipped_steps=0"], "--max_skipped_steps must be at least 1"),
    (["--precision=float8"], "--precision=float8"),
    (["--jit_compile", "--deterministic"], "leave out --deterministic or --jit_compile"),
    (["--crop_size=20"], "crop_size=20"),
    (["--crop_size=512", "--mask_reference_size=512"], "none of 4 images is usable"),
    (["--mask_reference_size=8"], "raise --mask_reference_size"),
    (["--zoom=sr", "--scale=1"], "scale=1"),
    (["--zoom=linear"], "--zoom=linear"),
    (["--width=5"], "even number"),
    (["--discriminator_width=5"], "even number"),
    (["--zoom=bicubic", "--sr_width=4"], "there is no super-resolution network. Received: --sr_width=4"),
    (["--weight_adversarial=0", "--discriminator_width=4"], "no discriminator. Received: --discriminator_width=4"),
    (["--mask_kind=round"], "--mask_kind=round"),
    (["--crop_scales=1,half"], "--crop_scales=1,half: expected whole numbers"),
    (["--crop_scales=40"], "none of 4 images is usable"),
    (["--learning_rates=1e-3"], "one learning rate more"),
    (["--learning_rates=fast,slow,stop"], "--learning_rates=fast,slow,stop: expected numbers"),
    (["--learning_rates=nan,nan,nan"], "positive"),
    (["--gradient_clip_norm=nan"], "clip norm"),
    (["--ema_decay=1"], "ema_decay=1.0"),
    (["--discriminator_warmup_steps=1"], "discriminator_warmup_steps=1"),
    (["--discriminator_warmup_steps=1", "--iterations=9", "--weight_adversarial=0"], "there is no discriminator"),
    (["--l1_normalization=mask"], "--l1_normalization=mask"),
    (["--weight_l1_sr=-1"], "weight_l1_sr=-1"),
    (["--perceptual_weights=nowhere.h5"], "nowhere.h5: no such file"),
    (["--data_dir=nowhere"], "nowhere: no such folder"),
    (["--data_dir=flags"], "no images in it"),
    (["--validation_dir=nowhere"], "nowhere: no such folder"),
    (["--validation_split=validation"], "only TensorFlow Datasets have splits"),
    (["--source=div2k", "--validation_dir=data/images"], "use --validation_split"),
    (["--mask_kind=folder"], "need a folder of masks"),
    (["--work_dir=setup.py/run"], "setup.py is a file"),
    (["--flagfile=nowhere.cfg"], "nowhere.cfg"),
    (["--flagfile=data/images/coffee.jpg"], "not UTF-8"),
    (
      ["--weight_l1_coarse=0", "--weight_l1_refine=0", "--weight_gradient=0", "--weight_adversarial=0", "--zoom=none"],
      "nothing would be trained",
    ),
    (["--seed=4294967296"], "--seed"),
    (["--work_dir=setup.py"], "setup.py is a file"),
    (["stray"], "unexpected argument 'stray'"),
  ],
)
def test_unusable_settings_get_one_line(finished, tmp_path, capsys, arguments, message):
  arguments = [argument.format(finished=finished) for argument in arguments]
  command = ["train", "--data_dir=data/images", f"--work_dir={tmp_path / 'run'}", "--iterations=1"]
  assert main(command + _small_with(arguments)) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not os.path.exists(tmp_path / "run" / "config.json")


def test_an_image_that_breaks_while_training_ends_the_process_with_one_line(forks, tmp_path):
  noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  (tmp_path / "images").mkdir()
  for name in ("cut.png", "sound.png"):
    image_files.write_rgb(str(tmp_path / "images" / name), noise)
  data = (tmp_path / "images" / "cut.png").read_bytes()
  (tmp_path / "images" / "cut.png").write_bytes(data[:5000])
  command = ["train", f"--data_dir={tmp_path / 'images'}", "--on_bad_image=fail", "--iterations=9"]
  process = forks.start([*command, f"--work_dir={tmp_path / 'run'}", *_SMALL], eager=True)
  output, errors = process.communicate()
  assert process.returncode == 2 and "2 images, 9 steps" in output
  assert "cut.png: not an image that can be read" in errors.splitlines()[-1]
  assert "Traceback" not in errors

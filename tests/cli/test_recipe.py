"""`z2i recipe`: the recipes and flagfiles of flags/, a small recipe from beginning to end, and what is refused."""

import contextlib
import dataclasses
import glob
import io
import itertools
import os
import re
import shutil

from absl import flags
import numpy as np
import pytest

from tests.training import stand_ins
from z2i_tf.cli import pretrain as pretrain_command
from z2i_tf.cli import recipe
from z2i_tf.cli import train
from z2i_tf.cli.flags import training_flags
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.losses.terms import LossWeights
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.training import devices
from z2i_tf.training import inputs
from z2i_tf.training import joint
from z2i_tf.training import pretrain
from z2i_tf.training import recipe as recipes

_FLAGFILES = sorted(glob.glob("flags/**/*.cfg", recursive=True))
_DATA = ["--data_dir=PHOTOS"]  # Which the compact stages cannot do without.


def _recipe_values(path):
  values = flags.FlagValues()
  recipe.define_flags(values)
  values(["z2i recipe", f"--flagfile={path}"])
  return values


def _is_recipe(path):
  lines = flags.FlagValues().read_flags_from_files([f"--flagfile={path}"])
  return any(line.startswith("--stages=") for line in lines)


_RECIPES = [path for path in _FLAGFILES if _is_recipe(path)]
_STAGES = [path for path in _FLAGFILES if path not in _RECIPES]


def _plan(path):
  values = _recipe_values(path)
  return recipe.planned(values.stages, values.work_dir, _DATA)


def _by_hand(path):
  """The stage as `z2i train` or `z2i pretrain` would see it."""
  return recipe.planned([path], "runs/by_hand", _DATA)[0]


def _flags_of(path):
  """All flags and their values, but for where the stage starts and where it leaves its weights."""
  settings = _by_hand(path).config.settings()
  del settings["work_dir"], settings["command"]
  return {name: value for name, value in settings.items() if not name.startswith("init_")}


def _differences(path, paper):
  """The flags in which a stage differs from one of the paper's."""
  former = _flags_of(f"flags/{paper}.cfg")
  return {name: value for name, value in _flags_of(path).items() if former[name] != value}


def test_every_flagfile_belongs_to_a_recipe():
  assert {stage for path in _RECIPES for stage in _recipe_values(path).stages} == set(_STAGES) - {"flags/overfit.cfg"}
  assert {os.path.relpath(path, "flags") for path in _RECIPES} == {
    "paper.cfg",
    "compact.cfg",
    *(
      f"compact/ablation/{name}.cfg"
      for name in (
        "no_zoom",
        "no_zoom_equal_time",
        "bicubic_zoom",
        "bicubic_zoom_equal_time",
        "sr_zoom",
        "sr_zoom_plus",
      )
    ),
    *(
      f"ablation/{name}.cfg"
      for name in (
        "no_zoom",
        "bicubic_zoom",
        "no_zoom_width_64",
        "bicubic_zoom_width_64",
        "sr_zoom",
        "sr_zoom_plus",
        "large_masks_directly",
      )
    ),
    *(f"scale_study/scale_{scale}.cfg" for scale in (1, 2, 3, 4)),
    *(
      f"compact/deepfill_v2/{name}.cfg"
      for name in ("no_zoom", "no_zoom_equal_time", "bicubic_zoom", "bicubic_zoom_equal_time", "sr_zoom")
    ),
  }


@pytest.mark.parametrize("path", _STAGES)
def test_stages_make_usable_records_without_personal_paths(path):
  lines = flags.FlagValues().read_flags_from_files([f"--flagfile={path}"])
  assert not [line for line in lines if line.startswith(("--data_dir", "--work_dir", "--validation_dir"))]
  assert all(line.startswith("--") and not line.partition("=")[2].startswith(("/", "~")) for line in lines)
  stage = _by_hand(path)
  examples = inputs.example_config(stage.config)
  assert examples.crop_size_hr == stage.config.crop_size * stage.config.zoom_factor
  assert all(folder.startswith("runs/") for folder in stage.config.initial_weights.values())


@pytest.mark.parametrize("path", _RECIPES)
def test_every_checkpoint_that_a_stage_names_is_left_by_an_earlier_one(path):
  """By hand, with the folders of the headers, a stage starts from what the recipe hands over to it."""
  with open(path, encoding="utf-8") as file:
    assert f"#   z2i recipe --flagfile={path}" in file.read()
  for stage in _plan(path):
    own = _by_hand(stage.origin).config
    named = {name: own.initial_weights_of(name) for name in stage.config.networks}
    assert {name: folder for name, folder in named.items() if folder} == {
      name: former.folder for name, former in stage.predecessors.items()
    }
    # The same settings let a recipe continue a stage that was begun by hand.
    assert own.initial_weights == stage.config.initial_weights
    assert stage.folder.startswith("runs/")
    data = " --data_dir=PHOTOS" if "compact" in path else ""
    with open(stage.origin, encoding="utf-8") as file:
      header = "".join(itertools.takewhile(lambda line: line.startswith("#"), file))
    assert f"#   {stage.config.command}{data} --flagfile={stage.origin} --work_dir={stage.folder}\n" in header
    if data:
      assert all(re.search(rf"\b{former.name}\.cfg\b", header) for former in stage.predecessors.values()), header


def test_stages_of_one_folder_are_of_one_flagfile():
  folders = {}
  for path in _RECIPES:
    values = _recipe_values(path)
    for stage in values.stages:
      name = os.path.join(values.work_dir, os.path.basename(stage))
      assert folders.setdefault(name, stage) == stage


@pytest.mark.parametrize(
  "name, source, crop_size, iterations, weight_vgg",
  [
    ("coarse", "places365_small", 256, 180_000, 0.01),
    ("refine", "places365_small", 256, 180_000, 0.01),
    ("sr", "div2k", 64, 400_000, 0.0),
  ],
)
def test_pretraining_is_the_paper_s(name, source, crop_size, iterations, weight_vgg):
  stage = _by_hand(f"flags/pretrain_{name}.cfg")
  values, optimizer = stage.config, stage.config.optimizer
  assert (values.network, values.source, values.crop_size, values.weight_vgg) == (name, source, crop_size, weight_vgg)
  assert (optimizer.iterations, optimizer.learning_rates, optimizer.decay_fractions, optimizer.gradient_clip_norm) == (
    iterations,
    (1e-3, 1e-4, 1e-5),
    (0.8, 0.9),
    0,
  )
  assert (values.batch_size, values.width, values.mask_kind, stage.config.zoom_factor) == (
    16,
    64,
    "small",
    2 if name == "sr" else 1,
  )
  assert values.perceptual_weights == ("none" if name == "sr" else "imagenet")


@pytest.mark.parametrize(
  "name, masks, iterations, learning_rates",
  [
    ("train_small_masks", "small", 80_000, (1e-3, 1e-4, 1e-5)),
    ("train_large_masks", "large", 1_200_000, (1e-5, 1e-6, 1e-7)),
  ],
)
def test_joint_stages_are_the_paper_s(name, masks, iterations, learning_rates):
  values = config = _by_hand(f"flags/{name}.cfg").config
  assert config.model == ModelConfig(zoom="sr", scale=2, width=64, sr_width=64)
  assert config.networks["disc"] == {"width": 64}
  assert config.loss_weights == LossWeights(1.0, 1.0, 1.0, 1.0, 0.01, 1e-5, 0.5)
  assert (
    values.source,
    values.crop_size,
    values.batch_size,
    values.perceptual_weights,
    values.mask_reference_size,
  ) == ("div2k", 256, 16, "imagenet", None)
  assert (values.mask_kind, config.optimizer.iterations, config.optimizer.learning_rates) == (
    masks,
    iterations,
    learning_rates,
  )
  assert config.optimizer.decay_fractions == (0.8, 0.9) and config.optimizer.gradient_clip_norm == 0


def test_defaults_are_the_paper_s_small_mask_stage():
  """Of the flags, of the flagfile and of the settings in Python."""
  configs = []
  for arguments in (["--source=div2k"], ["--flagfile=flags/train_small_masks.cfg"]):
    values = flags.FlagValues()
    train.define_flags(values)
    values(["z2i train", "--work_dir=run", *arguments])
    configs.append(training_flags.joint_config(values))
  flagfile = dataclasses.replace(configs[1], initial_weights={}, validation_split=None, scale=None)
  assert configs[0] == flagfile == joint.JointConfig(work_dir="run", source="div2k")
  assert configs[0].zoom_factor == configs[1].scale


def test_defaults_of_pretraining_are_the_same_as_flags_and_in_python():
  for network in pretrain.NETWORKS:
    values = flags.FlagValues()
    pretrain_command.define_flags(values)
    values(["z2i pretrain", f"--network={network}", "--work_dir=run", "--data_dir=PHOTOS"])
    expected = pretrain.PretrainConfig(network=network, work_dir="run", data_dir="PHOTOS")
    assert training_flags.pretrain_config(values) == expected


_PRETRAINING = ["pretrain_coarse", "pretrain_refine", "pretrain_sr"]
_JOINT = ["train_small_masks", "train_large_masks"]
_NO_ZOOM = {"zoom": "none", "scale": 1, "weight_gradient": 0, "weight_l1_sr": 0}
_BICUBIC = {"zoom": "bicubic", "weight_gradient": 0, "weight_l1_sr": 0}
_WIDE = {"width": 70, "discriminator_width": 64}
_SMALLER = {"crop_size": 128, "weight_gradient": 0}


@pytest.mark.parametrize(
  "path, stages",
  [
    ("paper", [(name, {}) for name in _PRETRAINING + _JOINT]),
    ("ablation/sr_zoom_plus", [(name, {}) for name in _PRETRAINING + _JOINT]),
    ("ablation/sr_zoom", [(name, {}) for name in _PRETRAINING] + [(name, {"weight_gradient": 0}) for name in _JOINT]),
    *(
      (
        f"ablation/{name}",
        [(name, {"width": 70}) for name in _PRETRAINING[:2]] + [(name, {**zoom, **_WIDE}) for name in _JOINT],
      )
      for name, zoom in (("no_zoom", _NO_ZOOM), ("bicubic_zoom", _BICUBIC))
    ),
    *(
      (f"ablation/{name}_width_64", [(name, {}) for name in _PRETRAINING[:2]] + [(name, zoom) for name in _JOINT])
      for name, zoom in (("no_zoom", _NO_ZOOM), ("bicubic_zoom", _BICUBIC))
    ),
    (
      "ablation/large_masks_directly",
      [(name, {}) for name in _PRETRAINING] + [("train_small_masks", {"mask_kind": "large", "iterations": 2_000_000})],
    ),
    (
      "scale_study/scale_1",
      [(name, {"crop_size": 128}) for name in _PRETRAINING[:2]]
      + [(name, {**_NO_ZOOM, "crop_size": 128}) for name in _JOINT],
    ),
    *(
      (
        f"scale_study/scale_{scale}",
        [
          ("pretrain_coarse", {"crop_size": 128}),
          ("pretrain_refine", {"crop_size": 128}),
          ("pretrain_sr", {"scale": scale} if scale > 2 else {}),
          *((name, {**_SMALLER, **({"scale": scale} if scale > 2 else {})}) for name in _JOINT),
        ],
      )
      for scale in (2, 3, 4)
    ),
  ],
)
def test_recipes_differ_from_the_paper_s_stages_in_nothing_but_this(path, stages):
  flagfiles = _recipe_values(f"flags/{path}.cfg").stages
  assert len(flagfiles) == len(stages)
  for flagfile, (paper, differences) in zip(flagfiles, stages):
    assert _differences(flagfile, paper) == differences, flagfile


@pytest.mark.parametrize(
  "name, differences",
  [
    ("sr_zoom_plus", {}),
    ("sr_zoom", {"weight_gradient": 0}),
    ("bicubic_zoom", _BICUBIC),
    ("no_zoom", _NO_ZOOM),
    ("bicubic_zoom_equal_time", {**_BICUBIC, "iterations": 560}),
    ("no_zoom_equal_time", {**_NO_ZOOM, "iterations": 1700}),
  ],
)
def test_ablations_of_the_compact_recipe_differ_in_the_zoom_alone(name, differences):
  path = _recipe_values(f"flags/compact/ablation/{name}.cfg").stages[-1]
  assert _differences(path, "compact/ablation/stages/compact_sr_zoom_plus") == differences
  assert _differences("flags/compact/ablation/stages/compact_sr_zoom_plus.cfg", "compact/train_jointly") == {
    "iterations": 500,
    "learning_rates": [3e-4, 1e-4, 3e-5],
    "decay_fractions": [0.4, 0.75],
  }
  assert ("sr" in _by_hand(path).config.networks) == ("sr_zoom" in name)


@pytest.mark.parametrize(
  "name, differences",
  [
    ("bicubic_zoom", {"zoom": "bicubic", "weight_l1_sr": 0}),
    ("bicubic_zoom_equal_time", {"zoom": "bicubic", "weight_l1_sr": 0, "iterations": 3200}),
    ("no_zoom", {"zoom": "none", "scale": 1, "weight_l1_sr": 0}),
    ("no_zoom_equal_time", {"zoom": "none", "scale": 1, "weight_l1_sr": 0, "iterations": 7750}),
  ],
)
def test_ablations_of_deepfill_differ_in_the_zoom_alone(name, differences):
  path = _recipe_values(f"flags/compact/deepfill_v2/{name}.cfg").stages[-1]
  assert _differences(path, "compact/deepfill_v2/stages/deepfill_sr_zoom") == differences
  assert _by_hand(path).config.architecture == "deepfill_v2"


def test_the_compact_recipe_is_narrow_and_without_vgg_and_discriminator():
  stages = _plan("flags/compact.cfg")
  assert [
    (stage.name, stage.config.iterations, stage.config.batch_size, stage.config.freeze_batch_norm)
    for stage in stages
    if stage.config.with_masks
  ] == [
    ("pretrain_coarse", 6000, 8, ()),
    ("pretrain_coarse_longer", 23000, 8, ("coarse",)),
    ("pretrain_coarse_last", 11000, 8, ("coarse",)),
    ("pretrain_refine", 600, 8, ()),
    ("pretrain_refine_longer", 200, 8, ("refine",)),
    ("train_jointly", 800, 4, ("coarse", "refine")),
  ]
  for stage in stages:
    assert {size["width"] for size in stage.config.networks.values()} == {32} and "disc" not in stage.config.networks
    assert stage.config.used_perceptual_weights is None
    assert stage.config.crop_size == (128 if stage.config.with_masks else 64)
    assert stage.config.optimizer.gradient_clip_norm == 1
    assert stage.config.mask_reference_size is None  # Masks are drawn at the crop's size.
    assert stage.config.crop_scales == (1, 2, 3) and stage.config.optimizer.ema_decay == 0.999
    if stage.config.with_masks:
      assert stage.config.mask_kind == "small:0.35,large:0.4,object:0.25"
      assert stage.config.l1_normalization == "hole"
    assert stage.config.precision == "mixed_bfloat16"
  assert stages[-1].config.optimizer.learning_rates == (1.5e-4, 8e-5, 4e-5, 2e-5, 1e-5)
  assert stages[-1].config.optimizer.decay_fractions == (0.3, 0.5, 0.7, 0.88)
  assert _differences("flags/compact/pretrain_refine.cfg", "compact/pretrain_coarse") == {
    "network": "refine",
    "iterations": 600,
    "learning_rates": [1e-3, 5e-4],
    "decay_fractions": [0.6],
  }
  (sr,) = (stage for stage in stages if not stage.config.with_masks)
  assert (sr.name, sr.config.iterations, sr.config.batch_size) == ("pretrain_sr", 1500, 16)


_TINY = [
  "--width=4",
  "--crop_size=16",
  "--batch_size=2",
  "--iterations=1",
  "--learning_rates=1e-3",
  "--decay_fractions=",
  "--save_every=1",
  "--log_every=1",
]
_FROZEN = "--learning_rates=1e-30"
_NAMES = ("coarse", "sr", "refine", "joint", "again")


def _write(folder, name, *lines):
  path = folder / f"{name}.cfg"
  path.write_text("\n".join((f"--flagfile={folder / 'tiny.flags'}", *lines)) + "\n")
  return str(path)


def _write_recipe(folder):
  """Writes flagfiles of five small stages and of their recipe."""
  (folder / "tiny.flags").write_text("\n".join(_TINY) + "\n")
  masks = "--mask_reference_size=64"
  stages = [
    _write(folder, "coarse", "--network=coarse", masks),
    _write(folder, "sr", "--network=sr"),
    _write(folder, "refine", "--network=refine", masks),
    _write(folder, "joint", _FROZEN, masks, "--init_coarse=nowhere"),  # The recipe has the last word.
    _write(folder, "again", _FROZEN, masks, "--network=coarse", "--mask_kind=large"),
  ]
  (folder / "recipe.flags").write_text(f"--stages={','.join(stages)}\n--evaluate_every=7\n")


def _command(folder):
  return [
    "recipe",
    f"--flagfile={folder / 'recipe.flags'}",
    "--data_dir=data/images",
    "--perceptual_weights=none",
    "--flips=both",
    f"--work_dir={folder / 'runs'}",
  ]


@pytest.fixture(name="finished", scope="module")
def _finished(tmp_path_factory):
  """The five stages, one step each; returns the folder of flagfiles, that of the runs and what was printed."""
  folder = tmp_path_factory.mktemp("recipe")
  printed = io.StringIO()
  with stand_ins.eagerly(), contextlib.redirect_stdout(printed):
    _write_recipe(folder)
    assert main(_command(folder)) == 0
  return folder, folder / "runs", printed.getvalue()


@pytest.fixture(name="copy")
def _copy(finished, tmp_path):
  """The finished recipe's folder, in which a test may change everything: it is put back afterwards."""
  shutil.copytree(finished[0], tmp_path / "before")
  yield finished[0]
  shutil.rmtree(finished[0])
  shutil.copytree(tmp_path / "before", finished[0])


def _arrays(folder):
  return model_weights.read_model_file(str(folder))[0]


def test_weights_are_handed_over_bit_for_bit(finished):
  """At a learning rate of next to nothing only batch norms' averages move; biases of exactly 0, by that rate."""
  _, runs, _ = finished
  for former, later in (("coarse", "joint"), ("sr", "joint"), ("refine", "joint"), ("joint", "again")):
    weights, handed_over = _arrays(runs / later), _arrays(runs / former)
    names = [name for name in weights if name in handed_over and not name.endswith(("mean", "var"))]
    assert {name.split("/")[0] for name in names} == {former if former != "joint" else "coarse"}
    for name in names:
      np.testing.assert_allclose(weights[name], handed_over[name], rtol=0, atol=1e-29, err_msg=name)
      assert not name.endswith("kernel") or np.array_equal(weights[name], handed_over[name]), name


def test_stages_of_a_process_share_one_strategy():
  """With one each, on several devices, the second stage fails: "Shape mismatch in the collective instance"."""
  assert devices.make_strategy() is devices.make_strategy()


def test_the_plan_is_printed_first(finished):
  _, runs, printed = finished
  lines = printed.splitlines()
  assert lines[:5] == [
    f"1. {runs}/coarse: z2i pretrain, 1 steps (0.5 epochs), coarse new",
    f"2. {runs}/sr: z2i pretrain, 1 steps (0.5 epochs), sr new",
    f"3. {runs}/refine: z2i pretrain, 1 steps (0.5 epochs), refine new",
    f"4. {runs}/joint: z2i train, 1 steps (0.5 epochs), coarse from coarse, refine from refine, sr from sr, disc new",
    f"5. {runs}/again: z2i pretrain, 1 steps (0.5 epochs), coarse from joint",
  ]
  assert lines[5] == f"stage 1 of 5, coarse: z2i pretrain in {runs}/coarse"


def test_given_flags_reach_all_stages_and_others_stay_the_stage_s_own(finished):
  _, runs, _ = finished
  for name in _NAMES:
    settings = (runs / name / "config.json").read_text()
    assert '"flips": "both"' in settings and '"perceptual_weights": "none"' in settings
    assert '"seed": 0' in settings and '"crop_size": 16' in settings
  values = _parsed(["--validation_split=", "--seed=3", "--on_bad_image=fail", "--save_every=9"])
  overriding = recipe._given(values)
  assert sorted(overriding) == ["--on_bad_image=fail", "--save_every=9", "--seed=3", "--validation_split="]


def _parsed(arguments):
  values = flags.FlagValues()
  recipe.define_flags(values)
  values(["z2i recipe"] + arguments)
  return values


def test_a_finished_recipe_skips_every_stage_without_looking_at_its_data(finished, capsys):
  folder, runs, _ = finished
  times = {name: os.stat(runs / name / "model.npz").st_mtime_ns for name in _NAMES}
  before = (runs / "again" / "config.json").read_text()
  assert main(_command(folder)) == 0
  output = capsys.readouterr().out
  assert all(f"{name}: {runs / name} is finished: all 1 steps are done" in output for name in _NAMES)
  assert output.count("(finished)") == 5 and "images" not in output.replace("data/images", "")
  assert {name: os.stat(runs / name / "model.npz").st_mtime_ns for name in _NAMES} == times
  assert (runs / "again" / "config.json").read_text() == before


@pytest.mark.usefixtures("eager_functions")
def test_continues_where_it_stopped(copy, capsys):
  """The last stage gone: it alone is trained again, to the same weights; with more steps: it goes on."""
  runs = copy / "runs"
  former = _arrays(runs / "again")
  shutil.rmtree(runs / "again")
  assert main(_command(copy)) == 0
  output = capsys.readouterr().out
  assert output.count("is finished: all 1 steps are done") == 4 and "stage 5 of 5, again: z2i pretrain" in output
  for name, array in _arrays(runs / "again").items():
    np.testing.assert_array_equal(array, former[name], err_msg=name)
  with open(copy / "again.cfg", "a", encoding="utf-8") as file:
    file.write("--iterations=2\n")
  assert main(_command(copy)) == 0
  output = capsys.readouterr().out
  assert f"5. {runs}/again (begun): z2i pretrain, 2 steps (1.0 epochs), coarse from joint\n" in output
  assert "continuing from" in output
  assert model_weights.read_model_config(str(runs / "again"))["step"] == 2


def test_a_stage_is_not_trained_further_once_another_started_from_it(copy, capsys):
  with open(copy / "coarse.cfg", "a", encoding="utf-8") as file:
    file.write("--iterations=2\n")
  assert main(_command(copy)) == 2
  error = capsys.readouterr().err
  assert f"{copy}/runs/coarse is not finished, but {copy}/runs/joint" in error and error.count("\n") == 1
  assert model_weights.read_model_config(str(copy / "runs" / "coarse"))["step"] == 1


@pytest.mark.parametrize(
  "change, message",
  [
    (("sr", "--weight_vgg=0.5"), "sr holds a run with other settings: --weight_vgg was 0.0, is 0.5"),
    (("joint", "--weight_gradient=2"), "joint holds a run with other settings: --weight_gradient was 1.0, is 2.0"),
  ],
)
def test_folders_of_another_recipe_are_refused(copy, capsys, change, message):
  name, line = change
  with open(copy / f"{name}.cfg", "a", encoding="utf-8") as file:
    file.write(line + "\n")
  assert main(_command(copy)) == 2
  error = capsys.readouterr().err
  assert message in error and f"{copy / name}.cfg: " in error and error.count("\n") == 1


def test_a_network_may_be_trained_twice_and_others_keep_what_their_flagfile_names(tmp_path):
  (tmp_path / "tiny.flags").write_text("\n".join(_TINY + _DATA) + "\n")
  stages = [
    _write(tmp_path, "coarse", "--network=coarse"),
    _write(tmp_path, "coarse_again", "--network=coarse", "--mask_kind=large", "--init_coarse=ELSEWHERE"),
    _write(tmp_path, "joint", "--init_all=ELSEWHERE"),
    _write(tmp_path, "last", "--init_all=ELSEWHERE"),
  ]
  _, again, joint, last = recipe.planned(stages, "runs", [])
  assert again.config.initial_weights == {"coarse": "runs/coarse"}
  assert joint.config.initial_weights == {
    "coarse": "runs/coarse_again",
    "sr": "ELSEWHERE",
    "refine": "ELSEWHERE",
    "disc": "ELSEWHERE",
  }
  assert recipes.describe([joint]) == (
    "1. runs/joint: z2i train, 1 steps, coarse from coarse_again, refine from ELSEWHERE, sr from ELSEWHERE, "
    "disc from ELSEWHERE"
  )
  assert last.config.initial_weights == dict.fromkeys(("coarse", "sr", "refine", "disc"), "runs/joint")


def test_batch_norms_keep_the_statistics_that_are_handed_over(tmp_path):
  (tmp_path / "tiny.flags").write_text("\n".join(_TINY + _DATA) + "\n")
  stages = [
    _write(tmp_path, "coarse", "--network=coarse"),
    _write(tmp_path, "again", "--network=coarse", "--freeze_batch_norm=coarse"),
    _write(tmp_path, "joint", "--freeze_batch_norm=coarse"),
  ]
  _, again, joint = recipe.planned(stages, "runs", [])
  assert again.config.initial_weights == {"coarse": "runs/coarse"}
  assert joint.config.initial_weights == {"coarse": "runs/again"}
  stages.append(_write(tmp_path, "refused", "--freeze_batch_norm=refine,sr"))
  with pytest.raises(InputError, match="refused.cfg: .*`freeze_batch_norm`=sr"):
    recipe.planned(stages, "runs", [])
  with pytest.raises(InputError, match="again.cfg: .*random weights.*`freeze_batch_norm`=coarse"):
    recipe.planned(stages[1:], "runs", [])


@pytest.mark.parametrize(
  "lines, message",
  [
    ({"last": None}, "last.cfg: no such file"),
    ({"last": ["--widht=4"]}, "last.cfg: Unknown command line flag 'widht'"),
    ({"last": ["--stages=a"]}, "last.cfg: Unknown command line flag 'stages'"),
    ({"last": ["stray"]}, "last.cfg: unexpected line 'stray'"),
    ({"last": ["--flagfile=nowhere.cfg"]}, "last.cfg: ERROR:: Unable to open flagfile"),
    ({"last": ["--width=5"]}, "last.cfg: A network's width must be a positive even"),
    ({"last": ["--width=6"]}, "last.cfg: the network 'coarse' has width 6 here, but 4 in {folder}/coarse.cfg"),
    ({"last": ["--scale=3"]}, "last.cfg: the network 'sr' has scale 3 here, but 2 in {folder}/sr.cfg"),
    ({"last": ["--save_every=0"]}, "last.cfg: --save_every must be at least 1"),
    ({"last": ["--mask_kind=round"]}, "last.cfg: --mask_kind=round"),
    ({"last": ["--crop_size=512"]}, "last.cfg: none of 4 images is usable"),
    ({"last": ["--data_dir=nowhere"]}, "last.cfg: nowhere: no such folder"),
    ({"last": ["--validation_dir=nowhere"]}, "last.cfg: nowhere: no such folder"),
    ({"last": ["--perceptual_weights=nowhere.h5"]}, "last.cfg: --perceptual_weights=nowhere.h5: no such file"),
    ({"last": ["--init_disc=nowhere"]}, "last.cfg: nowhere: no model here"),
    ({"last": ["--init_disc={finished}/sr"]}, "last.cfg: --init_disc: {finished}/sr has no network 'disc'"),
    (
      {"last": ["--init_disc={finished}/joint", "--discriminator_width=6"]},
      "disc/conv00/kernel has 4 filters, the network to train has 6: another width or scale",
    ),
    (
      {"last": ["--init_sr={finished}/sr", "--scale=3"], "sr": ["--network=coarse"], "coarse": ["--network=refine"]},
      "sr/conv09/kernel has 16 filters, the network to train has 36: another width or scale",
    ),
    ({"last": ["--jit_compile"]}, "last.cfg: --jit_compile must be the same for all stages of a recipe"),
    ({"last": ["--jit_compile", "--deterministic"]}, "leave out --deterministic or --jit_compile"),
    (
      {"last": ["--init_disc=nowhere", "--weight_adversarial=0"]},
      "last.cfg: --init_disc=nowhere: the stage trains no such network",
    ),
    (
      {"coarse": ["--init_sr=nowhere"]},
      "coarse.cfg: --init_sr=nowhere: --network=coarse can only start from --init_coarse",
    ),
    ({"other/coarse": ["--network=coarse"]}, "would both train in {folder}/runs/coarse"),
  ],
)
def test_unusable_stages_get_one_line_before_anything_is_trained(finished, tmp_path, capsys, lines, message):
  (tmp_path / "tiny.flags").write_text("\n".join(_TINY) + "\n")
  (tmp_path / "other").mkdir()
  own = {"coarse": ["--network=coarse"], "sr": ["--network=sr"], "last": ["--data_dir=data/images"]}
  files = {**{name: own[name] for name in own}, **lines}
  stages = []
  for name, more in files.items():
    base = [
      f"--flagfile={tmp_path / 'tiny.flags'}",
      "--data_dir=data/images",
      "--perceptual_weights=none",
      *own.get(name, []),
    ]
    if more is not None:
      more = [line.format(finished=finished[1]) for line in more]
      (tmp_path / f"{name}.cfg").write_text("\n".join(base + more) + "\n")
    stages.append(str(tmp_path / f"{name}.cfg"))
  assert main(["recipe", f"--stages={','.join(stages)}", f"--work_dir={tmp_path / 'runs'}"]) == 2
  error = capsys.readouterr().err
  assert message.format(folder=tmp_path, finished=finished[1]) in error and error.count("\n") == 1, error
  assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--stages="], "--stages is missing"),
    (["--stages=,"], "--stages is missing"),
    (["--work_dir="], "--work_dir is missing"),
    (["--work_dir=setup.py"], "setup.py is a file"),
    (["--work_dir=setup.py/runs"], "setup.py is a file"),
    (["--work_dir={runs}/coarse"], "the folder of a single run"),
    (["--data_dir="], "coarse.cfg: --data_dir is missing"),
    (["--width=8"], "Unknown command line flag 'width'"),
    (["--init_coarse=runs"], "Unknown command line flag 'init_coarse'"),
    (["--seed=-1"], "--seed"),
  ],
)
def test_unusable_recipes_get_one_line(finished, tmp_path, capsys, arguments, message):
  folder, runs, _ = finished
  assert (
    main(
      _command(folder) + [f"--work_dir={tmp_path / 'runs'}"] + [argument.format(runs=runs) for argument in arguments]
    )
    == 2
  )
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not (tmp_path / "runs").exists()

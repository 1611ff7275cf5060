"""`z2i make-testset`, `evaluate` and `compare` from the command line."""

import csv
import json
import os
import shutil

import numpy as np
from PIL import Image
import pytest

from tests.datasets import stand_ins
from tests.metrics.test_st_lpips import random_weights
from z2i_tf.analyses import records
from z2i_tf.cli.main import main
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.report import runs as run_files

_SIZE = 32


def _make(images, folder, *options):
  return main(
    ["make-testset", f"--data_dir={images}", f"--output_dir={folder}", f"--crop_size={_SIZE}", "--count=4", *options]
  )


@pytest.fixture(name="testset", scope="module")
def _testset(tmp_path_factory):
  """Four images of noise, 32x32, with small and rectangular masks. Not to be changed."""
  root = tmp_path_factory.mktemp("testset")
  (root / "images").mkdir()
  for number in range(5):
    rng = np.random.default_rng(number)
    image_files.write_rgb(str(root / "images" / f"{number}.png"), rng.integers(0, 256, (70, 66 + number, 3), np.uint8))
  assert _make(root / "images", root / "set", "--kinds=small,rect") == 0
  return root / "set"


@pytest.fixture(name="evaluation", scope="module")
def _evaluation(testset, tmp_path_factory):
  """The folder of an evaluation of OpenCV's methods."""
  folder = tmp_path_factory.mktemp("runs") / "opencv"
  assert _evaluate(testset, folder) == 0
  return folder


def _evaluate(testset, folder, *options):
  return main(["evaluate", f"--testset={testset}", f"--output_dir={folder}", "--model=", *options])


def _record(folder):
  return records.read_scores(records.scores_file(str(folder)))


def _files(folder):
  return {
    os.path.relpath(os.path.join(parent, name), folder): open(os.path.join(parent, name), "rb").read()
    for parent, _, names in os.walk(folder)
    for name in names
  }


def test_testset_repeats_and_holds_centre_crops(testset, tmp_path):
  source = testset.parent / "images"
  assert _make(source, tmp_path / "again", "--kinds=small,rect") == 0
  assert _files(tmp_path / "again") == _files(testset)
  assert _make(source, tmp_path / "other", "--kinds=small,rect", "--seed=1") == 0
  assert _files(tmp_path / "other") != _files(testset)
  record = records.read_record(str(testset / "testset.json"))
  assert record["manifest"]["resize"] == "none" and len(record["images"]) == 4
  for entry in record["images"]:
    original = image_files.read_rgb(str(source / entry["from"]))
    top, left = ((length - _SIZE) // 2 for length in original.shape[:2])
    crop = image_files.read_rgb(str(testset / "images" / entry["name"]))
    np.testing.assert_array_equal(crop, original[top : top + _SIZE, left : left + _SIZE])
    for kind in ("small", "rect"):
      mask = mask_files.read_binary_mask(str(testset / "masks" / kind / entry["name"]))
      assert mask.mean() == pytest.approx(entry["hole_ratios"][kind], rel=1e-8) and mask.shape == (_SIZE, _SIZE)


def test_testset_shrinks_the_centre(testset, tmp_path):
  folder = tmp_path / "images"
  folder.mkdir()
  ramp = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 80, axis=0).repeat(3, axis=2)
  image_files.write_rgb(str(folder / "ramp.png"), ramp)
  assert (
    main(
      [
        "make-testset",
        f"--data_dir={folder}",
        f"--output_dir={tmp_path / 'set'}",
        "--count=0",
        f"--crop_size={_SIZE}",
        "--shrink=2",
        "--kinds=rect",
      ]
    )
    == 0
  )
  image = image_files.read_rgb(str(tmp_path / "set" / "images" / "00000.png"))
  expected = np.broadcast_to(18.5 + 2 * np.arange(_SIZE), image.shape[:2])
  np.testing.assert_allclose(image[4:-4, 4:-4, 0], expected[4:-4, 4:-4], atol=1)
  assert "by 2" in records.read_record(str(tmp_path / "set" / "testset.json"))["manifest"]["resize"]


@pytest.mark.parametrize(
  "options, message",
  [
    (["--count=7"], "5 of the 5 images are usable, 7 are needed"),
    (["--kinds=huge"], "--kinds=huge: unknown kind"),
    (["--kinds=folder"], "--kinds=folder: unknown kind"),
    (["--kinds=small:0.5"], "--kinds=small:0.5: unknown kind"),
    (["--split=test"], "only TensorFlow Datasets have splits"),
    (["--kinds="], "--kinds is missing"),
    (["--kinds=rect,rect"], "rect is given twice"),
    (["--crop_size=200"], "0 of the 5 images are usable"),
  ],
)
def test_testset_that_cannot_be_made_leaves_nothing(testset, tmp_path, capsys, options, message):
  assert _make(testset.parent / "images", tmp_path / "set", *options) == 2
  assert message in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_testset_of_several_splits_has_so_many_of_each(tmp_path):
  splits = {
    name: [stand_ins.coded_image(number, 40, 44) for number in range(first, first + 3)]
    for first, name in ((0, "validation"), (5, "test"))
  }
  stand_ins.write_tfds("div2k/bicubic_x2", tmp_path / "data", splits)
  assert (
    main(
      [
        "make-testset",
        "--source=div2k",
        f"--data_dir={tmp_path / 'data'}",
        "--split=validation,test",
        "--count=2",
        f"--crop_size={_SIZE}",
        "--kinds=small",
        f"--output_dir={tmp_path / 'set'}",
      ]
    )
    == 0
  )
  names = [f"{number:05d}.png" for number in range(4)]
  reds = [image_files.read_rgb(str(tmp_path / "set" / "images" / name))[0, 0, 0] // 20 for name in names]
  assert len(set(reds)) == 4 and max(reds[:2]) < 3 and min(reds[2:]) >= 5
  masks = {mask_files.read_binary_mask(str(tmp_path / "set" / "masks" / "small" / name)).tobytes() for name in names}
  assert len(masks) == 4


def test_testset_does_not_overwrite(testset, capsys):
  before = _files(testset)
  assert _make(testset.parent / "images", testset) == 2
  assert "is not empty" in capsys.readouterr().err and _files(testset) == before
  assert _make(testset.parent / "images", testset / "testset.json") == 2
  assert "testset.json is a file; give a new folder" in capsys.readouterr().err and _files(testset) == before


def test_record_has_every_method_image_and_metric_and_repeats(testset, evaluation, tmp_path, capsys):
  record = _record(evaluation)
  assert list(record["test_sets"]) == ["small", "rect"] and list(record["methods"]) == ["telea", "navier_stokes"]
  for test_set in record["test_sets"]:
    for scores in record["scores"][test_set].values():
      assert {"PSNR", "SSIM", "MS-SSIM", "L1", "hole PSNR", "hole L1", "hole SSIM", "SSIM high"} <= set(scores)
      assert all(len(values) == 4 for values in scores.values())
      assert scores["MS-SSIM"] == ["nan"] * 4
  with open(evaluation / "scores.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 4 * 2 * 2
  assert float(rows[0]["PSNR"]) == record["scores"]["small"]["telea"]["PSNR"][0]
  assert str(testset) not in json.dumps(record)
  assert _evaluate(testset, tmp_path / "again") == 0
  output = capsys.readouterr().out
  assert "MS-SSIM: the mean leaves out 4 images with small masks" in output
  assert _files(tmp_path / "again") == _files(evaluation)


def test_kept_results_score_the_same_as_their_method(testset, evaluation, tmp_path):
  results = evaluation / "results" / "telea"
  assert (
    _evaluate(
      testset, tmp_path / "run", f"--result_dir=copied={results}", "--baseline=telea,mean", "--save_results=false"
    )
    == 0
  )
  record = _record(tmp_path / "run")
  for scores in record["scores"].values():
    assert scores["copied"] == scores["telea"] != scores["mean"]
  assert not (tmp_path / "run" / "results").exists()


def test_known_pixels_of_results_are_the_originals_unless_told(testset, evaluation, tmp_path, capsys):
  results = shutil.copytree(evaluation / "results" / "telea", tmp_path / "shifted")
  for path in results.rglob("*.png"):
    image_files.write_rgb(str(path), image_files.read_rgb(str(path)) // 2)
  psnr = {}
  for blend, text in ((True, "replaced by those of the originals"), (False, "scored as they are")):
    assert (
      _evaluate(testset, tmp_path / "run", f"--result_dir=halved={results}", f"--blend_results={blend}", "--baseline=")
      == 0
    )
    assert f"halved: known pixels of 8 results differ from the originals; {text}" in capsys.readouterr().out
    psnr[blend] = np.mean(_record(tmp_path / "run")["scores"]["small"]["halved"]["PSNR"])
  assert psnr[True] > psnr[False] + 1


def test_identical_images_are_counted_and_not_averaged(testset, evaluation, tmp_path, capsys):
  results = shutil.copytree(evaluation / "results" / "telea", tmp_path / "some")
  name = "00002.png"
  for kind in ("small", "rect"):
    shutil.copy(evaluation / "results" / "original" / kind / name, results / kind / name)
  assert _evaluate(testset, tmp_path / "run", f"--result_dir=some={results}", "--baseline=") == 0
  values = _record(tmp_path / "run")["scores"]["small"]["some"]["PSNR"]
  assert values[2] == "inf"
  output = capsys.readouterr().out
  assert "PSNR of some: the mean leaves out 1 images" in output
  assert f"{np.mean([value for value in values if value != 'inf']):.2f}" in output


def _missing(folder):
  (folder / "rect" / "00001.png").unlink()
  return "1 of 4 images have no result (00001)"


def _misnamed(folder):
  (folder / "small" / "00001.png").rename(folder / "small" / "00001_out.png")
  return "1 of 4 images have no result (00001), 1 results belong to no image (00001_out)"


def _extra(folder):
  shutil.copy(folder / "small" / "00001.png", folder / "small" / "sheet.png")
  return "1 results belong to no image (sheet)"


def _twice(folder):
  shutil.copy(folder / "small" / "00001.png", folder / "small" / "00001.bmp")
  return "1 images have several results (00001)"


def _truncated(folder):
  path = folder / "small" / "00003.png"
  path.write_bytes(path.read_bytes()[:1000])
  return "00003.png: not an image that can be read"


def _wrong_size(folder):
  image_files.write_rgb(str(folder / "small" / "00003.png"), np.zeros((_SIZE, 16, 3), np.uint8))
  return f"00003.png: {_SIZE}x16 pixels (height x width), but the image has {_SIZE}x{_SIZE}"


def _no_folder(folder):
  shutil.rmtree(folder / "rect")
  return "rect: no such folder"


@pytest.mark.parametrize("spoil", [_missing, _misnamed, _extra, _twice, _truncated, _wrong_size, _no_folder])
def test_results_that_do_not_fit_are_refused(testset, evaluation, tmp_path, capsys, spoil):
  message = spoil(shutil.copytree(evaluation / "results" / "telea", tmp_path / "results"))
  assert _evaluate(testset, tmp_path / "run", f"--result_dir=spoilt={tmp_path / 'results'}") == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
  "options, message",
  [
    (["--baseline="], "nothing to evaluate"),
    (["--baseline=patchmatch"], "--baseline=patchmatch: expected mean, telea"),
    (["--baseline=telea,telea"], "telea is given twice"),
    (["--result_dir=mask=x"], "mask is reserved"),
    (["--result_dir=x"], "--result_dir=x: expected NAME=PATH"),
    (["--lpips_linear=x"], "--lpips_linear=x: only with --lpips_net"),
    (["--st_lpips=squeeze"], "--st_lpips=squeeze: expected alex, vgg, each once"),
    (["--st_lpips_weights=x"], "--st_lpips_weights=x: only with --st_lpips"),
    (["--image_dir=x"], "leave out --image_dir and --mask_dir"),
    (["--model=nowhere"], "--model=nowhere: no such folder"),
  ],
)
def test_flags_that_do_not_go_together(testset, tmp_path, capsys, options, message):
  assert _evaluate(testset, tmp_path / "run", *options) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1


def test_folders_of_ones_own_and_what_is_wrong_with_them(testset, tmp_path, capsys):
  folders = [f"--image_dir={testset / 'images'}", f"--mask_dir=mine={tmp_path / 'masks'}"]
  masks = shutil.copytree(testset / "masks" / "rect", tmp_path / "masks")
  run = ["evaluate", "--model=", "--baseline=mean", f"--output_dir={tmp_path / 'run'}"]
  assert main(run + folders) == 0
  assert list(_record(tmp_path / "run")["test_sets"]) == ["mine"]
  before = _files(tmp_path / "run")
  (masks / "00000.png").unlink()
  image_files.write_mask(str(masks / "00001.png"), np.zeros((_SIZE, _SIZE), np.uint8))
  (masks / "00002.png").write_text("no image")
  assert main(run + folders) == 2
  error = capsys.readouterr().err
  assert "00000.png: no masks called 00000" in error and "and 2 more such" in error
  assert main(run) == 2 and "--testset is missing" in capsys.readouterr().err
  assert _files(tmp_path / "run") == before


def _tree(folder):
  return sorted(
    os.path.relpath(os.path.join(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
  )


@pytest.mark.parametrize(
  "output, results",
  [
    (".", "run/results/telea"),
    ("run", "run/results/telea"),
    ("run/results/telea/x", "run/results/telea"),
    ("set", "run/results/telea"),
    ("set/images", "run/results/telea"),
    ("set/masks/rect/x", "run/results/telea"),
    ("results", "results/mine"),
    ("results/mine", "results/mine"),
  ],
)
def test_inputs_are_never_replaced(testset, evaluation, tmp_path, capsys, output, results):
  shutil.copytree(testset, tmp_path / "set")
  shutil.copytree(evaluation, tmp_path / "run")
  shutil.copytree(evaluation / "results" / "telea", tmp_path / "results" / "mine")
  before = _files(tmp_path)
  assert (
    main(
      [
        "evaluate",
        f"--testset={tmp_path / 'set'}",
        f"--output_dir={tmp_path / output}",
        "--model=",
        "--baseline=",
        f"--result_dir=mine={tmp_path / results}",
        "--save_results=false",
      ]
    )
    == 2
  )
  assert "neither hold nor lie in" in capsys.readouterr().err and _files(tmp_path) == before


def test_only_a_former_run_of_the_analysis_is_replaced(testset, evaluation, tmp_path, capsys):
  run = shutil.copytree(evaluation, tmp_path / "run")
  assert _evaluate(testset, run, "--baseline=mean") == 0
  assert "results/mean/rect/00000.png" in _tree(run) and not any("telea" in name for name in _tree(run))
  before = _files(run)
  assert _evaluate(testset, run, "--analysis=frequency") == 2
  assert "no evaluation with --analysis=frequency wrote" in capsys.readouterr().err
  whole = (run / "comparison.json").read_bytes()
  _edit(run / "comparison.json", lambda record: record.update(pictures=5))
  assert _evaluate(testset, run) == 2
  assert "which no evaluation with --analysis=comparison wrote" in capsys.readouterr().err
  (run / "comparison.json").write_bytes(whole)
  (run / "notes.txt").touch()
  assert _evaluate(testset, run) == 2
  assert "holds notes.txt" in capsys.readouterr().err
  (run / "notes.txt").unlink()
  assert _files(run) == before
  (tmp_path / "elsewhere").mkdir()
  (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
  assert _evaluate(testset, tmp_path / "link") == 0
  assert (tmp_path / "link").is_symlink() and _tree(tmp_path / "elsewhere") == _tree(evaluation)


def test_a_run_that_fails_late_leaves_the_former_one(testset, evaluation, tmp_path, monkeypatch):
  run = shutil.copytree(evaluation, tmp_path / "run")

  def fail(*_):
    raise KeyError

  monkeypatch.setattr("z2i_tf.analyses.records.write_record", fail)
  with pytest.raises(KeyError):
    _evaluate(testset, run, "--baseline=mean")
  assert _files(run) == _files(evaluation) and os.listdir(tmp_path) == ["run"]


def test_names_that_are_not_utf_8(testset, tmp_path):
  for folder, name in (("images", "00000.png"), ("masks", "rect/00000.png")):
    (tmp_path / folder).mkdir()
    shutil.copy(testset / folder / name, os.path.join(os.fsencode(tmp_path / folder), b"\xff\xfe.png"))
  assert (
    main(
      [
        "evaluate",
        f"--image_dir={tmp_path / 'images'}",
        f"--mask_dir={tmp_path / 'masks'}",
        "--model=",
        "--baseline=mean,telea",
        f"--output_dir={tmp_path / 'run'}",
      ]
    )
    == 0
  )
  assert os.fsencode(_record(tmp_path / "run")["test_sets"]["masks"]["images"][0]["name"]) == b"\xff\xfe"


def test_results_of_16_bits_equal_the_image_they_are(testset, tmp_path):
  deep = np.random.default_rng(0).integers(0, 2**16, (_SIZE, _SIZE), np.uint16)
  for folder in ("images", "results"):
    (tmp_path / folder).mkdir()
    Image.fromarray(deep).save(tmp_path / folder / "00000.png")
  (tmp_path / "masks").mkdir()
  shutil.copy(testset / "masks" / "rect" / "00000.png", tmp_path / "masks")
  assert (
    main(
      [
        "evaluate",
        f"--image_dir={tmp_path / 'images'}",
        f"--mask_dir={tmp_path / 'masks'}",
        "--model=",
        "--baseline=",
        f"--result_dir=same={tmp_path / 'results'}",
        f"--output_dir={tmp_path / 'run'}",
      ]
    )
    == 0
  )
  assert _record(tmp_path / "run")["scores"]["masks"]["same"]["PSNR"] == ["inf"]


@pytest.mark.parametrize(
  "spoil, message",
  [
    (lambda folder: shutil.rmtree(folder / "masks"), "rect: no such folder"),
    (lambda folder: _edit(folder / "testset.json", lambda record: record.pop("images")), "its testset.json is damaged"),
    (lambda folder: _edit(folder / "testset.json", lambda record: record["manifest"].clear()), "is damaged"),
    (
      lambda folder: _edit(folder / "testset.json", lambda record: record["manifest"]["settings"].update(kinds=[5])),
      "is damaged",
    ),
    (lambda folder: (folder / "testset.json").unlink(), "testset.json: cannot be read"),
  ],
)
def test_damaged_testsets_are_refused(testset, tmp_path, capsys, spoil, message):
  changed = shutil.copytree(testset, tmp_path / "set")
  spoil(changed)
  assert _evaluate(changed, tmp_path / "run") == 2
  error = capsys.readouterr().err
  assert (message in error or "small: no such folder" in error) and error.count("\n") == 1


def _edit(path, change):
  record = json.loads(path.read_text())
  change(record)
  path.write_text(json.dumps(record))


def test_strangers_beside_the_masks_do_no_harm(testset, tmp_path):
  changed = shutil.copytree(testset, tmp_path / "set")
  (changed / "masks" / ".DS_Store").touch()
  assert _evaluate(changed, tmp_path / "run", "--baseline=mean") == 0


def test_changed_testset_is_refused(testset, tmp_path, capsys):
  changed = shutil.copytree(testset, tmp_path / "set")
  image_files.write_mask(str(changed / "masks" / "rect" / "00002.png"), np.eye(_SIZE))
  assert _evaluate(changed, tmp_path / "run") == 2
  assert "1 images or rect masks (00002) differ from its testset.json" in capsys.readouterr().err


def test_st_lpips_is_measured_from_a_folder_of_weights(testset, tmp_path, capsys):
  np.savez(tmp_path / "alex_shift_tolerant.npz", **random_weights("alex"))
  assert (
    _evaluate(testset, tmp_path / "run", "--baseline=mean", "--st_lpips=alex,vgg", f"--st_lpips_weights={tmp_path}")
    == 1
  )
  captured = capsys.readouterr()
  assert "left out: ST-LPIPS vgg: --st_lpips_weights=" in captured.err and "ST-LPIPS alex" in captured.out
  record = _record(tmp_path / "run")
  values = record["scores"]["small"]["mean"]["ST-LPIPS alex"]
  assert np.isfinite(values).all() and min(values) > 0
  assert "alex_shift_tolerant.npz (sha256 " in record["manifest"]["metrics"]["ST-LPIPS alex"]
  assert "ST-LPIPS vgg" not in record["manifest"]["metrics"]


def test_metric_without_weights_is_named_and_the_others_computed(testset, tmp_path, capsys):
  missing = tmp_path / "alexnet.npz"
  assert (
    _evaluate(
      testset,
      tmp_path / "run",
      "--baseline=mean",
      "--lpips_net=alex",
      f"--lpips_features={missing}",
      f"--lpips_linear={missing}",
      f"--inception_graph={tmp_path / 'graph.pb'}",
    )
    == 1
  )
  error = capsys.readouterr().err
  assert f"left out: LPIPS: --lpips_features={missing}" in error
  assert f"left out: FID: --inception_graph={tmp_path / 'graph.pb'}" in error
  record = _record(tmp_path / "run")
  assert "LPIPS" not in record["scores"]["small"]["mean"] and str(tmp_path) not in json.dumps(record)
  assert record["notes"] == [f"{name} is left out: its weights could not be loaded" for name in ("LPIPS", "FID")]
  assert np.isfinite(record["scores"]["small"]["mean"]["PSNR"]).all()


@pytest.mark.parametrize(
  "analysis, expected, pictures",
  [
    ("ablation", "Parameters", ["ablation_psnr.png", "ablation_hole_psnr.png"]),
    ("frequency", "navier_stokes - telea", ["frequency_small.png", "frequency_rect.png"]),
    ("scale_study", "rect: SSIM", []),
  ],
)  # OpenCV's methods have no scale.
def test_layouts(testset, tmp_path, capsys, analysis, expected, pictures):
  assert _evaluate(testset, tmp_path, f"--analysis={analysis}") == 0
  assert expected in capsys.readouterr().out
  assert expected in (tmp_path / "tables.md").read_text()
  assert _record(tmp_path)["analysis"] == analysis
  (found,), left_out = run_files.gather(str(tmp_path))  # As z2i report does.
  assert [picture.name for picture in found.pictures] == pictures and not left_out


def test_compare_shows_paired_differences(testset, evaluation, tmp_path, capsys):
  assert _evaluate(testset, tmp_path / "b", "--baseline=mean,telea") == 0
  capsys.readouterr()
  paths = [str(evaluation / "comparison.json"), str(tmp_path / "b")]
  assert main(["compare", *paths, "--methods=telea,mean", "--metrics=PSNR,L1"]) == 0
  output = capsys.readouterr().out
  first, second = (
    np.array(_record(folder)["scores"]["rect"][name]["PSNR"])
    for folder, name in ((evaluation, "telea"), (tmp_path / "b", "mean"))
  )
  assert "mean (B) minus telea (A), rect masks" in output and f"{(second - first).mean():+.2f}" in output
  assert main(["compare", *paths, "--methods=telea,telea", "--metrics=PSNR"]) == 0
  assert "+0.00  0.00 .. 0.00" in capsys.readouterr().out


def test_compare_refuses(testset, evaluation, tmp_path, capsys):
  assert _make(testset.parent / "images", tmp_path / "set", "--kinds=small,rect", "--seed=7") == 0
  assert _evaluate(tmp_path / "set", tmp_path / "other") == 0
  same, other, damaged = str(evaluation), str(tmp_path / "other"), tmp_path / "damaged.json"
  shutil.copy(evaluation / "comparison.json", damaged)
  _edit(damaged, lambda record: record.pop("test_sets"))
  for arguments, message in (
    ([same, other, "--methods=telea,telea"], "different test sets: 4 images or masks of 'small'"),
    ([same, same], "has several methods; choose one of telea, navier_stokes"),
    ([same, same, "--methods=telea"], "two are needed"),
    ([same, same, "--methods=telea,lama"], "has no lama"),
    ([same, same, "--methods=telea,telea", "--metrics=LPIPS"], "--metrics=LPIPS: not in both"),
    ([same, str(testset / "testset.json")], "a record of testset"),
    ([same, str(testset / "images" / "00000.png")], "00000.png"),
    ([same, str(damaged)], "damaged.json: the record has no 'test_sets'; run z2i evaluate again"),
    ([same], "B is missing"),
    ([same, same, same], "unexpected argument"),
  ):
    capsys.readouterr()
    assert main(["compare", *arguments]) == 2, message
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1

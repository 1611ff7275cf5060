"""`z2i beam-inpaint`: the files of `z2i inpaint`, from any file system, and nothing lost with a worker."""

import collections
import json
import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

apache_beam = pytest.importorskip("apache_beam")

from tests import recordings
from tests.beam.stand_ins import KeptFiles
from z2i_tf.beam import pipelines
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.images import image_files

pytestmark = pytest.mark.usefixtures("models_loaded_once")

_ONE_PROCESS = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
_TWO_PROCESSES = ["--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory):
  folder = tmp_path_factory.mktemp("models") / "original"
  assert main(["convert-checkpoint", f"--original={recordings.ORIGINAL_CHECKPOINT}", f"--output={folder}"]) == 0
  return folder


def _write(folder, names, seed=0):
  """Writes random images and masks of their names."""
  rng = np.random.default_rng(seed)
  for number, name in enumerate(names):
    height, width = 17 + number % 5, 16 + number % 3
    mask = np.zeros((height, width), np.uint8)
    mask[3:9, 4:11] = 1
    for kind in ("images", "masks"):
      (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
    image_files.write_rgb(str(folder / "images" / name), rng.integers(0, 256, (height, width, 3), np.uint8))
    image_files.write_mask(str((folder / "masks" / name).with_suffix(".png")), mask)


def _contents(folder):
  """Returns the bytes of the images below a folder by their path in it."""
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in folder.rglob("*")
    if path.suffix in image_files.IMAGE_EXTENSIONS
  }


def _lines(folder, name):
  (path,) = folder.glob(f"{name}-*")
  return sorted((line["image"], line["text"]) for line in map(json.loads, path.read_text().splitlines()))


def test_the_files_are_those_of_inpaint_and_failures_are_listed(tmp_path, model, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  _write(tmp_path, ["a.png", "b.bmp", "c.jpg", "d.png", "e.png"])
  for path in ("images/d.png", "images/notes.txt", "images/.hidden.png"):
    (tmp_path / path).write_bytes(b"no image")
  os.rename("masks/b.png", "masks/b_mask1.png")
  os.remove("masks/e.png")
  settings = [f"--model={model}", "--dilate=2"]
  assert main(["inpaint", "images", "masks", "-o=expected", *settings]) == 1
  capsys.readouterr()
  command = ["beam-inpaint", "--images=images", "--masks=masks", "--output=out", *settings]
  assert main(command) == 1
  assert capsys.readouterr().out.startswith(
    "3 of 5 images inpainted, 2 failed (see failures-*), 1 file is not an image: out\n"
  )
  expected = _contents(tmp_path / "expected")
  assert sorted(expected) == ["a.png", "b.bmp", "c.jpg"] and _contents(tmp_path / "out") == expected
  failures = [
    (f"{tmp_path}/images/{image}", f"{tmp_path}/images/{image}: {text}")
    for image, text in (
      ("d.png", "not an image that can be read: unknown format"),
      ("e.png", f"no masks called e in {tmp_path}/masks; one is needed"),
    )
  ]
  assert _lines(tmp_path / "out", "failures") == failures
  assert [image for image, _ in _lines(tmp_path / "out", "remarks")] == [f"{tmp_path}/images/c.jpg"]
  # Continues: what is there stays, and what a killed worker left goes.
  (tmp_path / "out" / "a.png").write_bytes(b"as it was")
  (tmp_path / "out" / "b.bmp").rename(tmp_path / "out" / "b.bmp.abcdefgh.tmp")
  (tmp_path / "masks" / "e.png").write_bytes((tmp_path / "masks" / "a.png").read_bytes())
  os.replace("images/a.png", "images/e.png")
  assert main([*command, "--resume"]) == 1
  assert capsys.readouterr().out.startswith("2 of 4 images inpainted, 1 already there, 1 failed")
  assert _contents(tmp_path / "out") == {**expected, "e.png": expected["a.png"], "a.png": b"as it was"}
  assert _lines(tmp_path / "out", "failures") == failures[:1] and not list((tmp_path / "out").glob("*.tmp"))


def test_any_file_system_of_beam_and_one_mask_for_all(tmp_path, model, monkeypatch, capsys):
  monkeypatch.setattr(KeptFiles, "root", str(tmp_path))
  _write(tmp_path, ["x/a.png", "x/b.png", "y/a.png"])
  for name in ("x/b.png", "y/a.png"):  # Images of one size.
    (tmp_path / "images" / name).write_bytes((tmp_path / "images" / "x" / "a.png").read_bytes())
  (tmp_path / "images" / "x" / "b.png").write_bytes(b"damaged")
  command = [
    "beam-inpaint",
    "--images=kept://images/**.png",
    "--masks=kept://masks/x/a.png",
    "--output=kept://out",
    f"--model={model}",
  ]
  for _ in range(2):  # The second time over its own files.
    assert main(command) == 1
    assert capsys.readouterr().out.startswith("2 of 3 images inpainted, 1 failed")
  assert main([*command, "--resume"]) == 1
  assert capsys.readouterr().out == "0 of 3 images inpainted, 2 already there, 1 failed (see failures-*): kept://out\n"
  monkeypatch.chdir(tmp_path)
  assert main(["inpaint", "images/y", "masks/x", "-o=expected", f"--model={model}"]) == 0
  (result,) = _contents(tmp_path / "expected").values()
  assert _contents(tmp_path / "out") == {"x/a.png": result, "y/a.png": result}
  image = "kept://images/x/b.png"
  assert _lines(tmp_path / "out", "failures") == [(image, f"{image}: not an image that can be read: unknown format")]
  assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(tmp_path, model, capsys):
  names = [f"{number:03d}.png" for number in range(24)]
  _write(tmp_path, names)
  command = [
    "beam-inpaint",
    f"--images={tmp_path}/images",
    f"--masks={tmp_path}/masks",
    f"--output={tmp_path}/out",
    f"--model={model}",
    "--resume",
  ]
  run = subprocess.Popen([sys.executable, "-m", "z2i_tf", *command, *_TWO_PROCESSES], stderr=subprocess.PIPE, text=True)
  deadline = time.monotonic() + 240
  while len(_contents(tmp_path / "out")) < 3:
    assert run.poll() is None and time.monotonic() < deadline, run.communicate()
    time.sleep(0.02)
  workers = [
    child for child in psutil.Process(run.pid).children(recursive=True) if child.cmdline()[0] == sys.executable
  ]
  assert len(workers) == 2
  workers[0].kill()
  errors = run.communicate(timeout=120)[1]
  assert run.returncode == 2 and "z2i beam-inpaint: the pipeline failed" in errors.splitlines()[-1], errors
  written = _contents(tmp_path / "out")
  assert 3 <= len(written) < len(names)
  times = {name: os.stat(tmp_path / "out" / name).st_mtime_ns for name in written}
  assert main(command) == 0
  left = len(names) - len(written)
  assert f"{left} of {len(names)} images inpainted, {len(written)} already there" in capsys.readouterr().out
  assert main(["inpaint", f"{tmp_path}/images", f"{tmp_path}/masks", f"-o={tmp_path}/whole", f"--model={model}"]) == 0
  assert _contents(tmp_path / "out") == _contents(tmp_path / "whole") and len(_contents(tmp_path / "out")) == len(names)
  assert times == {name: os.stat(tmp_path / "out" / name).st_mtime_ns for name in written}
  assert not list((tmp_path / "out").glob("*.tmp"))


@pytest.mark.parametrize(
  "changes, message",
  [
    (["--images=nowhere/*.png"], "--images=nowhere/*.png: no such file"),
    (["--masks=nowhere"], "--masks=nowhere: no such file"),
    (["--masks=images"], "--masks=images: the same as --images"),
    (["--output=images"], "--output=images: the results would overwrite the input"),
    (["--output=masks"], "--output=masks: the results would overwrite the input"),
    (["--masks=masks/a.png", "--output=masks"], "--output=masks: the results would overwrite the input"),
    (["--images=**/a.png", "--masks=masks/a.png", "--output=./"], "--output=./: the results would overwrite the input"),
    (["--masks=masks/a.png", "--mask_suffix=_x"], "--mask_suffix=_x: --masks=masks/a.png is the one mask of all"),
    (["--output=nowhere/out"], "nowhere/out: cannot create this folder"),
    (["--images=gs://nowhere"], "--images=gs://nowhere: Unable to get filesystem"),
    (["--masks=gs://nowhere/m.png"], "--masks=gs://nowhere/m.png: Unable to get filesystem"),
    (["--output=gs://nowhere"], "--output=gs://nowhere: Unable to get filesystem"),
    (["--model=lama:missing.onnx"], "--model=lama:missing.onnx: missing.onnx: no such file"),
    (["--model=nowhere"], "--model=nowhere: no such folder"),
    (["--", "--frobnicate=1"], "flags of Beam: unknown --frobnicate"),
    (["--", "--streaming", "junk"], "flags of Beam: 'junk' is no flag; write --name=value"),
    (["--", "--runner=Frob"], "flags of Beam: Unexpected pipeline runner: Frob"),
    (["--", "--direct_num_workers=x"], "flags of Beam: argument --direct_num_workers: invalid int value: 'x'"),
  ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, monkeypatch, capsys, changes, message):
  monkeypatch.chdir(tmp_path)
  _write(tmp_path, ["a.png"])
  assert main(["beam-inpaint", "--images=images", "--masks=masks", "--output=out", *changes]) == 2
  error = capsys.readouterr().err
  assert error.startswith(f"z2i beam-inpaint: {message}") and error.count("\n") == 1
  assert not (tmp_path / "out").exists()


def _refuse(*_):
  raise AssertionError


def test_results_with_the_names_of_lists_and_files_of_other_folders_stay(tmp_path, model, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  names = ["failures-2.png", "remarks-01.png"]
  _write(tmp_path, names)
  (tmp_path / "out1").mkdir()
  other = tmp_path / "out1" / "failures-00000-of-00001.jsonl"
  other.write_text("of another run")
  command = ["beam-inpaint", "--images=images", "--masks=masks", "--output=out[1]", f"--model={model}"]
  assert main(command) == 0
  assert main([*command, "--resume"]) == 0
  assert capsys.readouterr().out.splitlines()[-1] == "0 of 2 images inpainted, 2 already there: out[1]"
  assert sorted(_contents(tmp_path / "out[1]")) == names and other.read_text() == "of another run"


def test_the_one_mask_is_no_photograph_however_it_is_spelled(tmp_path, model, monkeypatch, capsys):
  folder = tmp_path / "trip [2019]"
  _write(folder, ["a.png"])
  (folder / "masks" / "a.png").rename(folder / "images" / "mask.png")
  monkeypatch.chdir(folder / "images")
  settings = [f"--model={model}", "--masks=./mask.png"]
  for number, images in enumerate(["*.png", "a.png", ".", "../../trip [2019]/images"]):
    assert main(["beam-inpaint", f"--images={images}", f"--output=../out{number}", *settings]) == 0
    assert capsys.readouterr().out.startswith("1 of 1 images inpainted: ")
    assert list(_contents(folder / f"out{number}")) == ["a.png"]


def test_a_remote_folder_is_no_mask_and_object_stores_get_whole_files(tmp_path, monkeypatch):
  from z2i_tf.beam import files

  monkeypatch.setattr(KeptFiles, "root", str(tmp_path))
  (tmp_path / "masks").mkdir()
  (tmp_path / "masks" / "a.png").write_bytes(b"former")
  assert not files.is_file("kept://masks") and files.is_file("kept://masks/a.png")
  monkeypatch.setattr(files, "_OBJECT_STORES", ("kept://",))
  for name in ("delete", "rename"):
    monkeypatch.setattr(KeptFiles, name, _refuse)
  with files.local_output("kept://masks/a.png") as path, open(path, "wb") as file:
    file.write(b"new")
  assert [path.read_bytes() for path in (tmp_path / "masks").iterdir()] == [b"new"]


def test_failures_count_without_metrics(tmp_path, model, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  _write(tmp_path, ["a.png", "b.png"])
  (tmp_path / "images" / "b.png").write_bytes(b"damaged")
  run = pipelines.run
  monkeypatch.setattr(pipelines, "run", lambda *arguments: run(*arguments) and collections.Counter())
  assert main(["beam-inpaint", "--images=images", "--masks=masks", "--output=out", f"--model={model}"]) == 1
  assert capsys.readouterr().out == (
    "done; this runner does not report how many images were inpainted, 1 failed (see failures-*): out\n"
  )


def _raise(error):
  raise error


@pytest.mark.parametrize(
  "error, message",
  [
    (InputError("x.png: too large"), r"x\.png: too large"),
    (ValueError("no such number"), r"the pipeline failed \((builtins\.)?ValueError: no such number\); run it again"),
  ],
)
def test_the_error_of_another_process_is_its_last_line(error, message):
  options = pipelines.options_of(_ONE_PROCESS)

  def build(pipeline):
    pipeline | apache_beam.Create([error]) | apache_beam.Map(_raise)

  with pytest.raises(InputError, match=f"^{message}$"):
    pipelines.run(build, options)


def test_without_beam_the_command_says_how_to_install_it(monkeypatch, capsys):
  monkeypatch.setitem(sys.modules, "apache_beam", None)
  assert main(["beam-inpaint", "--images=a", "--masks=b", "--output=c"]) == 2
  assert capsys.readouterr().err == ("z2i beam-inpaint: this command needs Apache Beam: pip install 'z2i_tf[beam]'\n")

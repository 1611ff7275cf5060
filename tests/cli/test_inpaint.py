"""`z2i inpaint`, `masks`, `demo`, `evaluate` from the command line, and what they refuse."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
import pytest

from tests import recordings
import z2i_tf
from z2i_tf import image_ops
from z2i_tf.cli.main import main
from z2i_tf.images import image_files
from z2i_tf.images import mask_files

pytestmark = pytest.mark.usefixtures("models_loaded_once")


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory):
  """The converted original of width 8: small, and not the bundled one."""
  folder = tmp_path_factory.mktemp("models") / "original"
  assert main(["convert-checkpoint", f"--original={recordings.ORIGINAL_CHECKPOINT}", f"--output={folder}"]) == 0
  return folder


@pytest.fixture(name="pairs")
def _pairs(tmp_path):
  """Folders with two images of different sizes and formats, their masks, and room for results."""
  rng = np.random.default_rng(0)
  for folder in ("images", "masks", "out"):
    (tmp_path / folder).mkdir()
  for name, height, width in (("a.png", 24, 31), ("b.bmp", 17, 16)):
    image_files.write_rgb(str(tmp_path / "images" / name), rng.integers(0, 256, (height, width, 3), np.uint8))
    mask = np.zeros((height, width), np.uint8)
    mask[3:9, 4:11] = 1
    image_files.write_mask(str(tmp_path / "masks" / (name[0] + ".png")), mask)
  return tmp_path


def _one(pairs, model_folder, **changes):
  paths = {
    "image": pairs / "images" / "a.png",
    "mask": pairs / "masks" / "a.png",
    "output": pairs / "out" / "a.png",
    "model": model_folder,
    **changes,
  }
  return ["inpaint"] + [f"--{name}={path}" for name, path in paths.items()]


def _folder(pairs, model):
  return [
    "inpaint",
    f"--image_dir={pairs / 'images'}",
    f"--mask_dir={pairs / 'masks'}",
    f"--output_dir={pairs / 'out'}",
    f"--model={model}",
  ]


def test_one_image_keeps_known_pixels_bit_for_bit(pairs, model, capsys):
  assert main(_one(pairs, model)) == 0
  assert capsys.readouterr().out == f"{pairs / 'out' / 'a.png'}\n"
  image, result = (image_files.read_rgb(str(pairs / folder / "a.png")) for folder in ("images", "out"))
  mask = mask_files.read_binary_mask(str(pairs / "masks" / "a.png"))
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  assert (result[mask == 1] != image[mask == 1]).any()
  assert os.listdir(pairs / "out") == ["a.png"]


def test_image_and_mask_need_no_flags(pairs, model, capsys):
  image, mask, output = (str(pairs / folder / "a.png") for folder in ("images", "masks", "out"))
  assert main(["inpaint", image, mask, "-o", output, f"--model={model}"]) == 0
  plain = image_files.read_rgb(output)
  assert main(_one(pairs, model)) == 0
  np.testing.assert_array_equal(image_files.read_rgb(output), plain)
  os.remove(output)
  images, masks, out = (str(pairs / folder) for folder in ("images", "masks", "out"))
  assert main(["inpaint", images + "/", masks + "/", f"--model={model}", "-o", out + "/"]) == 0
  assert sorted(os.listdir(out)) == ["a.png", "b.bmp"]
  capsys.readouterr()


@pytest.mark.parametrize(
  "arguments, words",
  [
    (["images/a.png", "masks/a.png"], ["--output"]),
    (["images/a.png", "-o", "out/a.png"], ["MASK", "--image, --output"]),
    (["images/a.png", "masks/a.png", "out/a.png"], ["unexpected", "out/a.png"]),
    (["images/a.png", "masks/a.png", "--image=images/a.png", "-o", "out/a.png"], ["images/a.png", "twice"]),
    (["images/a.png", "masks/a.png", "--mask_dir=masks", "-o", "out/a.png"], ["--mask_dir=masks", "twice"]),
    (["images/a.png", "masks", "-o", "out/a.png"], ["images/a.png is one image", "masks"]),
    (["nowhere.png", "masks/a.png", "-o", "out/a.png"], ["nowhere.png: no such file"]),
    (["images", "nowhere", "-o", "out"], ["nowhere: no such file"]),
    (["images", "masks", "-o", "images"], ["overwrite"]),
    (["images", "masks", "-o", "out", "--output_dir=out"], ["--output_dir"]),
  ],
)
def test_arguments_that_cannot_be_used(pairs, capsys, monkeypatch, arguments, words):
  monkeypatch.chdir(pairs)
  assert main(["inpaint", *arguments]) == 2
  error = capsys.readouterr().err
  assert error.count("\n") == 1 and all(word in error for word in words)
  assert not os.listdir("out")


def test_the_folder_of_the_output_is_made_when_there_is_something_to_write(pairs, model):
  output = pairs / "new" / "a.png"
  assert main(_one(pairs, model, output=output, mask=pairs / "masks" / "b.png")) == 2 and not output.parent.exists()
  assert main(_one(pairs, model, output=output)) == 0 and output.exists()
  out = pairs / "out" / "new"
  assert main(_folder(pairs, model) + [f"--output_dir={out}"]) == 0 and len(os.listdir(out)) == 2


def test_verbose_says_how_the_mask_was_read_and_what_will_be_done(pairs, model, capsys):
  a = pairs / "images" / "a.png"
  assert main(_one(pairs, model, verbose="true")) == 0
  line, output = capsys.readouterr().out.splitlines()
  assert line == f"{a}: hole 5.6% of the image, 1 region; 1 piece, the largest in a crop of 24x31"
  assert output.endswith("out/a.png")
  assert main(_one(pairs, model, verbose="true", native="true")) == 0
  assert capsys.readouterr().out.splitlines()[0].endswith("; the networks see the whole image")
  assert main(_folder(pairs, model) + ["--verbose"]) == 0
  assert f"{a}: hole 5.6% of the image, 1 region; 1 piece" in capsys.readouterr().out


def test_a_folder_run_says_three_lines_and_no_bar_off_a_terminal(pairs, model, capsys):
  os.rmdir(pairs / "out")
  assert main(_folder(pairs, model)) == 0
  captured = capsys.readouterr()
  first, second = captured.out.splitlines()
  assert "2 of 2 images" in first and f"{pairs / 'out'} (new folder)" in first and " s" in second
  assert not captured.err
  assert main(_folder(pairs, model) + ["--verbose"]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert {str(pairs / "out" / name) for name in ("a.png", "b.bmp")} < set(lines) and len(lines) == 6


def test_too_little_context_for_texture_is_said(pairs, model, capsys):
  image_files.write_rgb(str(pairs / "images" / "tiny.png"), np.full((9, 9, 3), 90, np.uint8))
  mask = np.zeros((9, 9), np.uint8)
  mask[1:8, 1:8] = 1
  image_files.write_mask(str(pairs / "masks" / "tiny.png"), mask)
  tiny = {"image": pairs / "images" / "tiny.png", "mask": pairs / "masks" / "tiny.png"}
  assert main(_one(pairs, model, **tiny)) == 0
  assert capsys.readouterr().out.endswith("too little is known around the hole: filled without texture\n")
  assert main(_folder(pairs, model)) == 0
  assert "out/tiny.png: too little is known" in capsys.readouterr().out
  assert main(_one(pairs, model, **tiny, detail="none")) == 0
  assert "too little" not in capsys.readouterr().out


@pytest.mark.parametrize("number, message", [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")])
@pytest.mark.parametrize("command", [_one, _folder])
def test_signals_during_a_fill_leave_nothing(pairs, model, capsys, monkeypatch, number, message, command):
  handler = signal.getsignal(signal.SIGTERM)
  monkeypatch.setattr("z2i_tf.inference.inpainter.Inpainter.__call__", lambda *_, **__: signal.raise_signal(number))
  assert main(command(pairs, model)) == 128 + number
  assert capsys.readouterr().err == f"z2i inpaint: {message}\n"
  assert not os.listdir(pairs / "out")
  assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_not_swallowed_by_what_goes_on_after_any_exception(pairs, model, capsys, monkeypatch, number):
  def fill(self, image, *_, **__):
    try:
      signal.raise_signal(number)
    except Exception:  # As libraries do.
      pass
    return image

  monkeypatch.setattr("z2i_tf.inference.inpainter.Inpainter.__call__", fill)
  assert main(_folder(pairs, model)) == 128 + number
  assert capsys.readouterr().err == "z2i inpaint: terminated\n" and not os.listdir(pairs / "out")


def test_a_folder_run_makes_its_folder_and_removes_what_a_killed_one_left(pairs, model, monkeypatch):
  monkeypatch.setattr("z2i_tf.inference.inpainter.Inpainter.__call__", lambda self, image, *_, **__: image)
  os.rmdir(pairs / "out")
  assert main(_folder(pairs, model)) == 0 and sorted(os.listdir(pairs / "out")) == ["a.png", "b.bmp"]
  for name in ("a.png.ab12_xyz.tmp", "mine.png.ab12_xyz.tmp"):
    (pairs / "out" / name).touch()
  assert main(_folder(pairs, model) + ["--resume"]) == 0
  assert sorted(os.listdir(pairs / "out")) == ["a.png", "b.bmp", "mine.png.ab12_xyz.tmp"]


def test_values_that_are_no_numbers_are_refused(pairs, model, capsys, monkeypatch):
  from z2i_tf.inference import model_store

  predictor = model_store.load_predictor(str(model), None)
  for name in ("fill", "refine"):
    method = getattr(predictor, name)
    monkeypatch.setattr(predictor, name, lambda *arrays, method=method: method(*arrays) * np.float32(np.nan))
  for changes in ({}, {"native": "true"}):
    assert main(_one(pairs, model, **changes)) == 2
    assert "the model returns values that are not finite" in capsys.readouterr().err
  assert not os.listdir(pairs / "out")


def test_native_is_the_networks_own_result_and_detail_adds_to_it(pairs, model):
  results = {}
  for name, changes in (
    ("native", {"native": "true"}),
    ("none", {"detail": "none"}),
    ("auto", {}),
    ("patches", {"detail": "patches"}),
  ):
    assert main(_one(pairs, model, **changes)) == 0
    results[name] = image_files.read_rgb(str(pairs / "out" / "a.png"))
  image, mask = (
    read(str(pairs / folder / "a.png"))
    for read, folder in ((image_files.read_rgb, "images"), (mask_files.read_binary_mask, "masks"))
  )
  native = z2i_tf.Inpainter.load(str(model)).outputs(image, mask)["result"]
  np.testing.assert_array_equal(results["native"], image_ops.fill_hole(image, mask, native))
  assert (results["none"] != results["native"]).any() and (results["patches"] != results["none"]).any()
  np.testing.assert_array_equal(results["auto"], results["patches"])  # Six pixels thick: not thin.


def test_a_folder_is_paired_by_stem_and_gray_and_transparent_images_stay_so(pairs, model, capsys):
  rgba = np.random.default_rng(1).integers(0, 256, (24, 31, 4), np.uint8)
  originals = {"a": Image.fromarray(rgba), "c": Image.fromarray(rgba[..., 0])}
  for name, image in originals.items():
    image.save(pairs / "images" / f"{name}.png")
  shutil.copy(pairs / "masks" / "a.png", pairs / "masks" / "c.png")
  assert main(_folder(pairs, model)) == 0
  assert "3 of 3 images inpainted" in capsys.readouterr().out
  assert sorted(os.listdir(pairs / "out")) == ["a.png", "b.bmp", "c.png"]
  assert image_files.read_rgb(str(pairs / "out" / "b.bmp")).shape == (17, 16, 3)
  known = mask_files.read_binary_mask(str(pairs / "masks" / "a.png")) == 0
  for name, image in originals.items():
    result = Image.open(pairs / "out" / f"{name}.png")
    assert result.mode == image.mode
    np.testing.assert_array_equal(np.asarray(result)[known], np.asarray(image)[known])


def test_bad_files_do_not_stop_the_others(pairs, model, capsys):
  images, masks = pairs / "images", pairs / "masks"
  for name in ("without", "double", "larger", "empty", "broken"):
    shutil.copy(images / "a.png", images / f"{name}.png")
    shutil.copy(masks / "a.png", masks / f"{name}.png")
  (masks / "without.png").unlink()
  shutil.copy(masks / "a.png", masks / "double.bmp")
  shutil.copy(masks / "b.png", masks / "larger.png")
  image_files.write_mask(str(masks / "empty.png"), np.zeros((24, 31), np.uint8))
  (images / "broken.png").write_bytes(b"no image")
  assert main(_folder(pairs, model)) == 1
  captured = capsys.readouterr()
  assert "2 of 7 images inpainted, 5 failed" in captured.out
  assert sorted(os.listdir(pairs / "out")) == ["a.png", "b.bmp"]
  failures = [line for line in captured.err.splitlines() if line.startswith("failed: ")]  # No line of progress.
  assert len(failures) == 5
  for message in (
    "no masks called without",
    "2 masks called double",
    "they must be equal",
    "the mask is empty",
    "broken.png: not an image",
  ):
    assert any(message in failure for failure in failures), message


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"image": "nowhere.png"}, "nowhere.png: no such file"),
    ({"mask": "nowhere.png"}, "nowhere.png: no such file"),
    ({"mask": "{dir}/masks/b.png"}, "must be equal"),
    ({"mask": "{dir}/empty.png"}, "the mask is empty"),
    ({"mask": "{dir}/full.png"}, "covers everything"),
    ({"image": "{dir}/images"}, "a folder where a file is needed"),
    ({"output": "{dir}/images/a.png"}, "would overwrite its input"),
    ({"image": "{dir}/cut.png"}, "cut.png: not an image"),
    ({"output": "{dir}/nowhere/deeper/a.png"}, "nowhere: no such folder; create it first"),
    ({"output": "{dir}/masks/a.png/a.png"}, "no such folder"),
    ({"output": "{dir}/out/a.gif"}, "a.gif: unknown image extension"),
    ({"model": "nothing"}, "--model=nothing"),
    ({"model": "{dir}/out"}, "no model here"),
    ({"image_dir": "images"}, "give IMAGE MASK --output"),
    ({"resume": "true"}, "--resume is for folders"),
    ({"native": "true", "detail": "none"}, "--detail has no effect with --native"),
    ({"detail": "much"}, "--detail"),
    ({"max_pixels": "100"}, "a.png: 31x24 are 744 pixels, more than 100"),
    ({"feather": "3", "dilate": "2"}, "--feather=3 with --dilate=2"),
    ({"dilate": "99"}, "grown by --dilate=99: the mask covers everything"),
    ({"mask_from": "alpha"}, "no alpha channel"),
    ({"mask": "{dir}/gray.png"}, "ambiguous as a mask"),
    ({"dump_dir": "{dir}/dump"}, "give --native too"),
    ({"dump_dir": "{dir}/nowhere/dump", "native": "true"}, "no such folder"),
    (
      {"native": "true", "dump_dir": "{dir}/images", "output": "{dir}/out/a.png", "mask": "{dir}/images/mask.png"},
      "the dump would overwrite",
    ),
    ({"mask": ""}, "give IMAGE MASK --output"),
    ({"inverted": "true"}, "Unknown command line flag 'inverted'"),
  ],
)
def test_unusable_input_gets_one_line_and_no_output(pairs, model, capsys, changes, message):
  image_files.write_mask(str(pairs / "empty.png"), np.zeros((24, 31), np.uint8))
  shutil.copy(pairs / "masks" / "a.png", pairs / "images" / "mask.png")
  image_files.write_mask(str(pairs / "full.png"), np.ones((24, 31), np.uint8))
  image_files.write_rgb(str(pairs / "gray.png"), np.full((24, 31, 3), np.arange(0, 248, 8, np.uint8)[:, None]))
  (pairs / "cut.png").write_bytes((pairs / "images" / "a.png").read_bytes()[:900])
  assert main(_one(pairs, model, **{k: v.format(dir=pairs) for k, v in changes.items()})) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not os.listdir(pairs / "out")


def test_a_photograph_keeps_depth_profile_and_text_and_blends_where_asked(pairs, model, capsys):
  rng = np.random.default_rng(2)
  deep = rng.integers(0, 2**16, (24, 31), np.uint16)
  text = PngInfo()
  text.add_text("Title", "a tree")
  Image.fromarray(deep).save(pairs / "images" / "deep.png", pnginfo=text, icc_profile=b"profile of a scanner")
  command = _one(
    pairs,
    model,
    verbose="true",
    image=pairs / "images" / "deep.png",
    output=pairs / "out" / "deep.png",
    dilate=3,
    feather=2,
  )
  assert main(command) == 0
  assert "grew by 3 pixels" in capsys.readouterr().out
  result = Image.open(pairs / "out" / "deep.png")
  assert result.mode == "I;16" and result.info["icc_profile"] == b"profile of a scanner"
  assert result.text == {"Title": "a tree"}
  mask = mask_files.read_binary_mask(str(pairs / "masks" / "a.png")).astype(float)
  distance = cv2.distanceTransform((1 - mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
  np.testing.assert_array_equal(np.asarray(result)[distance > 3.01], deep[distance > 3.01])
  assert main(command[:-2] + ["--dilate=3"]) == 0
  sharp = np.asarray(Image.open(pairs / "out" / "deep.png")).astype(float)
  ring = (distance > 2.9) & (distance <= 3)
  blended = np.asarray(result).astype(float)
  # In the outermost row of the ring the photograph is seen more than the fill.
  change, full_change = np.abs(blended - deep)[ring].mean(), np.abs(sharp - deep)[ring].mean()
  assert 0.1 * full_change < change < 0.5 * full_change
  np.testing.assert_array_equal(blended[mask == 1], sharp[mask == 1])
  assert len(np.unique(sharp[mask == 1] % 257)) > 1  # More than 8 bits.


def test_jpeg_is_as_good_as_it_was_and_the_command_says_so(pairs, model, capsys):
  Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 31, 3), np.uint8)).save(
    pairs / "images" / "photo.jpg", quality=83
  )
  command = _one(pairs, model, image=pairs / "images" / "photo.jpg", output=pairs / "out" / "photo.jpg")
  assert main(command) == 0
  assert "photo.jpg: JPEG encoded with the input's quantization tables" in capsys.readouterr().out
  with Image.open(pairs / "images" / "photo.jpg") as original, Image.open(pairs / "out" / "photo.jpg") as result:
    assert original.quantization.items() <= result.quantization.items()


def test_one_mask_in_ten_encodings_gives_one_result(pairs, model):
  hole = mask_files.read_binary_mask(str(pairs / "masks" / "a.png"))
  levels = hole * np.uint8(255)
  gray, ink = Image.fromarray(levels), Image.new("L", (31, 24), 90)
  white = Image.merge("LA", [ink, gray])
  encodings = {
    "l.png": gray,
    "ones.png": Image.fromarray(hole),
    "bit.png": Image.fromarray(hole.astype(bool)),
    "rgb.png": gray.convert("RGB"),
    "luma.png": gray.convert("RGBA"),
    "alpha.png": white.convert("RGBA"),
    "la.png": white,
    "palette.png": gray.convert("P"),
    "deep.png": Image.fromarray(levels.astype(np.uint16) * 257),
    "photo.jpg": gray,
    "bmp.bmp": gray,
    "tiff.tif": gray,
    "webp.webp": gray.convert("RGB"),
  }
  results = set()
  for name, image in encodings.items():
    image.save(pairs / name, **{"webp.webp": {"lossless": True}, "photo.jpg": {"quality": 95}}.get(name, {}))
    assert main(_one(pairs, model, mask=pairs / name)) == 0, name
    results.add(image_files.read_rgb(str(pairs / "out" / "a.png")).tobytes())
  Image.fromarray(255 - levels).save(pairs / "inverted.png")
  assert main(_one(pairs, model, mask=pairs / "inverted.png") + ["--invert_mask"]) == 0
  results.add(image_files.read_rgb(str(pairs / "out" / "a.png")).tobytes())
  assert len(results) == 1


def test_a_folder_is_resumed_and_one_mask_serves_all(pairs, model, capsys):
  for name in ("c", "d"):
    shutil.copy(pairs / "images" / "a.png", pairs / "images" / f"{name}.png")
  (pairs / "images" / "b.bmp").unlink()
  command = [
    "inpaint",
    f"--image_dir={pairs / 'images'}",
    f"--mask={pairs / 'masks' / 'a.png'}",
    f"--output_dir={pairs / 'out'}",
    f"--model={model}",
    "--workers=1",
    "--resume",
  ]
  (pairs / "out" / "c.png").write_bytes(b"done before")
  assert main(command) == 0
  assert "2 of 3 images inpainted, 1 already there" in capsys.readouterr().out
  assert (pairs / "out" / "c.png").read_bytes() == b"done before"
  assert (pairs / "out" / "a.png").read_bytes() == (pairs / "out" / "d.png").read_bytes()
  assert main(command) == 0
  assert "0 of 3 images inpainted, 3 already there" in capsys.readouterr().out
  (pairs / "bad.png").write_bytes(b"no image")
  assert main(command + [f"--mask={pairs / 'bad.png'}"]) == 2
  assert "bad.png: not an image" in capsys.readouterr().err
  assert main(command + [f"--dump_dir={pairs / 'dump'}"]) == 2
  assert "--dump_dir is for one image" in capsys.readouterr().err


def test_a_dump_shows_every_stage_and_where_attention_copied_from(pairs, model):
  assert main(_one(pairs, model, native="true", dump_dir=pairs / "dump")) == 0
  sizes = {path.name: Image.open(path).size for path in (pairs / "dump").iterdir()}
  assert {name: size for name, size in sizes.items() if name != "contact_sheet.png"} == {
    **dict.fromkeys(
      (
        "input.png",
        "mask.png",
        "coarse.png",
        "zoomed_out.png",
        "result.png",
        "attention_positions.png",
        "attention_copies.png",
      ),
      (31, 24),
    ),
    "zoomed.png": (62, 48),
    "refined.png": (62, 48),
  }
  assert sizes["contact_sheet.png"][0] > 9 * 31
  dumped = {
    name: image_files.read_rgb(str(pairs / "dump" / f"{name}.png"))
    for name in ("result", "input", "attention_copies", "attention_positions")
  }
  np.testing.assert_array_equal(dumped["result"], image_files.read_rgb(str(pairs / "out" / "a.png")))
  image, mask = (
    image_files.read_rgb(str(pairs / "images" / "a.png")),
    mask_files.read_binary_mask(str(pairs / "masks" / "a.png")),
  )
  copies = dumped["attention_copies"]
  np.testing.assert_array_equal(copies[mask == 0], image[mask == 0])
  # The position that the colours tell is where the pixel was copied from.
  rows, columns = (
    np.rint(dumped["attention_positions"][mask == 1][:, axis] / 255 * length).astype(int)
    for axis, length in ((0, 24), (1, 31))
  )
  np.testing.assert_array_equal(dumped["input"][rows, columns], copies[mask == 1])
  assert (mask[rows, columns] == 0).mean() > 0.2


def test_folders_that_cannot_be_used(pairs, model, capsys):
  (pairs / "none").mkdir()
  for name, folder, message in (
    ("image_dir", "none", "no images in it"),
    ("mask_dir", "gone", "no such folder"),
    ("output_dir", "gone/deeper", "cannot create this folder"),
    ("output_dir", "masks", "would overwrite"),
  ):
    assert main(_folder(pairs, model) + [f"--{name}={pairs / folder}"]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_libgl_is_explained(tmp_path):
  (tmp_path / "cv2.py").write_text(
    "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
  )
  done = subprocess.run(
    [sys.executable, "-m", "z2i_tf", "masks", f"--output_dir={tmp_path}"],
    capture_output=True,
    text=True,
    env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"},
    check=False,
  )
  assert done.returncode == 2
  assert "libGL.so.1" in done.stderr and "apt-get install libgl1" in done.stderr
  assert done.stderr.count("\n") == 1


def test_masks_are_reproducible_and_do_not_depend_on_the_count(tmp_path, capsys):
  for name, count, seed in (("a", 3, 0), ("b", 2, 0), ("c", 2, 1)):
    assert (
      main(
        [
          "masks",
          "--kind=large",
          f"--count={count}",
          "--size=40x90",
          f"--seed={seed}",
          f"--output_dir={tmp_path / name}",
        ]
      )
      == 0
    )
  said = capsys.readouterr().out
  assert "hole" in said and f"{tmp_path / 'a'} (new folder)" in said
  read = {name: [Image.open(path).copy() for path in sorted((tmp_path / name).iterdir())] for name in "abc"}
  assert [len(images) for images in read.values()] == [3, 2, 2]
  for image in read["a"]:
    assert image.size == (90, 40) and set(np.unique(image)) == {0, 255}
  np.testing.assert_array_equal(read["a"][1], read["b"][1])
  assert not np.array_equal(read["b"][0], read["c"][0])


@pytest.mark.parametrize(
  "flag, message",
  [
    ("--size=256", "--size=256"),
    ("--size=0x9", "--size=0x9"),
    ("--size=1x1", "--size=1x1"),
    ("--size=99999x99999", "--size=99999x99999"),
    ("--kind=round", "--kind=round"),
    ("--count=0", "count"),
    ("--seed=-1", "seed"),
    ("--seed=4294967296", "seed"),
    ("--output_dir=nowhere/deeper", "cannot create this folder"),
    ("--output_dir=", "--output_dir is missing"),
  ],
)
def test_unusable_mask_requests(tmp_path, capsys, flag, message):
  assert main(["masks", f"--output_dir={tmp_path}", flag]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not os.listdir(tmp_path)


def test_demo_draws_its_sheet_and_prints_psnr(tmp_path, capsys, model):
  for folder in ("images", "masks"):
    (tmp_path / folder).mkdir()
  image = image_files.read_rgb("data/images/astronaut.jpg")[96:160, 64:144]
  mask = np.zeros((64, 80), np.uint8)
  mask[20:30, 30:50] = 1
  image_files.write_rgb(str(tmp_path / "images" / "astronaut.png"), image)
  image_files.write_mask(str(tmp_path / "masks" / "astronaut.png"), mask)
  command = [
    "demo",
    f"--image_dir={tmp_path / 'images'}",
    f"--mask_dir={tmp_path / 'masks'}",
    f"--output_dir={tmp_path / 'out'}",
    f"--model={model}",
  ]
  assert main(command) == 0
  row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("astronaut"))
  assert len([float(number) for number in row.split()[1:]]) == 3
  sheet = image_files.read_rgb(str(tmp_path / "out" / "comparison.png"))
  assert sheet.shape[1] > 5 * 80
  result = image_files.read_rgb(str(tmp_path / "out" / "astronaut.png"))
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])


def test_demo_reports_what_it_cannot_show(pairs, model, capsys):
  shutil.copy(pairs / "masks" / "b.png", pairs / "masks" / "a.png")
  shutil.rmtree(pairs / "out")
  command = ["demo", f"--image_dir={pairs / 'images'}", f"--mask_dir={pairs / 'masks'}", f"--model={model}"]
  assert main(command + [f"--output_dir={pairs / 'out'}"]) == 1
  captured = capsys.readouterr()
  assert "must be equal" in captured.err and "1 of 2" in captured.out
  assert sorted(os.listdir(pairs / "out")) == ["b.png", "comparison.png"]
  assert main(command + [f"--output_dir={pairs / 'images' / 'a.png'}"]) == 2
  assert "cannot create this folder" in capsys.readouterr().err


def test_evaluation_measures_the_networks_or_what_users_get(pairs, model, capsys):
  command = [
    "evaluate",
    f"--image_dir={pairs / 'images'}",
    f"--mask_dir={pairs / 'masks'}",
    "--baseline=",
    f"--model=ours={model}",
  ]
  image, mask = (
    image_files.read_rgb(str(pairs / "images" / "a.png")),
    mask_files.read_binary_mask(str(pairs / "masks" / "a.png")),
  )
  inpainter = z2i_tf.Inpainter.load(str(model))
  for name, flags, arguments, described in (
    ("networks", [], {"native": True}, ("networks", None)),
    ("photograph", ["--filling=photograph"], {}, ("photograph", "auto")),
    ("smooth", ["--filling=photograph", "--detail=none"], {"detail": "none"}, ("photograph", "none")),
  ):
    assert main(command + flags + [f"--output_dir={pairs / name}"]) == 0
    entry = json.loads((pairs / name / "comparison.json").read_text())["methods"]["ours"]
    assert (entry["filling"], entry.get("detail")) == described
    np.testing.assert_array_equal(
      image_files.read_rgb(str(pairs / name / "results" / "ours" / "masks" / "a.png")),
      inpainter(image, mask, **arguments),
    )
  capsys.readouterr()
  assert main(command + ["--detail=none", f"--output_dir={pairs / 'no'}"]) == 2
  assert "--detail=none: only with --filling=photograph" in capsys.readouterr().err


def test_evaluation_of_a_model_fills_and_describes_it(pairs, model):
  assert (
    main(
      [
        "evaluate",
        f"--image_dir={pairs / 'images'}",
        f"--mask_dir={pairs / 'masks'}",
        "--baseline=mean",
        f"--model=ours={model}",
        f"--output_dir={pairs / 'run'}",
      ]
    )
    == 0
  )
  record = json.loads((pairs / "run" / "comparison.json").read_text())
  entry = record["methods"]["ours"]
  assert entry["kind"] == "model" and entry["width"] == 8 and entry["precision"] == "float32"
  arrays = recordings.load("inference")
  assert entry["parameters"] == sum(
    array.size
    for name, array in arrays.items()
    if name.startswith(("coarse/", "sr/", "refine/")) and not name.endswith(("/mean", "/var"))
  )
  assert entry["hash"] == hashlib.sha256((model / "model.npz").read_bytes()).hexdigest()
  assert len(record["scores"]["masks"]["ours"]["PSNR"]) == 2
  result, original = (
    image_files.read_rgb(str(pairs / "run" / "results" / name / "masks" / "a.png")) for name in ("ours", "original")
  )
  mask = mask_files.read_binary_mask(str(pairs / "masks" / "a.png"))
  np.testing.assert_array_equal(result[mask == 0], original[mask == 0])
  assert (result[mask == 1] != original[mask == 1]).any()

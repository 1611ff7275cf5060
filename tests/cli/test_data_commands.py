"""`z2i check-data`, `prepare` and `show-batch` from the command line, and what they and `train` refuse."""

import os
import shutil

import numpy as np
from PIL import Image
import pytest

from tests.datasets import stand_ins
from z2i_tf.analyses import picture_sheets
from z2i_tf.cli.main import main
from z2i_tf.datasets import pipelines
from z2i_tf.datasets.examples import ExampleConfig
from z2i_tf.datasets.folder_source import FolderSource
from z2i_tf.datasets.open_source import KINDS
from z2i_tf.datasets.open_source import open_source
from z2i_tf.images import image_files
from z2i_tf.masks.mixture import MaskMixture


@pytest.fixture(name="images")
def _images(tmp_path):
  stand_ins.write_folder(tmp_path / "images")
  return tmp_path / "images"


def _spoil(images):
  """Adds a file that is no image, one cut behind its header and one that is too small."""
  (images / "text.png").write_text("not an image")
  noise = np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8)
  image_files.write_rgb(str(images / "cut.png"), noise)
  (images / "cut.png").write_bytes((images / "cut.png").read_bytes()[:5000])
  image_files.write_rgb(str(images / "small.webp"), noise[:10])


def test_check_data_counts_and_names(images, capsys):
  assert main(["check-data", f"--data_dir={images}", "--crop_size=20"]) == 0
  output = capsys.readouterr().out
  assert "heights 40, 42, 44, widths 50, 50, 50 pixels" in output and "pixel formats: RGB 5" in output
  assert "5 images decoded in" in output and "5 usable, 0 damaged, 0 smaller than the crop of 40x40" in output
  _spoil(images)
  assert main(["check-data", f"--data_dir={images}", "--crop_size=20"]) == 1
  output = capsys.readouterr().out
  assert f"unusable: {images}/text.png: not an image that can be read: unknown format" in output
  assert f"unusable: {images}/cut.png: not an image that can be read" in output
  assert f"unusable: {images}/small.webp: 10x70 pixels, smaller than the crop of 40x40" in output
  assert "8 images decoded in" in output and "5 usable, 2 damaged, 1 smaller" in output
  assert "heights 10, 42, 44" in output  # Of the six that can be read.


def test_check_data_says_each_kind_once_with_the_largest_crop_that_fits(images, capsys):
  noise = np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8)
  for number in range(40):
    image_files.write_rgb(str(images / f"small_{number:02}.png"), noise[: 30 + number % 3])
    (images / f"text_{number:02}.png").write_text("not an image")
  command = ["check-data", f"--data_dir={images}"]
  assert main([*command, "--crop_size=20"]) == 1
  lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("unusable: ")]
  assert len(lines) == 2 and all(line.startswith("unusable: 40 images (") for line in lines)
  bad, small = lines
  assert f"{images}/text_00.png" in bad and "37 more" in bad and "not an image" in bad
  assert "crop of 40x40" in small and "30x70" in small and "--crop_size=8" in small  # 30 // 2, a multiple of 8.
  assert main([*command, "--crop_size=8"]) == 1
  assert "0 smaller" in capsys.readouterr().out
  assert main([*command, "--crop_size=20", "--verbose"]) == 1
  output = capsys.readouterr().out
  assert all(f"{images}/{kind}_{number:02}.png" in output for kind in ("text", "small") for number in range(40))


def test_check_data_by_headers_does_not_see_what_is_behind_them(images, capsys):
  _spoil(images)
  assert main(["check-data", f"--data_dir={images}", "--crop_size=20", "--quick"]) == 1
  output = capsys.readouterr().out
  assert "8 images by their headers" in output and "6 usable, 1 damaged, 1 smaller" in output


def test_check_data_counts_what_exif_turns(images, capsys):
  exif = Image.Exif()
  exif[0x0112] = 6
  Image.fromarray(stand_ins.coded_image(1, 90, 60)).convert("L").save(images / "turned.jpg", exif=exif)
  assert main(["check-data", f"--data_dir={images}", "--crop_size=20"]) == 0
  output = capsys.readouterr().out
  assert "pixel formats: RGB 5, L 1; turned by EXIF: 1" in output and "widths 50, 50, 90" in output


def test_check_data_with_nothing_usable(images, capsys):
  assert main(["check-data", f"--data_dir={images}", "--crop_size=40"]) == 2
  error = capsys.readouterr().err
  assert error == f"z2i check-data: nothing usable in --source=folder --data_dir={images}\n"


def test_a_folder_that_was_not_prepared(images, capsys):
  assert main(["check-data", "--source=tfrecord", f"--data_dir={images}"]) == 2
  assert "no dataset.json in it; z2i prepare makes such folders" in capsys.readouterr().err


def test_prepared_images_serve_as_a_source(images, tmp_path, capsys):
  _spoil(images)
  records = tmp_path / "records"
  command = ["prepare", f"--data_dir={images}", f"--output_dir={records}", "--tile_size=16", "--shards=2"]
  assert main(command + ["--on_bad_image=fail"]) == 2
  assert "cut.png: not an image" in capsys.readouterr().err
  assert main(command) == 0
  output = capsys.readouterr()
  assert f"6 images in 2 files in {records}, 2 skipped" in output.out and output.err.count("skipped: ") == 2
  assert main(command) == 0  # There is nothing left to do.
  assert main(["check-data", "--source=tfrecord", f"--data_dir={records}", "--crop_size=16"]) == 1
  assert "5 usable, 0 damaged, 1 smaller" in capsys.readouterr().out
  assert main(["prepare", "--source=tfrecord", f"--data_dir={records}", f"--output_dir={tmp_path}"]) == 2
  assert "--source=tfrecord" in capsys.readouterr().err
  (tmp_path / "nothing").mkdir()
  (tmp_path / "nothing" / "a.png").write_text("not an image")
  assert main(["prepare", f"--data_dir={tmp_path / 'nothing'}", f"--output_dir={tmp_path / 'none'}"]) == 2
  assert "none of the 1 images can be read" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [1, 2])
def test_show_batch_draws_what_the_pipeline_gives(images, tmp_path, scale):
  output = tmp_path / "batch.png"
  assert (
    main(
      [
        "show-batch",
        f"--data_dir={images}",
        f"--output={output}",
        "--crop_size=16",
        f"--scale={scale}",
        "--mask_kind=rect",
        "--count=2",
        "--first=7",
        "--seed=3",
        "--flips=both",
      ]
    )
    == 0
  )
  config = ExampleConfig(crop_size=16, scale=scale, masks=MaskMixture.parse("rect"), seed=3, flips="both")
  rows = []
  for batch in pipelines.training_dataset(FolderSource(str(images)), config, 1, 7).take(2):
    hole = batch["mask_lr"][0].numpy().repeat(scale, 0).repeat(scale, 1) == 1
    lr = np.rint(np.clip(batch["image_lr"][0].numpy(), 0, 1) * 255).repeat(scale, 0).repeat(scale, 1)
    hr = np.rint(batch["image_hr"][0].numpy() * 255)
    rows.append(
      [picture.astype(np.uint8) for picture in (np.where(hole, 255, lr), np.where(hole, 255, 0).repeat(3, 2), lr, hr)]
    )
  np.testing.assert_array_equal(
    image_files.read_rgb(str(output)), picture_sheets.draw_sheet(("masked input", "mask", "LR", "HR"), rows)
  )


def test_show_batch_skips_what_is_damaged_or_refuses_it(images, tmp_path, capsys):
  for number in range(5, 30):
    (images / f"{number}.png").write_bytes(b"")
  command = ["show-batch", f"--data_dir={images}", f"--output={tmp_path / 'b.png'}", "--crop_size=16"]
  assert main(command) == 0
  assert "skipped: " in capsys.readouterr().err
  os.unlink(tmp_path / "b.png")
  assert main(command + ["--on_bad_image=fail", "--count=30"]) == 2
  assert "unknown format" in capsys.readouterr().err and not (tmp_path / "b.png").exists()


def test_a_list_of_files_and_own_masks(images, tmp_path):
  (tmp_path / "list.txt").write_bytes("\ufeffimages/0.png\r\nimages/more/4.png\r\n".encode())  # As some editors write.
  (tmp_path / "masks").mkdir()
  image_files.write_mask(str(tmp_path / "masks" / "left.png"), np.tile([1, 1, 0, 0], (4, 1)))
  assert (
    main(
      [
        "show-batch",
        f"--data_dir={tmp_path / 'list.txt'}",
        f"--output={tmp_path / 'b.png'}",
        "--crop_size=16",
        "--mask_kind=folder",
        f"--train_mask_dir={tmp_path / 'masks'}",
        "--count=1",
      ]
    )
    == 0
  )
  sheet = image_files.read_rgb(str(tmp_path / "b.png"))
  mask = np.repeat([255, 0], 16).reshape(1, 32, 1).repeat(32, 0).repeat(3, 2)
  windows = np.lib.stride_tricks.sliding_window_view(sheet, mask.shape)[:, :, 0]
  assert (windows == mask).all(axis=(2, 3, 4)).sum() == 1


def test_the_sources_of_the_flag_are_those_there_are(tmp_path):
  for kind in KINDS:
    with pytest.raises(ValueError, match=str(tmp_path)):
      open_source(kind, str(tmp_path), "train", 2)


@pytest.mark.parametrize("command", ["show-batch", "train", "check-data", "prepare"])
@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--data_dir="], "--data_dir is missing"),
    (["--data_dir=nowhere"], "nowhere: no such folder"),
    (["--split=train"], "--split=train: only TensorFlow Datasets have splits, not --source=folder"),
    (["--source=div2k"], 'tfds.builder("div2k/bicubic_x2", data_dir="'),
    (["--source=imagenet"], "--source=imagenet"),
  ],
)
def test_sources_that_cannot_be_used_get_one_line(images, tmp_path, capsys, command, arguments, message):
  options = {
    "show-batch": ["--output={}/b.png"],
    "train": ["--work_dir={}/run", "--perceptual_weights=none"],
    "check-data": [],
    "prepare": ["--output_dir={}/records"],
  }[command]
  assert main([command, f"--data_dir={images}", *(option.format(tmp_path) for option in options), *arguments]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert os.listdir(tmp_path) == ["images"]


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--train_mask_dir={masks}"], "'folder' is not among the kinds"),
    (["--mask_kind=folder"], "need a folder of masks"),
    (["--mask_kind=folder", "--train_mask_dir=nowhere"], "nowhere: no such folder"),
    (["--crops_per_image=0"], "crops_per_image=0"),
    (["--crop_size=20"], "crop_size=20"),
    (["--crop_size=32"], "none of 5 images is usable"),
    (["--output=b.xyz"], "unknown image extension"),
    (["--output="], "--output is missing"),
    (["--count=0"], "--count"),
  ],
)
def test_examples_that_cannot_be_made_get_one_line(images, tmp_path, capsys, arguments, message):
  (tmp_path / "masks").mkdir()
  image_files.write_mask(str(tmp_path / "masks" / "a.png"), np.eye(9))
  arguments = [argument.format(masks=tmp_path / "masks") for argument in arguments]
  assert main(["show-batch", f"--data_dir={images}", f"--output={tmp_path}/b.png", "--crop_size=16"] + arguments) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1, error
  assert not (tmp_path / "b.png").exists()


def test_tensorflow_datasets_from_the_command_line(tmp_path, capsys):
  images = [stand_ins.coded_image(number, 40, 50) for number in range(3)]
  stand_ins.write_tfds("div2k/bicubic_x2", tmp_path / "tfds", {"train": images, "validation": images[:1]})
  command = ["check-data", "--source=div2k", f"--data_dir={tmp_path / 'tfds'}", "--crop_size=16"]
  assert main(command) == 0
  assert "3 images decoded" in capsys.readouterr().out
  assert main(command + ["--split=validation"]) == 0
  assert "1 images decoded" in capsys.readouterr().out
  assert (
    main(
      [
        "prepare",
        "--source=div2k",
        f"--data_dir={tmp_path / 'tfds'}",
        "--split=train[:2]",
        "--tile_size=16",
        f"--output_dir={tmp_path / 'records'}",
      ]
    )
    == 0
  )
  assert "2 images in 2 files" in capsys.readouterr().out
  shutil.rmtree(tmp_path / "tfds")
  assert main(command) == 2
  assert 'tfds.builder("div2k/bicubic_x2"' in capsys.readouterr().err

"""Every kind of source gives the images that were put into it, by index, and says what is wrong with bad ones."""

import json
import os
import re
import shutil
import struct
import time
import unicodedata
import zlib

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests.datasets import stand_ins
from z2i_tf.datasets import sources
from z2i_tf.datasets import survey
from z2i_tf.datasets import tiled_records
from z2i_tf.datasets.folder_source import FolderSource
from z2i_tf.datasets.open_source import open_source
from z2i_tf.datasets.pictures import encode_tiles
from z2i_tf.datasets.pictures import TiledPicture
from z2i_tf.datasets.sources import BadImages
from z2i_tf.datasets.tfrecord import RecordFile
from z2i_tf.datasets.tfrecord import RecordShards
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.system import folder_lock
from z2i_tf.system import parallel

_NOISE = np.random.default_rng(0).integers(0, 256, (45, 61, 3), np.uint8)


def _whole(source, index):
  picture = source.open(index)
  return picture.crop(0, 0, *picture.shape)


@pytest.fixture(name="images", scope="module")
def _images(tmp_path_factory):
  folder = tmp_path_factory.mktemp("data") / "images"
  stand_ins.write_folder(folder)
  (folder / "notes.txt").write_text("not an image")
  return folder


def test_a_folder_is_searched_recursively_a_list_names_files(images, tmp_path):
  folder = FolderSource(str(images))
  (tmp_path / "list.txt").write_text(f"# the last and the first\n{images / 'more' / '4.png'}\n\n../images/0.png\n")
  (tmp_path / "images").symlink_to(images)
  (tmp_path / "lists").mkdir()
  shutil.move(tmp_path / "list.txt", tmp_path / "lists" / "list.txt")
  listed = FolderSource(str(tmp_path / "lists" / "list.txt"))
  assert len(folder) == 5 and len(listed) == 2
  assert [_whole(listed, index)[0, 0, 0] for index in range(2)] == [80, 0]
  assert folder.name(4).endswith("4.png") and folder.header(4) == image_files.Header(44, 50, "RGB", False)


@pytest.mark.parametrize(
  "content, message",
  [
    ("\n# nothing\n", "list.txt: no files in this list"),
    (b"\xff\xfe", "list.txt: cannot be read as a list"),
    ("gone.png", "gone.png: no such file"),
  ],
)
def test_unusable_lists(tmp_path, content, message):
  (tmp_path / "list.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
  with pytest.raises(InputError, match=message):
    FolderSource(str(tmp_path / "list.txt")).open(0)


def test_links_are_followed_and_may_go_round(tmp_path):
  (tmp_path / "real").mkdir()
  image_files.write_rgb(str(tmp_path / "real" / "a.png"), np.zeros((8, 8, 3), np.uint8))
  (tmp_path / "linked").mkdir()
  (tmp_path / "linked" / "there").symlink_to(tmp_path / "real")
  (tmp_path / "real" / "back").symlink_to(tmp_path / "linked")
  assert len(FolderSource(str(tmp_path / "linked"))) == 1


def test_a_source_without_usable_image_is_refused(images, tmp_path):
  sources.check_source(FolderSource(str(images)), 40)
  with pytest.raises(
    InputError, match="none of 5 images is usable .*0.png: 40x50 pixels, smaller than the crop of 45x45"
  ):
    sources.check_source(FolderSource(str(images)), 45)
  with pytest.raises(InputError, match="no images in it"):
    open_source("folder", str(tmp_path), "train", 2)
  with pytest.raises(InputError, match="nowhere: no such folder"):
    open_source("folder", str(tmp_path / "nowhere"), "train", 2)


@pytest.mark.parametrize("tile_size", [8, 16])
def test_crops_of_tiles_are_crops_of_the_image(tile_size):
  tiles = encode_tiles(_NOISE, tile_size)
  picture = TiledPicture("noise", _NOISE.shape[:2], tile_size, tiles)
  rng = np.random.default_rng(1)
  boxes = [(0, 0, 45, 61), (44, 60, 1, 1), (8, 16, 8, 8)]
  for _ in range(20):
    top, left = rng.integers(44), rng.integers(60)
    boxes.append((top, left, rng.integers(1, 46 - top), rng.integers(1, 62 - left)))
  for top, left, height, width in boxes:
    np.testing.assert_array_equal(
      picture.crop(top, left, height, width), _NOISE[top : top + height, left : left + width]
    )
  # A small crop decodes the tiles it touches, no others.
  tiles[-1] = b"damaged"
  picture = TiledPicture("noise", _NOISE.shape[:2], tile_size, tiles)
  np.testing.assert_array_equal(picture.crop(0, 0, 30, 30), _NOISE[:30, :30])
  with pytest.raises(InputError, match="noise: damaged: its tile"):
    picture.crop(0, 0, 45, 61)
  with pytest.raises(InputError, match="do not make 45x61"):
    TiledPicture("noise", _NOISE.shape[:2], tile_size, tiles[1:])


@pytest.mark.parametrize("tile_size", [8, 16])
@pytest.mark.parametrize("shards", [1, 3, 9])
def test_prepared_images_are_the_images(images, tmp_path, tile_size, shards):
  manifest = stand_ins.write_prepared(images, tmp_path / "records", tile_size, shards)
  assert len(manifest["shards"]) == min(shards, 5)
  plain, source = FolderSource(str(images)), open_source("tfrecord", str(tmp_path / "records"), "", 2)
  assert len(source) == 5
  for index in range(5):
    np.testing.assert_array_equal(_whole(source, index), _whole(plain, index))
    assert source.header(index) == plain.header(index)
  is_tiled = isinstance(source.open(0), TiledPicture)
  assert is_tiled == (tile_size == 8)


def test_preparing_continues_where_it_was_interrupted(images, tmp_path):
  """Finished shards are kept as they are; an unfinished folder is not read."""

  class Interrupted(Exception):
    pass

  def prepare(progress=lambda: None, tile_size=8, source=FolderSource(str(images))):
    return tiled_records.write_tiled_records(
      source, str(tmp_path), {"source": "folder"}, tile_size, 3, BadImages(fail=True), progress
    )

  calls = []

  def interrupt():
    calls.append(1)
    if len(calls) == 4:
      raise Interrupted

  with pytest.raises(Interrupted):
    prepare(interrupt)
  (tmp_path / "images-00002-of-00003.tfrecord.killed.tmp").write_bytes(b"left by a killed process")
  (tmp_path / "mine.tmp").write_bytes(b"not ours")
  done = sorted(path.name for path in tmp_path.glob("*.tfrecord"))
  assert done == ["images-00000-of-00003.tfrecord", "images-00001-of-00003.tfrecord"]
  times = [(tmp_path / name).stat().st_mtime_ns for name in done]
  with pytest.raises(InputError, match="was interrupted here"):
    open_source("tfrecord", str(tmp_path), "", 2)
  with pytest.raises(InputError, match="other images or settings .tile_size differ"):
    prepare(tile_size=16)
  with pytest.raises(InputError, match="other images or settings .content"):
    prepare(source=FolderSource(str(images / "more")))
  with folder_lock.locked_folder(str(tmp_path), "prepare.lock", ""):
    with pytest.raises(InputError, match="another z2i prepare is writing here"):
      prepare()
  prepare()
  assert [(tmp_path / name).stat().st_mtime_ns for name in done] == times
  assert [path.name for path in tmp_path.glob("*.tmp")] == ["mine.tmp"]
  assert len(open_source("tfrecord", str(tmp_path), "", 2)) == 5


def test_damaged_files_are_left_out_when_preparing_or_refused(images, tmp_path, capsys):
  shutil.copytree(images, tmp_path / "images")
  cut = tmp_path / "images" / "1.png"
  cut.write_bytes(cut.read_bytes()[:60])
  for folder in ("skipped", "failed"):
    (tmp_path / folder).mkdir()
  source = FolderSource(str(tmp_path / "images"))
  arguments = ({}, 8, 2)
  manifest = tiled_records.write_tiled_records(source, str(tmp_path / "skipped"), *arguments, BadImages(), lambda: None)
  assert len(manifest["skipped"]) == 1 and "1.png: not an image" in capsys.readouterr().err
  with pytest.raises(InputError, match="1.png: not an image"):  # What an earlier call skipped is refused as well.
    tiled_records.write_tiled_records(source, str(tmp_path / "skipped"), *arguments, BadImages(fail=True), lambda: None)
  assert len(tiled_records.TiledRecordsSource(str(tmp_path / "skipped"))) == 4
  with pytest.raises(InputError, match="1.png: not an image"):
    tiled_records.write_tiled_records(source, str(tmp_path / "failed"), *arguments, BadImages(fail=True), lambda: None)
  assert not list((tmp_path / "failed").iterdir())


def test_damaged_prepared_folders(images, tmp_path):
  with pytest.raises(InputError, match="no dataset.json in it; z2i prepare makes such folders"):
    tiled_records.TiledRecordsSource(str(images))
  stand_ins.write_prepared(images, tmp_path / "records", shards=1)
  shard = tmp_path / "records" / "images-00000-of-00001.tfrecord"
  whole = shard.read_bytes()

  def opened(index=4):
    return tiled_records.TiledRecordsSource(str(tmp_path / "records")).open(index)

  for damaged, message in ((whole[:-7], f"{len(whole) - 7} bytes, not {len(whole)}"), (whole + whole, "bytes, not")):
    shard.write_bytes(damaged)
    with pytest.raises(InputError, match=message):
      opened()
  place = len(whole) - 300
  shard.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])  # One bit.
  opened(3)
  with pytest.raises(InputError, match="records, record 4: .*damaged in its record 4"):
    opened()
  shard.write_bytes(whole)
  stand_ins.replace_tiles(tmp_path / "records", 4, [b"few"])
  with pytest.raises(InputError, match="record 4 .*4.png.: damaged: 1 tiles of 8 do not make 44x50 pixels"):
    opened()
  stand_ins.rewrite_records(shard, lambda index, content: b"\xff" * len(content))
  with pytest.raises(InputError, match="record 4: damaged"):
    opened()
  shard.unlink()
  with pytest.raises(InputError, match="cannot be read: No such file"):
    opened()
  manifest = tmp_path / "records" / "dataset.json"
  sound = json.loads(manifest.read_text())
  shard = sound["shards"][0]
  for content in (
    "nonsense",
    "[]",
    "{}",
    "[" * 100_000,
    json.dumps({**sound, "version": 99}),
    *(
      json.dumps({**sound, "shards": [{**shard, **change}]})
      for change in ({"records": -5}, {"records": 10**30}, {"bytes": -1}, {"bytes": float("inf")}, {"file": "../x"})
    ),
  ):
    manifest.write_text(content)
    with pytest.raises(InputError, match="cannot be read as a list of prepared images"):
      opened()


@pytest.mark.parametrize(
  "encode",
  [
    lambda: b"\x89PNG\r\n\x1a\n" + struct.pack(">L4sLLBBBBB", 13, b"IHDR", 65535, 65535, 8, 2, 0, 0, 0),
    lambda: b"RIFF" + struct.pack("<L", 100) + b"WEBPVP8L" + struct.pack("<LBL", 80, 0x2F, 0xFFFFFFF) + bytes(80),
    lambda: b"RIFF" + struct.pack("<L", 100) + b"WEBPVP8X" + b"\x0a\0\0\0\0\0\0\0" + b"\xff" * 6 + bytes(80),
    lambda: b"BM" + bytes(16) + struct.pack("<ll", 65535, 65535) + bytes(60),
  ],
)
def test_a_tile_that_claims_another_size_is_damaged(encode):
  image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
  tiles = encode_tiles(image, 16)
  claims = encode()
  if claims[:4] == b"\x89PNG":
    claims += struct.pack(">L", zlib.crc32(claims[12:]))
  picture = TiledPicture("record 3", (20, 30), 16, [claims, *tiles[1:]])
  with pytest.raises(InputError, match="record 3: damaged: its tile 0 cannot be read"):
    picture.crop(0, 0, 20, 30)
  np.testing.assert_array_equal(picture.crop(16, 16, 4, 14), image[16:, 16:])


def test_sixteen_bits_of_which_few_are_used_are_said(tmp_path, capsys):
  levels = np.tile(np.arange(64, dtype=np.uint16) * 65, (64, 1))  # 12 bits: up to 4095.
  Image.fromarray(levels).save(tmp_path / "dark.png")
  source = FolderSource(str(tmp_path))
  sources.check_source(source, 32)
  assert "warning: " in capsys.readouterr().err
  (warning,) = survey.survey(source, 32, True, lambda: None).dark
  assert warning.endswith(
    "dark.png: 16 bits, but no level beyond 4095 of 65535: training sees 16 of 256 levels, "
    "almost black; scale such images to the full range first"
  )
  Image.fromarray(levels * 16).save(tmp_path / "dark.png")
  sources.check_source(source, 32)
  assert not capsys.readouterr().err and not survey.survey(source, 32, True, lambda: None).dark


def test_a_list_may_spell_names_otherwise(tmp_path):
  images = tmp_path / "images"
  stand_ins.write_folder(images)
  composed, decomposed = (unicodedata.normalize(form, "Grüße.png") for form in ("NFC", "NFD"))
  os.rename(next(images.glob("*.png")), images / decomposed)
  (images / "list.txt").write_text(composed + "\n", encoding="utf-8")
  source = FolderSource(str(images / "list.txt"))
  assert source.header(0).width == 50
  assert not source.left_out and "left out 1 file" in FolderSource(str(images)).left_out


def test_records_are_those_that_tensorflow_reads(tmp_path):
  contents = [bytes([number]) * length for number, length in enumerate((0, 1, 300, 70_000))]
  paths = [str(tmp_path / name) for name in ("a", "b")]
  for path, part in zip(paths, (contents[:3], contents[3:])):
    with tf.io.TFRecordWriter(path) as writer:
      for content in part:
        writer.write(content)
  assert [record.numpy() for record in tf.data.TFRecordDataset(paths)] == contents
  first, second = map(RecordFile, paths)
  assert len(first) == 3 and [first.read(index) for index in range(3)] == contents[:3]
  shards = RecordShards([(first, 1, 2), (second, 0, 1)])
  assert len(shards) == 3 and [shards[index] for index in range(3)] == contents[1:]


@pytest.fixture(name="tfds_dir", scope="module")
def _tfds_dir(tmp_path_factory):
  """DIV2K in both file formats and Places2, of coded images."""
  data_dir = tmp_path_factory.mktemp("tfds")
  splits = {
    "train": [stand_ins.coded_image(number, 40, 50) for number in range(6)],
    "validation": [stand_ins.coded_image(number + 7, 48, 44) for number in range(3)],
  }
  stand_ins.write_tfds("div2k/bicubic_x2", data_dir, splits)
  stand_ins.write_tfds("div2k/bicubic_x3", data_dir, splits, "array_record")
  stand_ins.write_tfds(
    "places365_small", data_dir, {"train": [stand_ins.coded_image(number, 256, 256) for number in range(2)]}
  )
  return str(data_dir)


@pytest.mark.parametrize(
  "name, builder_name, feature, scale, split, count",
  [
    ("div2k", "div2k/bicubic_x2", "hr", 2, "train", 6),
    ("div2k", "div2k/bicubic_x2", "hr", 2, "train[1:5]", 4),
    ("div2k", "div2k/bicubic_x2", "hr", 2, "validation", 3),
    ("places365_small", "places365_small", "image", 1, "train", 2),
  ],
)
def test_tensorflow_datasets_are_read_as_tfds_reads_them(tfds_dir, name, builder_name, feature, scale, split, count):
  source = open_source(name, tfds_dir, split, scale)
  expected = list(tfds.builder(builder_name, data_dir=tfds_dir).as_dataset(split).as_numpy_iterator())
  assert len(source) == len(expected) == count
  for index, example in enumerate(expected):
    assert np.abs(_whole(source, index).astype(int) - example[feature]).max() <= (3 if feature == "image" else 0)
    assert source.header(index).height == example[feature].shape[0]
  assert builder_name in source.name(0) and split in source.name(0)


def test_array_records_are_read_too_and_any_version_of_div2k_serves(tfds_dir):
  """The high-resolution images are the same in all of them; x3 is here an ArrayRecord, x4 is not prepared."""
  codes = []
  for scale in (2, 3, 4):
    source = open_source("div2k", tfds_dir, "train[:90%]", scale)
    assert f"bicubic_x{min(scale, 3) if scale < 4 else 2}" in source.name(0)
    codes.append(sorted(_whole(source, index)[0, 0, 0] for index in range(len(source))))
  assert codes[0] == codes[1] == codes[2] and len(codes[0]) == 5


def test_a_data_set_that_is_not_prepared_names_the_command(tmp_path, tfds_dir, monkeypatch):
  with pytest.raises(InputError, match=rf'tfds.builder\("div2k/bicubic_x4", data_dir="{tmp_path}"\)'):
    open_source("div2k", str(tmp_path), "train", 4)
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "kept"))
  with pytest.raises(InputError, match=rf'tfds.builder\("places365_small", data_dir="{tmp_path}/kept'):
    open_source("places365_small", None, "train", 1)
  for split in ("test", "train[oops]"):
    with pytest.raises(InputError, match="div2k/bicubic_x2/2.0.0 has train, validation"):
      open_source("div2k", tfds_dir, split, 2)
  with pytest.raises(InputError, match="no images in it"):
    open_source("div2k", tfds_dir, "train[:0]", 2)


def test_damaged_tensorflow_datasets(tfds_dir, tmp_path):
  shutil.copytree(tfds_dir, tmp_path / "tfds")
  path = next((tmp_path / "tfds" / "div2k" / "bicubic_x2").glob("*/*train*tfrecord*"))

  def source():
    return open_source("div2k", str(tmp_path / "tfds"), "train", 2)

  whole = path.read_bytes()

  def spoil(index, content):
    """Zeros in the first high- and low-resolution image."""
    spoilt = bytearray(content)
    for found in re.finditer(b"\x89PNG", content):
      spoilt[found.start() + 40 : found.start() + 50] = bytes(10)
    return bytes(spoilt) if index == 0 else content

  stand_ins.rewrite_records(path, spoil)
  with pytest.raises(InputError, match="div2k/bicubic_x2/2.0.0 train, number 0: not an image that can be read"):
    source().open(0)
  stand_ins.rewrite_records(path, lambda index, content: b"\xff" * 60 if index == 0 else content)
  with pytest.raises(InputError, match="number 0: damaged"):
    source().open(0)
  _whole(source(), 1)
  path.write_bytes(whole[:-10])
  for index in range(5):  # Those before the cut can still be read.
    _whole(source(), index)
  with pytest.raises(InputError, match="train, number 5: .*cut short after 5 whole records"):
    source().open(5)
  path.write_bytes(whole + whole)
  with pytest.raises(InputError, match="12 records where 6 are expected"):
    source().open(0)
  for name in ("features.json", "dataset_info.json"):
    (path.parent / name).write_text("{")
    with pytest.raises(InputError, match="2.0.0: damaged .*prepare it again: python -c .*div2k"):
      source()


def test_a_missing_file_of_a_tensorflow_dataset(tfds_dir, tmp_path):
  shutil.copytree(tfds_dir, tmp_path / "tfds")
  source = open_source("div2k", str(tmp_path / "tfds"), "train", 2)
  next((tmp_path / "tfds" / "div2k" / "bicubic_x2").glob("*/*train*tfrecord*")).unlink()
  for read in (source.fingerprint, lambda: source.open(0)):
    with pytest.raises(InputError, match="tfrecord.*: cannot be read: No such file"):
      read()


def test_the_newest_version_is_read(tfds_dir, tmp_path):
  shutil.copytree(tfds_dir, tmp_path / "tfds")
  folder = tmp_path / "tfds" / "div2k" / "bicubic_x2"
  shutil.copytree(folder / "2.0.0", folder / "10.0.0")
  for version in ("2.0.0", "not a version"):
    (folder / version).mkdir(exist_ok=True)
    (folder / version / "dataset_info.json").write_text("{")
  assert len(open_source("div2k", str(tmp_path / "tfds"), "train", 2)) == 6


def test_work_in_order_is_not_far_ahead_of_its_consumer():
  started = []
  results = parallel.map_in_order(lambda item: started.append(item) or item * item, range(1000))
  assert [next(results) for _ in range(3)] == [0, 1, 4]
  time.sleep(0.2)  # Whatever was handed out has been worked on by now.
  assert len(started) < 3 + 10 * os.cpu_count()
  assert list(results) == [item * item for item in range(3, 1000)]


def test_content_tells_data_sets_apart(images, tmp_path):
  first = FolderSource(str(images)).fingerprint()
  assert first.startswith("5 images, ")
  shutil.copytree(images, tmp_path / "images")  # The same, elsewhere and written otherwise.
  for path in (
    str(tmp_path / "images"),
    str(tmp_path / "images" / "more" / "..") + "/",
    os.path.relpath(tmp_path / "images"),
  ):
    assert FolderSource(path).fingerprint() == first
  (tmp_path / "images" / "0.png").rename(tmp_path / "images" / "9.png")
  other = FolderSource(str(tmp_path / "images"))
  assert other.fingerprint() != first
  contents = []
  for number, source in enumerate((images, images, tmp_path / "images")):
    stand_ins.write_prepared(source, tmp_path / f"records{number}")
    contents.append(open_source("tfrecord", str(tmp_path / f"records{number}"), None, 2).fingerprint())
  assert contents[0] == contents[1] != contents[2]


def test_a_lack_of_memory_is_no_fault_of_a_record(images, tmp_path, monkeypatch):
  def no_room(*_):
    raise MemoryError("no room")

  stand_ins.write_prepared(images, tmp_path / "records")
  source = open_source("tfrecord", str(tmp_path / "records"), None, 2)
  monkeypatch.setattr(RecordShards, "__getitem__", no_room)
  with pytest.raises(MemoryError, match="no room"):
    source.open(0)


def test_prepared_images_have_the_same_content_wherever_they_lie(images, tmp_path):
  contents = []
  for name in ("here", "there"):
    shutil.copytree(images, tmp_path / name)
    (tmp_path / name / "broken.png").write_bytes(b"damaged")
    source, records = FolderSource(str(tmp_path / name)), tmp_path / f"{name} records"
    records.mkdir()
    origin = {"data_dir": str(tmp_path / name)}
    tiled_records.write_tiled_records(source, str(records), origin, 8, 3, BadImages(), lambda: None)
    contents.append(open_source("tfrecord", str(records), None, 2).fingerprint())
  assert contents[0] == contents[1] and contents[0].startswith("5 images, ")


def test_content_of_tensorflow_datasets(tfds_dir):
  contents = {
    split: open_source("div2k", tfds_dir, split, 2).fingerprint()
    for split in ("train", "validation", "train[:3]", "train[3:]")
  }
  assert len(set(contents.values())) == 4 and contents["train"].startswith("6 images")
  assert open_source("div2k", tfds_dir + "/", "train", 2).fingerprint() == contents["train"]

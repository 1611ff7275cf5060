"""`z2i beam-prepare`: the shards of `z2i prepare`, whole or continued."""

import json

import numpy as np
import pytest

pytest.importorskip("apache_beam")

from z2i_tf.beam import prepare as beam_prepare
from z2i_tf.cli.main import main
from z2i_tf.datasets.folder_source import FolderSource
from z2i_tf.images import image_files


def _contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def _without_shards(manifest):
  return manifest[: manifest.index('"shards": [')] + '"shards": [], "skipped": [], "complete": false}'


def test_the_shards_are_those_of_prepare(tmp_path, capsys):
  rng = np.random.default_rng(0)
  photos = tmp_path / "photos"
  (photos / "more").mkdir(parents=True)
  for number in range(9):
    side = 80 if number % 2 else 20  # The larger ones become tiles.
    name = f"{'more/' * (number % 3 == 0)}{number}.png"
    image_files.write_rgb(str(photos / name), rng.integers(0, 256, (side, side + 1, 3), np.uint8))
  (photos / "4.png").write_bytes(b"damaged")
  settings = [f"--data_dir={photos}", "--tile_size=16", "--shards=4"]
  expected, found = tmp_path / "expected", tmp_path / "found"
  assert main(["prepare", *settings, f"--output_dir={expected}"]) == 0
  skipped = capsys.readouterr().err
  command = ["beam-prepare", *settings, f"--output_dir={found}"]
  assert main(command) == 0
  done = capsys.readouterr()
  assert done.out == f"8 images in 4 files in {found} (new folder), 1 skipped\n" and done.err == skipped
  assert len(_contents(found)) == 5 and _contents(found) == _contents(expected)

  # As a killed worker leaves it: one shard is written, one is not, and one has no entry yet.
  manifest = found / "dataset.json"
  (found / "images-00003-of-00004.tfrecord").unlink()
  (found / "images-00002-of-00004.tfrecord.abcdefgh.tmp").write_bytes(b"a part")
  kept = found / "images-00001-of-00004.tfrecord"
  expected_bytes = kept.read_bytes()
  kept.write_bytes(b"as it is")
  (found / "images-00001-of-00004.tfrecord.json").write_text('{"records": 1, "skipped": [], "bytes": 8}')
  text = manifest.read_text()
  manifest.write_text(_without_shards(text))
  assert main(command) == 0
  assert kept.read_bytes() == b"as it is"
  kept.write_bytes(expected_bytes)
  files = _contents(found)
  assert files.keys() == _contents(expected).keys()
  assert {name: data for name, data in files.items() if name != "dataset.json"} == {
    name: data for name, data in _contents(expected).items() if name != "dataset.json"
  }
  capsys.readouterr()

  # Entries that remain if the last step is killed, or if z2i prepare continues, go.
  entry = found / "images-00001-of-00004.tfrecord.json"
  for again in (command, ["prepare", *command[1:]]):
    entry.write_text("{}")
    assert main(again) == 0 and not entry.exists()
  # A skip that an entry knows ends the run before any shard is written.
  manifest.write_text(_without_shards(text))
  entry.write_text('{"records": 1, "skipped": ["x.png: damaged"], "bytes": 8}')
  (found / "images-00000-of-00004.tfrecord").unlink()
  capsys.readouterr()
  assert main([*command, "--on_bad_image=fail"]) == 2 and "x.png: damaged" in capsys.readouterr().err
  assert not (found / "images-00000-of-00004.tfrecord").exists()

  failed = ["beam-prepare", *settings, f"--output_dir={tmp_path / 'failed'}", "--on_bad_image=fail"]
  assert main(failed) == 2
  error = capsys.readouterr().err
  assert error.startswith(f"z2i beam-prepare: {photos}/4.png: not an image") and error.count("\n") == 1
  other = ["beam-prepare", *settings[:2], "--shards=3", f"--output_dir={found}"]
  assert main(other) == 2 and "other images or settings (shards differ)" in capsys.readouterr().err


@pytest.mark.parametrize("data_dir", ["photos", "~/photos"])
def test_workers_get_absolute_paths(tmp_path, monkeypatch, data_dir):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv("HOME", str(tmp_path))
  (tmp_path / "photos").mkdir()
  image_files.write_rgb("photos/a.png", np.zeros((8, 8, 3), np.uint8))
  opened = []

  def open_source(kind, folder, *rest):
    del kind, rest
    opened.append(folder)
    return FolderSource(folder)

  monkeypatch.setattr(beam_prepare, "open_source", open_source)
  assert main(["beam-prepare", f"--data_dir={data_dir}", "--output_dir=found", "--shards=1"]) == 0
  assert opened[0] == f"{tmp_path}/photos"
  assert main(["prepare", f"--data_dir={data_dir}", "--output_dir=expected", "--shards=1"]) == 0
  found, expected = (json.loads((tmp_path / name / "dataset.json").read_text()) for name in ("found", "expected"))
  assert found["settings"] == expected["settings"] and found["settings"]["data_dir"] == f"{tmp_path}/photos"

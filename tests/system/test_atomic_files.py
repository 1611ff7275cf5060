"""Folders that are there whole or not at all."""

import os
import subprocess
import sys

import pytest

from z2i_tf.system import atomic_files


def test_folder_takes_the_place_of_the_former_one(tmp_path):
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "old").touch()
  with atomic_files.atomic_folder(str(tmp_path / "out")) as new:
    (tmp_path / new / "new").touch()
    assert os.listdir(tmp_path / "out") == ["old"]
  assert os.listdir(tmp_path / "out") == ["new"] and os.listdir(tmp_path) == ["out"]
  (tmp_path / "usual").mkdir()
  assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_folder_of_a_failure_is_gone_and_the_former_one_stays(tmp_path):
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "old").touch()
  with pytest.raises(KeyError):
    with atomic_files.atomic_folder(str(tmp_path / "out")) as new:
      (tmp_path / new / "new").touch()
      raise KeyError
  assert os.listdir(tmp_path / "out") == ["old"] and os.listdir(tmp_path) == ["out"]


def test_leftovers_of_killed_processes_go_and_files_of_living_ones_stay(tmp_path):
  script = (
    "import os, sys\nfrom z2i_tf.system import atomic_files\n"
    "with atomic_files.atomic_write(sys.argv[1]) as file:\n  file.write(b'half')\n  os._exit(9)\n"
  )
  names = ["photo.png", "a" * 60 + ".png"]
  for name in names:
    subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=False)
  for name in ("photo.png.tmp", "other.png.abcdefgh.tmp", "photo.png.abc.tmp", "photo.png"):
    (tmp_path / name).touch()
  assert len(os.listdir(tmp_path)) == 6
  with atomic_files.atomic_write(str(tmp_path / "photo.png")) as file:
    file.write(b"whole")
    atomic_files.remove_leftovers(str(tmp_path), names)
    assert len(os.listdir(tmp_path)) == 5
  assert sorted(os.listdir(tmp_path)) == ["other.png.abcdefgh.tmp", "photo.png", "photo.png.abc.tmp", "photo.png.tmp"]
  assert (tmp_path / "photo.png").read_bytes() == b"whole"

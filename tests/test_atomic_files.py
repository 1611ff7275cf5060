"""Folders that are there whole or not at all."""

import os

import pytest

from z2i_tf import atomic_files


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

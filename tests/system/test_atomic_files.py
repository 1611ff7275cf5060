"""Folders that are there whole or not at all."""

import concurrent.futures
import os
import subprocess
import sys
import time

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


@pytest.mark.parametrize("is_put_back", [True, False])
def test_the_former_folder_outlives_a_rename_that_fails(tmp_path, monkeypatch, is_put_back):
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "old").touch()
  replace = os.replace

  def refuse(*_):
    raise OSError("no")

  def replace_once(source, target):
    replace(source, target)
    monkeypatch.setattr(os, "replace", refuse)

  monkeypatch.setattr(os, "rename", refuse)
  if not is_put_back:
    monkeypatch.setattr(os, "replace", replace_once)
  with pytest.raises(OSError):
    with atomic_files.atomic_folder(str(tmp_path / "out")):
      pass
  assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["old"]
  assert len(os.listdir(tmp_path)) == 1 and (os.listdir(tmp_path) == ["out"]) == is_put_back


def test_files_written_in_threads_leave_the_umask_of_the_process(tmp_path, monkeypatch):
  umask = os.umask

  def slow_umask(mask):
    former = umask(mask)
    time.sleep(0.002)  # Other threads run.
    return former

  former = umask(0o077)
  try:
    monkeypatch.setattr(os, "umask", slow_umask)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
      list(pool.map(_write, [str(tmp_path / str(number)) for number in range(40)]))
  finally:
    left = umask(former)
  assert left == 0o077 and {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def _write(path):
  with atomic_files.atomic_write(path) as file:
    file.write(b"whole")


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

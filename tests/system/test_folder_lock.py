"""Folders that one process at a time writes in."""

import os
import subprocess
import sys

import pytest

from z2i_tf.errors import InputError
from z2i_tf.system import folder_lock

_HOLDER = """
import sys
from z2i_tf.system.folder_lock import locked_folder
with locked_folder(sys.argv[1], "its.lock", ""):
  print("locked", flush=True)
  sys.stdin.read()
"""


def _locked(folder):
  return folder_lock.locked_folder(str(folder), "its.lock", "another one is at work here")


def _refuse(path):
  raise OSError(30, "Read-only file system", path)


def test_another_process_is_kept_out_until_it_ends_or_is_killed(tmp_path):
  for end in (lambda process: process.stdin.close(), lambda process: process.kill()):
    with subprocess.Popen(
      [sys.executable, "-c", _HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
      assert process.stdout.readline() == b"locked\n"
      with pytest.raises(InputError, match=f"^{tmp_path}: another one is at work here$"):
        with _locked(tmp_path):
          pass
      assert os.listdir(tmp_path) == ["its.lock"]
      end(process)
      process.wait()
    with _locked(tmp_path):
      pass
    assert not os.listdir(tmp_path)


def test_a_lock_on_a_removed_file_is_none(tmp_path, monkeypatch):
  """The former owner removes the file between another one's opening and locking it."""
  flock, calls = folder_lock.fcntl.flock, []

  def remove_first(file, operation):
    if not calls:
      os.unlink(tmp_path / "its.lock")
    calls.append(operation)
    flock(file, operation)

  monkeypatch.setattr(folder_lock.fcntl, "flock", remove_first)
  with _locked(tmp_path):
    assert len(calls) == 2 and os.listdir(tmp_path) == ["its.lock"]
    with pytest.raises(InputError, match="at work here"):
      with _locked(tmp_path):
        pass


def test_whoever_has_locked_the_folder_since_keeps_the_lock(tmp_path):
  with _locked(tmp_path):
    os.unlink(tmp_path / "its.lock")  # By somebody who believes that nobody is at work.
    second = _locked(tmp_path)
    second.__enter__()
  with pytest.raises(InputError, match="at work here"):
    with _locked(tmp_path):
      pass
  second.__exit__(None, None, None)
  assert not os.listdir(tmp_path)


def test_an_error_in_the_block_is_the_one_that_is_seen(tmp_path, monkeypatch):
  folder = tmp_path / "folder"
  folder.mkdir()
  with pytest.raises(KeyError):
    with _locked(folder):
      folder.rename(tmp_path / "gone")
      raise KeyError
  monkeypatch.setattr(os, "unlink", _refuse)  # A file system that has become read-only.
  with pytest.raises(KeyError):
    with _locked(tmp_path):
      raise KeyError


def test_folders_without_locks_are_not_refused(tmp_path, monkeypatch):
  def unsupported(file, operation):
    raise OSError(95, "Operation not supported")

  monkeypatch.setattr(folder_lock.fcntl, "flock", unsupported)
  with _locked(tmp_path), _locked(tmp_path):
    pass
  monkeypatch.setattr(folder_lock, "fcntl", None)
  with _locked(tmp_path), _locked(tmp_path):
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
  with pytest.raises(InputError, match=f"{tmp_path / 'none'}: cannot be written: No such file"):
    with _locked(tmp_path / "none"):
      pass

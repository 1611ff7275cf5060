"""Which Python `make` sets the environment up with; nothing is installed."""

import os
import shutil
import subprocess
import sys

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="no make")


def _make(tmp_path, *arguments):
  """Runs make with the folder's programs first, says what would be done."""
  environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
  environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
  return subprocess.run(
    ["make", "--dry-run", f"VENV={tmp_path / 'venv'}", *arguments, "test"],
    cwd=_ROOT,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )


def _write_program(path, text):
  path.write_text(f"#!/bin/sh\n{text}\n")
  path.chmod(0o755)


def test_a_python_that_does_not_work_is_passed_over(tmp_path):
  for version in ("3", "3.13", "3.12", "3.11", "3.10"):
    _write_program(tmp_path / f"python{version}", "echo command not found; exit 127")
  _write_program(tmp_path / f"python{_VERSION}", f'exec {sys.executable} "$@"')
  done = _make(tmp_path)
  assert f"Installing z2i_tf for Python {_VERSION}" in done.stdout and f"constraints/{_VERSION}.txt" in done.stdout


@pytest.mark.parametrize(
  "text, found", [('case "$2" in *ensurepip*) ;; *) echo 3.9.1;; esac', "3.9.1"), ("exit 127", "no working Python")]
)
def test_another_python_is_refused_in_one_line(tmp_path, text, found):
  _write_program(tmp_path / "python", text)
  done = _make(tmp_path, f"PYTHON={tmp_path / 'python'}")
  assert done.returncode == 2 and not done.stdout and done.stderr.count("\n") == 1
  assert f"python is {found}, and z2i_tf needs one of Python 3.13 3.12 3.11 3.10" in done.stderr


def test_the_quick_tests_cover_every_package():
  with open(os.path.join(_ROOT, "Makefile"), encoding="utf-8") as file:
    quick = file.read().partition("QUICK :=")[2].partition("\nquick:")[0].replace("\\", " ").split()
  assert all(os.path.exists(os.path.join(_ROOT, path)) for path in quick)
  packages = {entry.name for entry in os.scandir(os.path.join(_ROOT, "z2i_tf")) if entry.is_dir()}
  tested = {entry.name for entry in os.scandir(os.path.join(_ROOT, "tests")) if entry.is_dir()}
  assert packages & tested - {"fuzz"} == {path.split("/")[1] for path in quick} & packages

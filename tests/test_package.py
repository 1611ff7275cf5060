"""The wheel holds everything that inpainting needs, and works away from the repository."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

import z2i_tf

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.mark.slow
def test_wheel_inpaints_without_the_repository_and_first_use_prints_and_sets_nothing(tmp_path):
  sources = tmp_path / "sources"  # A copy: building leaves files in the tree.
  shutil.copytree(os.path.join(_ROOT, "z2i_tf"), sources / "z2i_tf")
  for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
    shutil.copy(os.path.join(_ROOT, name), sources)
  subprocess.run(
    [
      sys.executable,
      "-m",
      "pip",
      "wheel",
      "--quiet",
      "--no-deps",
      "--no-build-isolation",
      "--wheel-dir",
      str(tmp_path),
      str(sources),
    ],
    check=True,
    cwd=tmp_path,
  )
  (wheel,) = tmp_path.glob("*.whl")
  with zipfile.ZipFile(wheel) as file:
    assert not [name for name in file.namelist() if name.startswith(("tests", "benchmarks"))]
    assets = {
      path.relative_to(sources).as_posix() for path in (sources / "z2i_tf" / "assets").rglob("*") if path.is_file()
    }
    assert {"z2i_tf/assets/compact/model.npz", "z2i_tf/assets/full/model.npz"} < assets <= set(file.namelist())
    for folder in ("z2i_tf/study/page", "z2i_tf/app/static"):
      pages = {path.relative_to(sources).as_posix() for path in (sources / folder).iterdir()}
      assert f"{folder}/index.html" in pages <= set(file.namelist())
    assert {"z2i_tf/app/openapi.json", "z2i_tf/report/page.html", "z2i_tf/report/page.css"} <= set(file.namelist())
    assert "z2i_tf/web/static/refused.js" in file.namelist()  # Both pages import it.
    file.extractall(tmp_path / "site")
  data = os.path.join(_ROOT, "data")
  script = (
    "import os, sys, z2i_tf\n"
    f"assert z2i_tf.__file__.startswith({str(tmp_path)!r}), z2i_tf.__file__\n"
    f"z2i_tf.Inpainter.load()('{data}/images/astronaut.jpg', '{data}/masks/astronaut.png')\n"
    "assert not [name for name in os.environ if name.startswith(('TF_CPP', 'TF_USE_LEGACY_KERAS'))]\n"
    "print('used')\n"
    "from z2i_tf.cli.main import main\n"
    f"sys.exit(main(['inpaint', '--image={data}/images/astronaut.jpg',"
    f" '--mask={data}/masks/astronaut.png', '--output=result.png']))\n"
  )
  environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
  done = subprocess.run(
    [sys.executable, "-c", script],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    env={**environment, "PYTHONPATH": str(tmp_path / "site")},
    check=False,
  )
  assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("used\n"), done
  assert (tmp_path / "result.png").is_file()


def test_public_names_come_when_asked_for():
  assert set(z2i_tf.__all__) <= set(dir(z2i_tf))
  for name in set(z2i_tf.__all__) - {"keras"}:  # A module, whose name has its package's.
    assert getattr(z2i_tf, name).__name__ == name
  assert not hasattr(z2i_tf, "Painter")

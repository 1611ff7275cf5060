"""The wheel holds everything that inpainting needs, and works away from the repository."""

import os
import shutil
import subprocess
import sys
import zipfile

import z2i_tf

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_wheel_inpaints_without_the_repository(tmp_path):
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
    file.extractall(tmp_path / "site")
  data = os.path.join(_ROOT, "data")
  script = (
    "import z2i_tf, sys\nfrom z2i_tf.cli.main import main\n"
    f"assert z2i_tf.__file__.startswith({str(tmp_path)!r}), z2i_tf.__file__\n"
    f"sys.exit(main(['inpaint', '--image={data}/images/astronaut.jpg',"
    f" '--mask={data}/masks/astronaut.png', '--output=result.png']))\n"
  )
  done = subprocess.run(
    [sys.executable, "-c", script],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert (tmp_path / "result.png").is_file()


def test_public_names_come_when_asked_for():
  assert set(z2i_tf.__all__) <= set(dir(z2i_tf))
  for name in set(z2i_tf.__all__) - {"keras"}:  # A module, whose name has its package's.
    assert getattr(z2i_tf, name).__name__ == name
  assert not hasattr(z2i_tf, "Painter")

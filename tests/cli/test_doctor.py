"""`z2i doctor`: what it prints, and when it is satisfied."""

import functools
import importlib
import re
import shutil
import sys
import tempfile

import pytest

import z2i_tf
from z2i_tf.cli.main import main
from z2i_tf.inference import bundled_models
from z2i_tf.system import devices
from z2i_tf.system import memory

_GPU = devices.Device("GPU:0", "Example 9", 8 * 10**9)
_KERAS_PACKAGE = "tensorflow_addons" if sys.version_info < (3, 12) else "tf_keras"


@pytest.fixture(name="quick")
def _quick(monkeypatch):
  """Nothing is timed, and there is enough memory."""
  monkeypatch.setattr(devices, "convolution_rate", lambda device: 5e9)
  monkeypatch.setattr(memory, "machine_available_bytes", lambda: 4 * 10**9)
  monkeypatch.setattr(memory, "group_memory", lambda: None)


@pytest.fixture(name="with_gpu")
def _with_gpu(monkeypatch, quick):
  monkeypatch.setattr(devices, "list_devices", lambda: [devices.Device("CPU:0", "", None), _GPU])


def _not_ready(capsys, *arguments):
  """Runs the command, which must refuse; returns its output and the line of the verdict."""
  assert main(["doctor", *arguments]) == 2
  captured = capsys.readouterr()
  assert captured.err.startswith("z2i doctor: not ready: ") and captured.err.count("\n") == 1
  assert "\nready" not in captured.out
  return captured.out, captured.err


def test_it_says_what_there_is_and_that_it_will_do(capsys):
  assert main(["doctor"]) == 0
  captured = capsys.readouterr()
  assert not captured.err
  lines = captured.out.splitlines()
  assert lines[-1].startswith("ready: z2i computes on ")
  compact, full = bundled_models.check_models()
  for expected in (
    rf"^versions +python 3\.\d+\.\d+, z2i_tf {re.escape(z2i_tf.__version__)}, .*, tensorflow 2\.",
    rf"numpy \d.*, pillow \d.*, opencv \d.*, {_KERAS_PACKAGE} \d\.\d",
    r"^processor +\S.*, usable cores: \d+; bfloat16 instructions: \w",
    r"^CUDA +TensorFlow is built with",
    r"^device +CPU:0: [1-9]\d* GFLOP/s \(3x3 convolution of 256x256 pixels, 64 channels, float32\)$",
    r"^memory +\S",
    r"^disk +[\d.]+ [GM]B free in /",
    rf"^model +compact: as released; SHA-256 {compact.expected}$",
    rf"^model +full: as released; SHA-256 {full.expected}$",
  ):
    assert any(re.search(expected, line) for line in lines), expected


def test_a_missing_gpu_matters_only_where_it_is_required(capsys, monkeypatch, quick):
  monkeypatch.setattr(devices, "list_devices", lambda: [devices.Device("CPU:0", "", None)])
  monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
  assert main(["doctor"]) == 0
  assert capsys.readouterr().out.endswith("\nready: z2i computes on the CPU\n")
  output, verdict = _not_ready(capsys, "--require_gpu")
  assert "--require_gpu, and no GPU" in verdict and "CUDA_VISIBLE_DEVICES=-1 may hide it" in verdict
  assert "no GPU: CUDA_VISIBLE_DEVICES=-1" in output and "CPU:0: 5 GFLOP/s" in output


def test_a_gpu_is_described_and_must_compute(capsys, monkeypatch, with_gpu):
  assert main(["doctor", "--require_gpu"]) == 0
  output = capsys.readouterr().out
  assert "GPU:0 Example 9, memory 8.0 GB: 5 GFLOP/s" in output and "no GPU" not in output
  assert output.endswith("\nready: z2i computes on GPU:0\n")

  def rate(device):
    if device.startswith("GPU"):
      raise RuntimeError("no cuDNN\nhere")
    return 5e9

  monkeypatch.setattr(devices, "convolution_rate", rate)
  output, verdict = _not_ready(capsys)
  assert "GPU:0 Example 9, memory 8.0 GB: cannot compute: no cuDNN here" in output
  assert "GPU:0 cannot compute a convolution (no cuDNN here): pip install 'tensorflow[and-cuda]==2." in verdict


def test_devices_that_cannot_be_listed_and_packages_that_cannot_be_imported(capsys, monkeypatch, quick):
  def fail():
    raise RuntimeError("driver")

  monkeypatch.setattr(devices, "list_devices", fail)
  output, verdict = _not_ready(capsys)
  assert "devices    unknown: driver" in output and "cannot list its devices (driver): repair" in verdict
  monkeypatch.setitem(sys.modules, "tensorflow", None)
  output, verdict = _not_ready(capsys)
  assert "tensorflow unknown" in output and "numpy " in output and "model " in output and "GFLOP" not in output
  assert "tensorflow cannot be imported" in verdict and "install tensorflow again" in verdict


def test_one_reason_is_said_once(capsys, monkeypatch, quick):
  def fail(name):
    if name in ("cv2", "tensorflow", _KERAS_PACKAGE):
      raise ImportError("libGL.so.1 is missing" if name == "cv2" else "no\nprotobuf")
    return sys.modules[name]

  monkeypatch.setattr(importlib, "import_module", functools.partial(_import, importlib.import_module, fail))
  verdict = _not_ready(capsys)[1]
  assert "opencv cannot be imported (libGL.so.1 is missing): install that library (Debian" in verdict
  assert f"; tensorflow, {_KERAS_PACKAGE} cannot be imported (no protobuf): install tensorflow again" in verdict


def _import(others, packages, name):
  return others(name) if name.startswith("z2i_tf") else packages(name)


def test_a_damaged_model_is_not_ready(capsys, monkeypatch, tmp_path, quick):
  shutil.copytree(bundled_models.ASSETS, tmp_path / "assets")
  monkeypatch.setattr(
    bundled_models, "check_models", functools.partial(bundled_models.check_models, str(tmp_path / "assets"))
  )
  (tmp_path / "assets" / "compact" / "model.npz").write_bytes(b"")
  output, verdict = _not_ready(capsys)
  assert "compact: is not the released file (another SHA-256); SHA-256 e3b0c442" in output
  assert str(tmp_path) in verdict and "install z2i_tf again" in verdict
  (tmp_path / "assets" / "SHA256SUMS").unlink()
  assert "SHA256SUMS: cannot be read" in _not_ready(capsys)[1]


@pytest.mark.parametrize(
  "machine, group, text, verdict",
  [
    (4 * 10**9, None, "4.0 GB free; no limit by a control group", "CPU"),
    (
      4 * 10**9,
      (2 * 10**9, 10**9),
      "4.0 GB free; of the 2.0 GB of its control group, 1.0 GB are free; the control group is the limit",
      "CPU, but only 1.0 GB of memory are free",
    ),
    (
      9 * 10**8,
      (2 * 10**9, 0),
      "900 MB free; of the 2.0 GB of its control group, 2.0 GB are free; the machine",
      "CPU, but only 900 MB",
    ),
  ],
)
def test_free_memory_is_the_lower_of_two(capsys, monkeypatch, quick, machine, group, text, verdict):
  monkeypatch.setattr(memory, "machine_available_bytes", lambda: machine)
  monkeypatch.setattr(memory, "group_memory", lambda: group and memory.GroupMemory(*group))
  monkeypatch.setattr(tempfile, "gettempdir", lambda: "/nowhere/at/all")
  assert main(["doctor"]) == 0
  output = capsys.readouterr().out
  assert text in output and "free space for temporary files unknown: " in output
  assert output.splitlines()[-1].startswith(f"ready: z2i computes on the {verdict}")

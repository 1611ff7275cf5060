"""Checks the installation and the machine, and says whether z2i is ready.

Prints versions, devices with one timed convolution each, free memory and disk, the bundled models' hashes, and a
verdict in the last line.

Exit code 0 when ready, 2 when not. Without a GPU, z2i computes on the CPU and is ready, unless you give --require_gpu.
"""

import importlib
import os
import platform
import shutil
import sys
import tempfile
import warnings

from absl import flags

from z2i_tf import __version__
from z2i_tf.errors import InputError
from z2i_tf.errors import one_line
from z2i_tf.system import memory
from z2i_tf.system import processor

# Module -> (name in the report, name for pip); each comes after those it needs.
_PACKAGES = {
  "numpy": ("numpy", "numpy"),
  "PIL": ("pillow", "pillow"),
  "cv2": ("opencv", "opencv-python"),
  "tensorflow": ("tensorflow", "tensorflow"),
  **(
    {"tensorflow_addons": ("tensorflow_addons", "tensorflow-addons")}
    if sys.version_info < (3, 12)
    else {"tf_keras": ("tf_keras", "tf-keras")}
  ),
}  # As in setup.py.
# With less, the verdict is "ready, but": at width 64 a 256x256 photograph takes 1.07 GB (benchmarks/inference.py).
_COMFORTABLE_BYTES = 1_500_000_000
_NVIDIA_DRIVER = "/proc/driver/nvidia/version"
_HIDING_VARIABLE = "CUDA_VISIBLE_DEVICES"


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_bool(
    "require_gpu", False, "Report that z2i is not ready unless TensorFlow can use a GPU.", flag_values=values
  )


def run(values: flags.FlagValues) -> None:
  """Prints the report; raises InputError with the verdict if z2i is not ready."""
  free, free_text = _look_at_memory()  # Before TensorFlow takes its share.
  tensorflow, problems = _report_versions()
  _report_processor()
  devices = []
  if tensorflow:
    devices, device_problems = _report_devices(tensorflow, values.require_gpu)
    problems += device_problems
  _print("memory", free_text)
  _report_disk()
  problems += _report_models()

  sys.stdout.flush()  # The verdict comes last, also where stdout and stderr go to the same file.
  if problems:
    raise InputError("not ready: " + "; ".join(problems))
  doubt = (
    ""
    if free >= _COMFORTABLE_BYTES
    else (f", but only {memory.format_size(free)} of memory are free: large images or models may not fit")
  )
  print(f"ready: z2i computes on {devices[1] if len(devices) > 1 else 'the CPU'}{doubt}")


def _look_at_memory():
  """Returns the free bytes and a sentence that describes them."""
  machine, group = memory.machine_available_bytes(), memory.group_memory()
  text = f"{memory.format_size(machine)} free"
  if group is None:
    return machine, f"{text}; no limit by a control group"
  text += f"; of the {memory.format_size(group.limit)} of its control group, {memory.format_size(group.free)} are free"
  if group.free < machine:
    return group.free, f"{text}; the control group is the limit"
  return machine, f"{text}; the machine is the limit"


def _report_versions():
  """Prints the versions; returns the tensorflow module (None if it cannot be imported) and a line for each fault."""
  versions, modules = [f"python {platform.python_version()}", f"z2i_tf {__version__}"], {}
  failed = {}  # Reason -> modules: modules that need a missing package fail with its reason.
  for name, (title, _) in _PACKAGES.items():
    try:
      with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorflow_addons announces its end.
        module = importlib.import_module(name)
      versions.append(f"{title} {module.__version__}")
      modules[name] = module
    except Exception as error:  # A damaged installation fails in any way.
      versions.append(f"{title} unknown")
      failed.setdefault(one_line(error), []).append(name)
  _print("versions", ", ".join(versions))
  return modules.get("tensorflow"), [_import_problem(reason, names) for reason, names in failed.items()]


def _import_problem(reason, names):
  from z2i_tf.cli import main

  remedy = (
    main.LIBGL_REMEDY
    if "libGL" in reason
    else (f"install {_PACKAGES[names[0]][1]} again, of a version that z2i_tf supports")
  )
  return f"{', '.join(_PACKAGES[name][0] for name in names)} cannot be imported ({reason}): {remedy}"


def _report_processor():
  instructions = processor.bfloat16_instructions()
  _print(
    "processor",
    f"{processor.model_name()}, usable cores: {processor.usable_cores()}; bfloat16 instructions: "
    + ("unknown" if instructions is None else ", ".join(instructions) or "none"),
  )


def _report_devices(tensorflow, require_gpu):
  """Prints the devices; returns the names of those that compute, the CPU first, and a line for each fault."""
  try:
    cuda = tensorflow.sysconfig.get_build_info()
    _print(
      "CUDA",
      f"TensorFlow is built with CUDA {cuda.get('cuda_version', '(version unknown)')}"
      if tensorflow.test.is_built_with_cuda()
      else "TensorFlow is built without CUDA",
    )
    from z2i_tf.system import devices as system_devices

    devices = system_devices.list_devices()
  except Exception as error:  # Drivers fail in any way.
    _print("devices", f"unknown: {one_line(error)}")
    return [], [
      f"TensorFlow cannot list its devices ({one_line(error)}): repair the GPU's driver, or hide it with "
      f"{_HIDING_VARIABLE}=-1"
    ]
  computing, problems = [], []
  for device in devices:
    is_gpu = device.name.startswith("GPU")
    description = " ".join(filter(None, (device.name, device.model)))
    if is_gpu:
      description += ", memory " + ("unknown" if device.memory is None else memory.format_size(device.memory))
    try:
      rate = system_devices.convolution_rate(device.name)
      _print(
        "device",
        f"{description}: {rate / 1e9:.0f} GFLOP/s (3x3 convolution of {system_devices.SIDE}x"
        f"{system_devices.SIDE} pixels, {system_devices.CHANNELS} channels, float32)",
      )
      computing.append(device.name)
    except Exception as error:
      _print("device", f"{description}: cannot compute: {one_line(error)}")
      remedy = (
        f"{_cuda_install(tensorflow)}, or hide the GPU with {_HIDING_VARIABLE}=-1"
        if is_gpu
        else "install tensorflow again"
      )
      problems.append(f"{device.name} cannot compute a convolution ({one_line(error)}): {remedy}")
  if len(devices) == 1:
    _print("device", f"no GPU: {_why_no_gpu(tensorflow)}")
    if require_gpu:
      problems.append(f"--require_gpu, and no GPU that TensorFlow can use: {_why_no_gpu(tensorflow)}")
  return computing, problems


def _why_no_gpu(tensorflow):
  if not tensorflow.test.is_built_with_cuda():
    return f"this TensorFlow is built without CUDA; {_cuda_install(tensorflow)}"
  if _HIDING_VARIABLE in os.environ:
    return f"{_HIDING_VARIABLE}={os.environ[_HIDING_VARIABLE]} may hide it; unset it"
  if os.path.exists(_NVIDIA_DRIVER):
    return f"there is an NVIDIA driver, so CUDA's libraries may be missing; {_cuda_install(tensorflow)}"
  return "no NVIDIA driver is loaded; install it if this machine has an NVIDIA GPU"


def _cuda_install(tensorflow):
  return f"pip install 'tensorflow[and-cuda]=={tensorflow.__version__}'"


def _report_disk():
  try:
    folder = tempfile.gettempdir()
    _print("disk", f"{memory.format_size(shutil.disk_usage(folder).free)} free in {folder}")
  except OSError as error:
    _print("disk", f"free space for temporary files unknown: {one_line(error)}")


def _report_models():
  """Prints the bundled models; returns a line for each fault."""
  from z2i_tf.inference import bundled_models

  try:
    models = bundled_models.check_models()
  except InputError as error:
    _print("models", f"unknown: {error}")
    return [str(error)]
  problems = []
  for model in models:
    _print("model", f"{model.name}: {model.problem or 'as released'}; SHA-256 {model.found or 'unknown'}")
    if model.problem:
      problems.append(f"{model.path} {model.problem}; install z2i_tf again")
  return problems


def _print(title, text):
  print(f"{title:<10} {text}")

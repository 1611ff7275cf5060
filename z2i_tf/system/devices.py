"""Lists the devices that TensorFlow computes on, and times a convolution on each."""

import dataclasses
import statistics
import time

import tensorflow as tf

# A 3x3 convolution of a size that occurs in the networks: the paper's width and image size.
SIDE, CHANNELS = 256, 64
_KERNEL_SIDE = 3
_RUNS = 5


@dataclasses.dataclass(frozen=True)
class Device:
  """A device.

  Attributes:
    name: for `tf.device`: "CPU:0", "GPU:1".
    model: the device's own name; "" if unknown.
    memory: bytes of a GPU's memory that TensorFlow can use; None for a CPU, and if unknown.
  """

  name: str
  model: str
  memory: int | None


def list_devices() -> list[Device]:
  """Returns the CPU and every GPU that TensorFlow sees.

  Makes TensorFlow allocate a GPU's memory as needed, for the rest of the process.
  Raises: RuntimeError or tf.errors.OpError if a GPU's driver does not answer.
  """
  gpus = tf.config.list_physical_devices("GPU")
  for gpu in gpus:
    tf.config.experimental.set_memory_growth(gpu, True)
  limits = _memory_limits() if gpus else {}
  devices = [Device("CPU:0", "", None)]
  for number, gpu in enumerate(gpus):
    name = f"GPU:{number}"
    devices.append(
      Device(name, tf.config.experimental.get_device_details(gpu).get("device_name", ""), limits.get(name))
    )
  return devices


def convolution_rate(device: str) -> float:
  """Times a 3x3 convolution of (1, 256, 256, 64) to 64 channels, float32: the median of 5 runs after the first.

  Returns: floating-point operations per second.
  Raises: RuntimeError or tf.errors.OpError if the device cannot compute it.
  """
  with tf.device(device):
    image = tf.random.stateless_normal([1, SIDE, SIDE, CHANNELS], [0, 0])
    kernel = tf.random.stateless_normal([_KERNEL_SIDE, _KERNEL_SIDE, CHANNELS, CHANNELS], [0, 1])

    def seconds():
      start = time.perf_counter()
      result = tf.nn.conv2d(image, kernel, 1, "SAME")
      result[0, 0, 0, 0].numpy()  # Waits for a GPU, without copying all of it.
      if not result.device.endswith(f"device:{device}"):  # TensorFlow falls back to another device.
        raise RuntimeError(f"TensorFlow computes on {result.device} instead")
      return time.perf_counter() - start

    seconds()
    median = statistics.median(seconds() for _ in range(_RUNS))
  return 2 * (SIDE * CHANNELS * _KERNEL_SIDE) ** 2 / median


def _memory_limits():
  """Returns "GPU:0" -> bytes; empty if unknown."""
  try:
    from tensorflow.python.client import device_lib  # Not public, but nothing public has it.

    return {device.name.split("device:")[-1]: device.memory_limit for device in device_lib.list_local_devices()}
  except (ImportError, AttributeError, RuntimeError, tf.errors.OpError):
    return {}

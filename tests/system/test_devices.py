"""Devices and the rate of a convolution, with GPUs that are only pretended."""

import types

import pytest
import tensorflow as tf
from tensorflow.python.client import device_lib

from z2i_tf.system import devices


@pytest.fixture(name="growing")
def _growing(monkeypatch):
  """Makes TensorFlow say that there are two GPUs; returns those whose memory is to be taken as needed."""
  growing = []
  devices = {"GPU": ["first", "second"], "CPU": ["cpu"]}
  monkeypatch.setattr(tf.config, "list_physical_devices", devices.get)
  monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: growing.append((gpu, on)))
  monkeypatch.setattr(
    tf.config.experimental, "get_device_details", lambda gpu: {"device_name": "Example 9"} if gpu == "first" else {}
  )
  return growing


def test_gpus_come_after_the_cpu_with_what_tensorflow_tells(monkeypatch, growing):
  local = [
    types.SimpleNamespace(name=f"/device:{name}", memory_limit=limit) for name, limit in (("CPU:0", 1), ("GPU:0", 7))
  ]
  monkeypatch.setattr(device_lib, "list_local_devices", lambda: local)
  assert devices.list_devices() == [
    devices.Device("CPU:0", "", None),
    devices.Device("GPU:0", "Example 9", 7),
    devices.Device("GPU:1", "", None),
  ]
  assert growing == [("first", True), ("second", True)]


def test_memory_that_is_not_told_is_none(monkeypatch, growing):
  def fail():
    raise RuntimeError("driver")

  monkeypatch.setattr(device_lib, "list_local_devices", fail)
  assert [device.memory for device in devices.list_devices()] == [None] * 3


def test_the_rate_counts_multiplications_and_additions_over_the_median_time(monkeypatch):
  clock = iter((0, 100, 0, 1, 0, 3, 0, 2, 0, 9, 0, 1.5, 0))  # Start and end: setting up, five runs, median 2 s; more.
  monkeypatch.setattr(devices, "SIDE", 4)
  monkeypatch.setattr(devices, "CHANNELS", 3)
  monkeypatch.setattr(devices, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
  assert devices.convolution_rate("CPU:0") == 2 * 4 * 4 * 9 * 3 * 3 / 2
  with pytest.raises(RuntimeError, match="computes on .*CPU:0 instead"):
    devices.convolution_rate("GPU:7")

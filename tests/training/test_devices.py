import pytest

from z2i_tf.errors import InputError
from z2i_tf.training import devices


def test_a_batch_must_be_shared_equally(two_devices):
  devices.check_batch_size(6, two_devices, jit_compile=False)
  with pytest.raises(InputError, match="`batch_size`=7 cannot be shared by 2 replicas"):
    devices.check_batch_size(7, two_devices, jit_compile=False)


def test_only_one_device_compiles(two_devices):
  with pytest.raises(InputError, match="`jit_compile` is for one device; there are 2 replicas"):
    devices.check_batch_size(6, two_devices, jit_compile=True)


def test_alone_a_process_is_chief(two_devices):
  assert devices.is_chief(two_devices) and devices.worker_count(two_devices) == 1

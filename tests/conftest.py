"""Eight logical CPU devices for every test that wants replicas; must come before TensorFlow starts."""

import fcntl
import functools
import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Processes that share the tests share the cores, too; those that they start take it over.
_SHARES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _SHARES > 1:
  os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // _SHARES)))

import numpy as np
import pytest


def pytest_configure(config):
  """Makes the devices, but not in a process that only shares out the tests: loading TensorFlow takes seconds."""
  if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
    return
  import tensorflow as tf

  tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 8
  )


@pytest.fixture(scope="session")
def built_once(tmp_path_factory):
  """Returns a function that makes a folder once for all processes that share the tests; each gets its own copy.

  It takes a name of the folder's own and a function that makes a folder of the given path. A process that returns to a
  module gets its copy again.
  """
  own, made = tmp_path_factory.mktemp("built"), set()

  def built(name, build):
    if name not in made:
      make(name, build)
      made.add(name)
    return own / name

  def build_own(name, build):
    try:
      build(own / name)
    except BaseException:
      shutil.rmtree(own / name, ignore_errors=True)
      raise

  def make(name, build):
    if _SHARES == 1:
      build_own(name, build)
      return
    common = tmp_path_factory.getbasetemp().parent / "built"
    common.mkdir(exist_ok=True)
    with open(common / f"{name}.lock", "w", encoding="utf-8") as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      if (common / name).exists():
        shutil.copytree(common / name, own / name)
      else:
        build_own(name, build)
        shutil.copytree(own / name, common / f"{name}.unfinished", dirs_exist_ok=True)
        (common / f"{name}.unfinished").rename(common / name)

  return built


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
  """Starts processes that have TensorFlow loaded already."""
  from tests.forked import Forks

  started = Forks(tmp_path_factory.mktemp("forked"))
  yield started
  started.close()


@pytest.fixture(scope="session")
def random_vgg_weights(built_once):
  """A Keras weights file of VGG19 without top, seeded random weights: stands in for the download."""
  from z2i_tf.keras_api import VGG19

  def build(folder):
    folder.mkdir()
    network = VGG19(include_top=False, weights=None)
    rng = np.random.default_rng(19)
    network.set_weights(
      [rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape).astype(np.float32) for w in network.get_weights()]
    )
    network.save_weights(str(folder / "vgg19.h5"))

  return str(built_once("vgg", build) / "vgg19.h5")


@pytest.fixture(scope="session")
def load_once():
  """`model_store.load_predictor` that loads each model once: tracing its graphs takes seconds."""
  from z2i_tf.inference import model_store

  cached = functools.cache(model_store.load_predictor)
  return lambda model, precision=None: cached(model, precision)


@pytest.fixture(scope="module")
def models_loaded_once(load_once):
  """Within the module every model is loaded by `load_once`."""
  from z2i_tf.inference import model_store

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(model_store, "load_predictor", load_once)
    yield


@pytest.fixture(scope="session")
def two_devices():
  """One for all tests: eager collectives of two strategies in one process get into each other's way."""
  import tensorflow as tf

  return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def eight_devices():
  """As `two_devices`, with collective operations that are numbered apart from theirs."""
  import tensorflow as tf

  class Apart(tf.distribute.MirroredStrategy):
    _collective_key_base = 1_000_000  # TensorFlow has it for tests.

  return Apart([f"CPU:{number}" for number in range(8)])


@pytest.fixture
def eager_functions():
  """See `stand_ins.eagerly`."""
  from tests.training import stand_ins

  with stand_ins.eagerly():
    yield

"""Chooses devices, precision and determinism, and shares batches among replicas.

Variables are always float32. Losses, attention weights, images and the whole discriminator are computed in float32
whatever the precision.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import functools
import os

import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.keras_api import mixed_precision
from z2i_tf.system import input_files

FLOAT32, BFLOAT16, FLOAT16 = PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_CLUSTER_VARIABLE = "TF_CONFIG"
_WORKER_TYPES = ("chief", "worker")


@functools.lru_cache(maxsize=None)
def make_strategy() -> tf.distribute.Strategy:
  """Returns the strategy for the available devices; call it before TensorFlow computes anything.

  If the environment sets TF_CONFIG (TensorFlow's JSON description of a cluster and of this worker), it is a
  MultiWorkerMirroredStrategy over the GPUs, or else CPUs, of all workers, and this function waits for them. Otherwise
  it is a MirroredStrategy over all visible GPUs, or over the CPU.
  All stages of a process share one strategy: collective operations of two would have the same keys and collide.

  Raises: InputError if TF_CONFIG is unusable or another worker does not start.
  """
  if os.environ.get(_CLUSTER_VARIABLE):
    _check_cluster(os.environ[_CLUSTER_VARIABLE])
    try:
      return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
      raise InputError(f"{_CLUSTER_VARIABLE}: the workers did not find each other: {str(error)[:300]}") from error
  gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
  return tf.distribute.MirroredStrategy(gpus or ["CPU:0"])


def is_chief(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether this process writes files and reports; a single process does."""
  return worker_index(strategy) == 0


def worker_index(strategy: tf.distribute.Strategy) -> int:
  """Returns the number of this process among the workers; 0 for the chief and for a single process."""
  resolver = strategy.cluster_resolver
  return (
    resolver.task_id + ("chief" in resolver.cluster_spec().jobs and resolver.task_type != "chief")
    if (resolver is not None and resolver.task_type)
    else 0
  )


def worker_count(strategy: tf.distribute.Strategy) -> int:
  """Returns the number of processes that train together."""
  resolver = strategy.cluster_resolver
  return (
    resolver.cluster_spec().num_tasks("worker") + ("chief" in resolver.cluster_spec().jobs)
    if resolver is not None and resolver.task_type
    else 1
  )


def mean_over_workers(strategy: tf.distribute.Strategy, value: float) -> float:
  """Returns the mean of the workers' values; every worker must call it."""
  if worker_count(strategy) == 1:
    return value
  return float(
    tf.function(
      lambda number: strategy.reduce(tf.distribute.ReduceOp.MEAN, strategy.run(tf.identity, args=(number,)), axis=None)
    )(tf.constant(value))
  )


@contextlib.contextmanager
def needing_other_workers() -> Iterator[None]:
  """Turns TensorFlow's error about a lost worker into an InputError."""
  try:
    yield
  except tf.errors.OpError as error:
    if not is_lost_worker(error):
      raise
    lines = [line for line in error.message.splitlines() if "aborted by" in line] or error.message.splitlines()
    raise InputError(
      f"another worker ended ({lines[0][:200]}); start all of them again: they continue from the last checkpoint"
    ) from error


def is_lost_worker(error: tf.errors.OpError) -> bool:
  """Returns whether the error means that another worker has ended."""
  return "ollective ops is aborted" in error.message


def is_deterministic(deterministic: bool | None, jit_compile: bool) -> bool:
  """Returns whether results repeat bit for bit.

  Args:
    deterministic: None chooses it on a CPU without XLA, where it costs nothing.
    jit_compile: whether XLA compiles the step; its gradient of max-pooling has no deterministic form.
  """
  if deterministic is None:
    return not jit_compile and not tf.config.list_physical_devices("GPU")
  return deterministic


def choose_determinism(deterministic: bool | None, jit_compile: bool) -> None:
  """Makes TensorFlow's results repeat for the rest of the process, if `is_deterministic` says so."""
  if is_deterministic(deterministic, jit_compile):
    tf.config.experimental.enable_op_determinism()


def check_precision(precision: str) -> None:
  """Raises ValueError unless it is one of `PRECISIONS`."""
  if precision not in PRECISIONS:
    raise ValueError(f"The precision is one of {', '.join(PRECISIONS)}. Received: `precision`={precision!r}")


@contextlib.contextmanager
def networks_in(precision: str) -> Iterator[None]:
  """Gives networks that are built within the block this precision, one of `PRECISIONS`."""
  former = mixed_precision.global_policy()
  mixed_precision.set_global_policy(precision)
  try:
    yield
  finally:
    mixed_precision.set_global_policy(former)


def describe(strategy: tf.distribute.Strategy) -> str:
  """Returns the number and kind of replicas, and the number of workers if there are several, as text."""
  count, workers = strategy.num_replicas_in_sync, worker_count(strategy)
  kind = "GPU" if "GPU" in strategy.extended.worker_devices[0] else "CPU"
  text = f"{count} replica{'s' if count > 1 else ''} ({kind})"
  return text if workers == 1 else f"{text} on {workers} workers"


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy, jit_compile: bool) -> None:
  """Raises InputError if replicas cannot share a global batch equally, or XLA cannot compile for several replicas."""
  replicas = strategy.num_replicas_in_sync
  if batch_size % replicas:
    raise InputError(
      f"`batch_size`={batch_size} cannot be shared by {replicas} replicas; give a multiple of {replicas}"
    )
  if jit_compile and replicas > 1:
    raise InputError(f"`jit_compile` is for one device; there are {replicas} replicas")


def distributed_batches(
  strategy: tf.distribute.Strategy, worker_batches: Callable[[int, int], tf.data.Dataset], batch_size: int
) -> tf.distribute.DistributedDataset:
  """Shares global batches among all replicas in order: the first replica gets the beginning of each batch.

  Args:
    strategy: devices.
    worker_batches: (number of this worker, number of workers) -> this worker's shares of the global batches.
    batch_size: global; a multiple of the number of replicas.
  """
  replicas = strategy.num_replicas_in_sync

  def batches_of(context):
    batches = worker_batches(context.input_pipeline_id, context.num_input_pipelines)
    if replicas > context.num_input_pipelines:
      batches = batches.rebatch(batch_size // replicas).prefetch(tf.data.AUTOTUNE)
    return batches

  return strategy.distribute_datasets_from_function(batches_of)


def _check_cluster(text):
  try:
    config = input_files.parse_json(text)
    tasks = {job: len(list(addresses)) for job, addresses in config["cluster"].items()}
    job, index = config["task"]["type"], int(config["task"]["index"])
    if not all(
      isinstance(address, str) and ":" in address for addresses in config["cluster"].values() for address in addresses
    ) or str(index) != str(config["task"]["index"]):
      raise ValueError
  except (ValueError, TypeError, KeyError, AttributeError) as error:
    raise InputError(
      f'{_CLUSTER_VARIABLE}: expected JSON such as {{"cluster": {{"worker": ["host:port", ...]}}, '
      f'"task": {{"type": "worker", "index": 0}}}}. Received: {text[:200]}'
    ) from error
  if set(tasks) - set(_WORKER_TYPES) or job not in tasks or not 0 <= index < tasks[job]:
    raise InputError(
      f"{_CLUSTER_VARIABLE}: every task must be a {' or '.join(_WORKER_TYPES)}, and this one of "
      f"them. Received: {text[:200]}"
    )

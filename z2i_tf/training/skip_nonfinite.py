"""Undoes training steps whose loss or gradient is not finite."""

from collections.abc import Callable
from collections.abc import Iterable

import tensorflow as tf

from z2i_tf.training.steps import Tensors

# Scalars with these prefixes must be finite. The norm of a gradient is finite only if the whole gradient is.
_CHECKED = ("loss/", "gradient_norm/")
# Names of the scalars that are added to the step's own.
SKIPPED, STOP = "skipped", "stop"


def skip_nonfinite(
  step: Callable[[Tensors], Tensors],
  strategy: tf.distribute.Strategy,
  variables: Iterable[tf.Variable],
  jit_compile: bool,
) -> Callable[..., dict[str, tf.Tensor]]:
  """Compiles a step of all replicas that changes nothing unless its losses and gradients are finite.

  Otherwise every variable gets its former value back: weights, optimizers, batch norms' statistics, spectral norms'
  kernels and vectors. Keras' loss scale is not among them: it must adapt to the overflow.

  Args:
    step: a replica's share of a batch -> scalars whose sum over the replicas is the global value.
    strategy: devices.
    variables: all variables that the step changes, created under the strategy.
    jit_compile: whether XLA compiles the step; for one replica.
  Returns: (batch as the strategy distributes it, float32 scalar 1 if this worker shall stop, else 0) -> the global
    scalars; "skipped": 1 if the step changed nothing, else 0; "stop": number of replicas whose worker shall stop.
  """
  # Each worker restores the copies on its own devices, without communication.
  copies = [copy for variable in variables for copy in strategy.experimental_local_results(variable)]

  def replica_step(batch, stop):
    return {**step(batch), STOP: tf.identity(stop)}

  if jit_compile:
    replica_step = tf.function(replica_step, jit_compile=True, autograph=False)

  @tf.function(autograph=False)  # Autograph would search for seconds and find nothing to convert.
  def checked(batch, stop):
    former = [copy.read_value() for copy in copies]
    scalars = {
      name: strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
      for name, value in strategy.run(replica_step, args=(batch, stop)).items()
    }
    is_finite = tf.reduce_all(
      tf.math.is_finite([value for name, value in scalars.items() if name.startswith(_CHECKED)])
    )

    def restore():
      for copy, value in zip(copies, former):
        copy.assign(value)
      return 1.0

    return {**scalars, SKIPPED: tf.cond(is_finite, lambda: 0.0, restore)}

  return checked

"""A step over all replicas that changes nothing where it is not finite."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

# Scalars with these beginnings must be finite. A gradient's norm is finite only if all of the gradient is.
_GUARDED = ("loss/", "gradient_norm/")
# What is returned beside the step's own scalars.
SKIPPED, STOP = "skipped", "stop"


def guarded_step(
  step: Callable[[Tensors], Tensors],
  strategy: tf.distribute.Strategy,
  variables: Iterable[tf.Variable],
  jit_compile: bool,
) -> Callable[..., dict[str, tf.Tensor]]:
  """Returns the compiled step of all replicas.

  Where a loss or a gradient is not finite, every variable is given its former value back: weights, optimizers, batch
  norms' statistics, spectral norms' kernels and vectors. (Keras' loss scale is no such variable: it must learn from
  what happened.)

  Args:
    step: a replica's share of a batch -> scalars whose sum over the replicas is the global value.
    strategy: devices.
    variables: all that the step changes, created under the strategy.
    jit_compile: whether the step is compiled with XLA; for one replica.
  Returns: (batch as the strategy distributes it, whether this worker was asked to stop, as a float32 scalar 0 or 1) ->
    the global scalars; "skipped": 1 if the step changed nothing, else 0; "stop": how many replicas' workers were asked.
  """
  # Each worker looks after the copies on its own devices: no communication.
  copies = [copy for variable in variables for copy in strategy.experimental_local_results(variable)]

  def replica_step(batch, stop):
    return {**step(batch), STOP: tf.identity(stop)}

  if jit_compile:
    replica_step = tf.function(replica_step, jit_compile=True, autograph=False)

  @tf.function(autograph=False)  # There is nothing to convert, and looking for it takes seconds.
  def guarded(batch, stop):
    former = [copy.read_value() for copy in copies]
    scalars = {
      name: strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
      for name, value in strategy.run(replica_step, args=(batch, stop)).items()
    }
    is_finite = tf.reduce_all(
      tf.math.is_finite([value for name, value in scalars.items() if name.startswith(_GUARDED)])
    )

    def restore():
      for copy, value in zip(copies, former):
        copy.assign(value)
      return 1.0

    return {**scalars, SKIPPED: tf.cond(is_finite, lambda: 0.0, restore)}

  return guarded

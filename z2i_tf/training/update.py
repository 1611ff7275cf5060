"""What every step does with its loss: averages over the global batch, one update whatever the number of replicas."""

from collections.abc import Mapping

import tensorflow as tf

from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.training.precision import unscaled


def average(per_example: Mapping[str, tf.Tensor], global_batch_size: int) -> dict[str, tf.Tensor]:
  """Returns a replica's share of each mean: values (B,) summed and divided by the *global* batch size."""
  return {name: tf.reduce_sum(values) / global_batch_size for name, values in per_example.items()}


def apply_update(
  tape: tf.GradientTape,
  loss: tf.Tensor,
  networks: Mapping[str, Model],
  optimizer: optimizers.Optimizer,
  clip_norm: float,
) -> dict[str, tf.Tensor]:
  """Applies the gradient summed over the replicas; called in a replica context.

  Args:
    tape: that recorded the loss.
    loss: the replica's share, as `average` gives it; if the optimizer scales losses, that of `scaled_loss`.
    networks: all of whose trainable variables are updated, by name.
    optimizer: updates them.
    clip_norm: global norm that the gradient of all of them is scaled down to; 0 = never.
  Returns: "gradient_norm/NAME" -> norm of a network's gradient before clipping, divided by the number of replicas, so
    that the norms too are summed to the global value.
  """
  replica_context = tf.distribute.get_replica_context()
  variables = [variable for network in networks.values() for variable in network.trainable_variables]
  # Weights of 0 may leave a whole network without gradient.
  gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
  gradients = unscaled(gradients, optimizer)
  if replica_context.num_replicas_in_sync > 1:  # One alone would only copy them.
    gradients = replica_context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
  norms, position = {}, 0
  for name, network in networks.items():
    count = len(network.trainable_variables)
    norms["gradient_norm/" + name] = tf.linalg.global_norm(gradients[position : position + count])
    position += count
  if clip_norm:
    gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
  optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
  return {name: norm / replica_context.num_replicas_in_sync for name, norm in norms.items()}

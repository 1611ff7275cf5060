"""Reads the tensors of TensorFlow checkpoints that other code wrote."""

from collections.abc import Callable
import os

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError


def read_tensors(prefix: str, is_wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
  """Returns the wanted tensors by their keys.

  Args:
    prefix: path without `.index`, such as `folder/ckpt-1500`.
    is_wanted: key -> whether to read its tensor; may raise InputError.
  Raises: InputError if files are missing or damaged.
  """
  if not os.path.isfile(prefix + ".index"):
    raise InputError(
      f"`original`={prefix}: no checkpoint there ({os.path.basename(prefix)}.index is missing; "
      "give the path without an extension, such as folder/ckpt-1500)"
    )
  try:
    reader = tf.train.load_checkpoint(prefix)
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map() if is_wanted(key)}
  except InputError:
    raise
  except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:
    raise InputError(
      f"{prefix}: the checkpoint is damaged or incomplete; copy it again ({str(error).splitlines()[0][:120]})"
    ) from error

"""Actions that the training loop calls between steps."""

from collections.abc import Mapping

import numpy as np

Scalars = Mapping[str, float]


class Callbacks:
  """Base class; its actions do nothing."""

  def evaluate(self, step: int) -> Scalars:
    """Measures the networks; returns scalars to log."""
    del step
    return {}

  def keep(self, step: int) -> None:
    """Writes the weights of this step to a folder that is never deleted."""

  def save(self, step: int, skipped: int) -> None:
    """Saves a checkpoint.

    Args:
      step: number of finished steps.
      skipped: number of skipped steps in the whole run.
    """

  def keep_batch(self, step: int, batch: Mapping[str, np.ndarray]) -> str:
    """Saves the batch of the step that stops the run; returns the path."""
    del step, batch
    return ""

  def explain_skipping(self, scalars: Scalars) -> str:
    """Returns why a skipped step is harmless, or an empty text if it is not."""
    del scalars
    return ""

  def scalars(self) -> Scalars:
    """Returns further scalars to log; they are not averaged."""
    return {}

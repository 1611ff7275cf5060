"""Numbers and pictures to TensorBoard event files."""

from collections.abc import Mapping
import contextlib

import tensorflow as tf

from z2i_tf.training.work_dir import writing_errors


class SummaryWriter:
  """Writes scalars, pictures and texts of one run under `folder`; raises InputError where it cannot."""

  def __init__(self, folder: str):
    self._folder = folder
    with writing_errors(folder):
      self._writer = tf.summary.create_file_writer(folder)

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes each number under its name."""
    with self._at(step):
      for name, value in scalars.items():
        tf.summary.scalar(name, value)

  def write_pictures(self, step: int, pictures: Mapping[str, tf.Tensor]) -> None:
    """Writes each (B, H, W, 1 or 3) batch, clipped to [0, 1], under its name."""
    with self._at(step):
      for name, batch in pictures.items():
        tf.summary.image(name, tf.clip_by_value(batch, 0.0, 1.0), max_outputs=batch.shape[0])

  def write_text(self, step: int, name: str, text: str) -> None:
    """Writes a text (Markdown)."""
    with self._at(step):
      tf.summary.text(name, text)

  def flush(self) -> None:
    """Puts everything written so far into the files."""
    with writing_errors(self._folder):
      self._writer.flush()

  @contextlib.contextmanager
  def _at(self, step):
    with writing_errors(self._folder), self._writer.as_default(step=step):
      yield

"""Opens a data set of any kind by name. Imports nothing heavy: the command line needs the names for its help."""

import os
from typing import TYPE_CHECKING

from z2i_tf.errors import InputError

if TYPE_CHECKING:
  from z2i_tf.datasets.sources import ImageSource

# Names of kinds: image files, files of `z2i prepare`, and TensorFlow Datasets, which alone have splits.
FOLDER, TILED_RECORDS = "folder", "tfrecord"
TENSORFLOW_DATASETS = ("places365_small", "div2k")
KINDS = (FOLDER, TILED_RECORDS, *TENSORFLOW_DATASETS)


def check_settings(
  source: str,
  data_dir: str | None,
  split: str | None,
  validation_dir: str | None = None,
  validation_split: str | None = None,
) -> None:
  """Raises InputError if a setting of the data set, or of the images to measure on, is missing or does not apply."""
  if source not in KINDS:
    raise InputError(f"`source`={source}: expected one of {', '.join(KINDS)}")
  if source in TENSORFLOW_DATASETS:
    if validation_dir:
      raise InputError(f"`validation_dir`={validation_dir}: `source`={source} has splits; use `validation_split`")
    return
  if not data_dir:
    raise InputError(f"`data_dir` is missing: `source`={source} needs it")
  for name, value in (("split", split), ("validation_split", validation_split)):
    if value:
      raise InputError(f"`{name}`={value}: only TensorFlow Datasets have splits, not `source`={source}")


def expanded(data_dir: str | None) -> str | None:
  """Returns a data set's path with the home folder in the place of a "~" at its beginning."""
  return data_dir and os.path.expanduser(data_dir)


def open_source(kind: str, data_dir: str | None, split: str | None, scale: int) -> "ImageSource":
  """Opens a data set.

  Args:
    kind: one of `KINDS`.
    data_dir: the folder, or the list of files; of a TensorFlow Dataset the folder of all data sets, None for TFDS'
      default. May begin with "~".
    split: of a TensorFlow Dataset, such as "train" or "train[:90%]"; ignored for other kinds.
    scale: zoom factor; chooses the version of DIV2K.
  Raises: InputError if the data set is missing; for a TensorFlow Dataset with the command that prepares it.
  """
  data_dir = expanded(data_dir)
  if kind == FOLDER:
    from z2i_tf.datasets.folder_source import FolderSource

    return FolderSource(data_dir or "")
  if kind == TILED_RECORDS:
    from z2i_tf.datasets.tiled_records import TiledRecordsSource

    return TiledRecordsSource(data_dir or "")
  from z2i_tf.datasets.tfds_source import TfdsSource

  return TfdsSource(kind, data_dir, split or "train", scale)

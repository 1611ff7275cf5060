"""TensorFlow Datasets: Places2 (places365_small) and DIV2K.

TFDS reads metadata and features; images stay encoded until they are opened. The ArrayRecord format has random access;
`tfrecord.RecordFile` adds it to the default TFRecord format.
"""

import glob
import json
import os
import re
import shlex

import tensorflow_datasets as tfds

from z2i_tf.datasets import sources
from z2i_tf.datasets.tfrecord import file_size
from z2i_tf.datasets.tfrecord import RecordFile
from z2i_tf.datasets.tfrecord import RecordShards
from z2i_tf.errors import InputError
from z2i_tf.errors import one_line

# Name -> (feature with the image; scale -> version, or None).
_DATASETS = {"places365_small": ("image", None), "div2k": ("hr", {2: "bicubic_x2", 3: "bicubic_x3", 4: "bicubic_x4"})}
_DEFAULT_DATA_DIR = os.path.join("~", "tensorflow_datasets")


class TfdsSource(sources.EncodedSource):
  """One split of a prepared data set.

  Reads the high-resolution images of DIV2K; the pipeline makes the low-resolution input from the crop. These images
  are equal in all versions, so another version replaces a missing one.
  """

  def __init__(self, name: str, data_dir: str | None, split: str, scale: int):
    """Opens the data set.

    Args:
      name: "places365_small" or "div2k".
      data_dir: folder of all data sets; None for $TFDS_DATA_DIR, or else ~/tensorflow_datasets, as TFDS itself.
      split: "train", "validation", or a part such as "train[:90%]".
      scale: zoom factor.
    Raises: InputError for an unknown split, or if the data set is missing, with the command that prepares it.
    """
    self._feature, versions = _DATASETS[name]
    data_dir = os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR", _DEFAULT_DATA_DIR))
    names = [name]
    if versions:
      names = [f"{name}/{version}" for _, version in sorted(versions.items(), key=lambda item: item[0] != scale)]
    folders = [folder for folder in (_newest(os.path.join(data_dir, name)) for name in names) if folder]
    if not folders:
      raise InputError(
        f"{names[0]} is not prepared in {data_dir}; this downloads and prepares it: "
        f"{_build_command(names[0], data_dir)}"
      )
    try:
      builder = tfds.builder_from_directory(folders[0])
    except Exception as error:  # Errors of JSON, of protocol buffers, and TFDS' own.
      raise InputError(
        f"{folders[0]}: damaged ({one_line(error)}); remove it and prepare it again: "
        f"{_build_command(names[0], data_dir)}"
      ) from error
    self._name = f"{builder.info.full_name} {split}"
    features = builder.info.features
    decoders = {
      key: tfds.decode.SkipDecoding() for key, feature in features.items() if isinstance(feature, tfds.features.Image)
    }
    try:
      instructions = self._parts = builder.info.splits[split].file_instructions
    except (KeyError, ValueError) as error:
      raise InputError(
        f"`split`={split}: {builder.info.full_name} has {', '.join(builder.info.splits)}, and parts such as train[:90%]"
      ) from error
    if builder.info.file_format is tfds.core.FileFormat.TFRECORD:
      self._examples = _Examples(
        features,
        decoders,
        RecordShards(
          [(RecordFile(str(part.filename), part.examples_in_shard), part.skip, part.take) for part in instructions]
        ),
      )
    else:
      try:
        self._examples = builder.as_data_source(split, decoders=decoders)
      except NotImplementedError as error:
        raise InputError(
          f"{folders[0]}: prepared as {builder.info.file_format.value}, which has no random access; "
          "prepare it as tfrecord or array_record"
        ) from error
    if not len(self._examples):
      raise InputError(f"`split`={split}: no images in it")

  def __len__(self) -> int:
    return len(self._examples)

  def name(self, index: int) -> str:
    return f"{self._name}, number {index}"

  def fingerprint(self) -> str:
    """Returns the number of images and a hash of version, split and file sizes."""
    parts = [
      f"{os.path.basename(part.filename)} {part.skip} {part.take} {file_size(str(part.filename))}"
      for part in self._parts
    ]
    return sources.fingerprint(len(self), (text.encode() for text in [self._name, *parts]))

  def encoded(self, index: int) -> bytes:
    with sources.naming(self.name(index)):
      return self._examples[index][self._feature]


class _Examples:
  """Serialised examples as dictionaries, images still encoded."""

  def __init__(self, features, decoders, records):
    self._features, self._decoders, self._records = features, decoders, records

  def __len__(self):
    return len(self._records)

  def __getitem__(self, index):
    return self._features.deserialize_example_np(self._records[index], decoders=self._decoders)


def _build_command(name, data_dir):
  """Returns a command without `tfds build`, which needs apache_beam from TFDS 4.9.6 on and does not install it."""
  builder = f"tfds.builder({json.dumps(name)}, data_dir={json.dumps(data_dir)})"
  return "python -c " + shlex.quote(f"import tensorflow_datasets as tfds; {builder}.download_and_prepare()")


def _newest(folder: str) -> str | None:
  """Returns the folder of a data set's newest prepared version, such as .../2.0.0, or None."""
  prepared = {}
  for path in glob.glob(os.path.join(glob.escape(folder), "*", "dataset_info.json")):
    version = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", os.path.basename(os.path.dirname(path)))
    if version:
      prepared[tuple(map(int, version.groups()))] = os.path.dirname(path)
  return prepared[max(prepared)] if prepared else None

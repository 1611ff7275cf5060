"""Small data sets of every kind, written to disk by the real writers."""

import json

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from z2i_tf.datasets import tiled_records
from z2i_tf.datasets.folder_source import FolderSource
from z2i_tf.datasets.sources import BadImages
from z2i_tf.images import image_files


def coded_image(number, height, width):
  """An image whose pixels tell where they come from: red 20 * number, green the row, blue the column."""
  rows, columns = np.mgrid[:height, :width]
  return np.stack([np.full_like(rows, 20 * number), rows, columns], axis=-1).astype(np.uint8)


def write_folder(folder, count=5):
  """Writes images of about 40x50 pixels, the last one into a subfolder."""
  (folder / "more").mkdir(parents=True)
  for number in range(count):
    name = "more" if number == count - 1 else "."
    image_files.write_rgb(str(folder / name / f"{number}.png"), coded_image(number, 40 + number, 50))


def write_prepared(images, folder, tile_size=8, shards=2):
  """Prepares a folder of images; with tiles of 8, 40x50 pixels are cut up, with 16 they stay whole."""
  folder.mkdir()
  return tiled_records.write_tiled_records(
    FolderSource(str(images)), str(folder), {"source": "folder"}, tile_size, shards, BadImages(fail=True), lambda: None
  )


def rewrite_records(path, change):
  """Writes a TFRecord file anew: (index, content) -> content; checksums fit."""
  records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
  with tf.io.TFRecordWriter(str(path)) as writer:
    for index, content in enumerate(records):
      writer.write(change(index, content))


def replace_tiles(folder, index, tiles):
  """Replaces the tiles of a prepared image."""
  manifest = json.loads((folder / "dataset.json").read_text())
  for shard in manifest["shards"]:
    if index < shard["records"]:
      break
    index -= shard["records"]

  def change(number, content):
    example = tf.train.Example.FromString(content)
    if number == index:
      example.features.feature["tiles"].bytes_list.value[:] = tiles
    return example.SerializeToString()

  rewrite_records(folder / shard["file"], change)
  shard["bytes"] = (folder / shard["file"]).stat().st_size
  (folder / "dataset.json").write_text(json.dumps(manifest))


def write_tfds(name, data_dir, splits, file_format="tfrecord"):
  """Prepares a TensorFlow Dataset of given images with TFDS' own writer, without a download.

  Args:
    name: "div2k/bicubic_x2" (and x3, x4) or "places365_small".
    splits: split -> list of (H, W, 3) uint8 images, for DIV2K the high-resolution ones.
  """
  builder = tfds.builder(name, data_dir=str(data_dir), file_format=file_format)

  def examples(images):
    for number, image in enumerate(images):
      yield (
        str(number),
        (
          {"image": image, "label": 0, "filename": f"{number}.jpg"}
          if "places" in name
          else {"hr": image, "lr": image[1::2, 1::2]}
        ),
      )

  builder._split_generators = lambda _: {split: examples(images) for split, images in splits.items()}
  builder.download_and_prepare()

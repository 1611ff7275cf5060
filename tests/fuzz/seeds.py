"""Small sound files of every format, to be damaged."""

import io
import os
import pathlib
import struct
import tempfile
import zlib

import google_crc32c
import numpy as np
import onnx
from PIL import Image
from PIL import ImageCms
from PIL import PngImagePlugin
import tensorflow as tf

from tests.datasets import stand_ins
from tests.report import report_records
from z2i_tf.images import image_files
from z2i_tf.images.formats import heif
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff
from z2i_tf.images.formats.metadata import Metadata
from z2i_tf.inference.foreign import adapters
from z2i_tf.models import model_weights
from z2i_tf.study.manifest import StudyManifest
from z2i_tf.study.pairs import Pair

_HEIGHT, _WIDTH = 21, 27
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def images() -> dict[str, bytes]:
  """Returns name (with extension) -> file: every format that is read, in several kinds of pixels, with metadata."""
  rng = np.random.default_rng(0)
  rgb = np.add.outer(np.arange(_HEIGHT) * 5, np.arange(_WIDTH) * 3)[..., np.newaxis] + rng.integers(0, 60, (1, 1, 3))
  rgb = rgb.astype(np.uint8)
  rgba = np.dstack([rgb, rgb[..., 0] + np.uint8(20)])
  mask = np.zeros((_HEIGHT, _WIDTH), np.uint8)
  mask[5:12, 6:20] = 255
  exif = Image.Exif()
  exif[0x0112], exif[0x010F] = 6, "a maker"
  exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
  icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
  text = PngImagePlugin.PngInfo()
  text.add_text("Title", "a seed")
  text.add_text("Long", "z" * 300, zip=True)
  text.add_itxt("XML:com.adobe.xmp", _XMP.decode())
  colour, gray, palette = Image.fromarray(rgb), Image.fromarray(mask), Image.fromarray(rgb).quantize(16)
  metadata = Metadata(icc_profile=icc, exif=exif.tobytes()[6:], xmp=_XMP, dpi=(300.0, 150.0))
  found = {
    "rgb.png": _saved(colour, "PNG", pnginfo=text, exif=exif, icc_profile=icc, dpi=(72, 72)),
    "mask.png": _saved(gray, "PNG"),
    "bits.png": _saved(gray.convert("1"), "PNG"),
    "palette.png": _saved(palette, "PNG", transparency=3),
    "rgba16.png": png.encode(rgba.astype(np.uint16) * 257, metadata)[0],
    "gray16.png": _saved(Image.fromarray(mask.astype(np.uint16) * 257), "PNG"),
    "animated.png": _saved(colour, "PNG", save_all=True, append_images=[Image.fromarray(255 - rgb)]),
    "rgb.jpg": _saved(colour, "JPEG", exif=exif, icc_profile=icc, comment=b"a seed", quality=80),
    "progressive.jpg": _saved(colour, "JPEG", progressive=True),
    "mask.jpg": _saved(gray, "JPEG"),
    "cmyk.jpg": _saved(colour.convert("CMYK"), "JPEG", icc_profile=icc),
    "two.jpg": _saved(colour, "MPO", save_all=True, append_images=[colour]),
    "lossy.webp": _saved(Image.fromarray(rgba), "WEBP", exif=exif, xmp=_XMP),
    "mask.bmp": _saved(gray, "BMP"),
    "lossless.webp": _saved(colour, "WEBP", lossless=True),
    "animated.webp": _saved(colour, "WEBP", save_all=True, append_images=[Image.fromarray(255 - rgb)]),
    "rgb.bmp": _saved(colour, "BMP"),
    "palette.bmp": _saved(palette, "BMP"),
    "own.tif": tiff.encode(rgba, metadata)[0],
    "own16.tif": tiff.encode(rgb.astype(np.uint16) * 257, metadata)[0],
    "lzw.tif": _saved(colour, "TIFF", compression="tiff_lzw", exif=exif, icc_profile=icc, dpi=(72, 72)),
    "pages.tif": _saved(gray, "TIFF", save_all=True, append_images=[gray]),
    "jpeg.tif": _saved(colour, "TIFF", compression="jpeg"),
    "fax.tif": _saved(gray.convert("1"), "TIFF", compression="group4"),
    "raw.tif": _saved(colour, "TIFF"),
    "tiles.tif": _tiled_tiff(mask),
    "animated.gif": _saved(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
    "rgb.avif": _saved(colour, "AVIF", exif=exif),
    "rgb.jp2": _saved(colour, "JPEG2000"),
    "gray16.jp2": _saved(Image.fromarray(mask.astype(np.uint16) * 257), "JPEG2000"),
  }
  if heif.is_installed():
    import pillow_heif

    pillow_heif.register_heif_opener()
    found["rgb.heic"] = _saved(colour, "HEIF")
  return found


def _saved(image, file_format, **options):
  file = io.BytesIO()
  image.save(file, format=file_format, **options)
  return file.getvalue()


def _tiled_tiff(gray):
  """Returns a TIFF file of one deflated tile of 32x32."""
  tile = np.zeros((32, 32), np.uint8)
  tile[:_HEIGHT, :_WIDTH] = gray
  data = zlib.compress(tile.tobytes())
  entries = [
    (256, 4, _WIDTH),
    (257, 4, _HEIGHT),
    (258, 3, 8),
    (259, 3, 8),
    (262, 3, 1),
    (277, 3, 1),
    (322, 4, 32),
    (323, 4, 32),
    (324, 4, 8),
    (325, 4, len(data)),
  ]
  directory = (
    struct.pack("<H", len(entries))
    + b"".join(struct.pack("<HHLL", tag, kind, 1, value) for tag, kind, value in entries)
    + bytes(4)
  )
  return b"II*\0" + struct.pack("<L", 8 + len(data)) + data + directory


def models() -> dict[str, bytes]:
  """Returns name -> an .npz file: a model of few weights, and arrays for z2i import-weights."""
  arrays = {
    "coarse/conv00/kernel": np.ones((3, 3, 4, 8), np.float32),
    "refine/conv00/kernel": np.eye(4, dtype=np.float32),
    "sr/conv09/kernel": np.ones((1, 1, 4, 16), np.float32),
    "sr/conv00/kernel": np.ones(5, np.float32),
  }
  with tempfile.TemporaryDirectory() as folder:
    model_weights.write_model_file(folder, arrays, {"model": {"zoom": "sr", "scale": 2, "width": 8, "sr_width": 4}})
    model = _read(os.path.join(folder, model_weights.MODEL_FILE))
  file = io.BytesIO()
  np.savez(file, **arrays)
  return {"model": model, "named": file.getvalue()}


def networks() -> dict[str, bytes]:
  """Returns name -> an ONNX file of another method: "output" is the known part of "image", times weights."""
  kind, shape = onnx.TensorProto.FLOAT, ("N", 3, "H", "W")
  image, mask, output = (
    onnx.helper.make_tensor_value_info(name, kind, sides)
    for name, sides in (("image", shape), ("mask", ("N", 1, "H", "W")), ("output", shape))
  )
  nodes = [
    onnx.helper.make_node("Sub", ["one", "mask"], ["known"]),
    onnx.helper.make_node("Mul", ["image", "known"], ["masked"]),
    onnx.helper.make_node("Conv", ["masked", "kernel"], ["output"], pads=[1, 1, 1, 1]),
  ]
  constants = {"one": np.float32(1), "kernel": np.ones((3, 3, 3, 3), np.float32)}
  stored = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
  graph = onnx.helper.make_graph(nodes, "seed", [image, mask], [output], stored)
  opset = onnx.helper.make_opsetid("", 13)
  return {"network": onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()}


def records() -> dict[str, bytes]:
  """Returns name of the analysis -> its record; "study manifest" -> that of a study's database."""
  with tempfile.TemporaryDirectory() as folder:
    report_records.write_all(folder)
    found = {
      name: _read(os.path.join(parent, name))
      for parent, _, names in os.walk(folder)
      for name in names
      if name.endswith(".json")
    }
  pair = Pair(kind="small", image="a", opponent="telea")
  study = StudyManifest(
    "Which?",
    "z2i",
    ("telea",),
    ("small",),
    1,
    0,
    (pair,),
    {name: {"small": {"a": "00" * 32}} for name in ("z2i", "telea")},
  )
  adapter_paths = {name: adapters.find(f"{name}:model")[0] for name in adapters.bundled_names()}
  return {
    **found,
    **{f"adapter {name}": _read(path) for name, path in adapter_paths.items()},
    "study manifest": study.to_json().encode(),
  }


def shards() -> dict[str, bytes]:
  """Returns name -> file of a folder of z2i prepare: dataset.json and one shard, with tiles and with a whole image."""
  with tempfile.TemporaryDirectory() as folder:
    os.mkdir(os.path.join(folder, "images"))
    for name, side in (("tiled", 40), ("whole", 20)):
      image_files.write_rgb(os.path.join(folder, "images", f"{name}.png"), stand_ins.coded_image(2, side, side))
    prepared = pathlib.Path(folder, "prepared")
    stand_ins.write_prepared(os.path.join(folder, "images"), prepared, tile_size=8, shards=1)
    return {name: _read(os.path.join(prepared, name)) for name in os.listdir(prepared)}


def shard_records(shard: bytes):
  """Returns the contents of a TFRecord file's records."""
  with tempfile.NamedTemporaryFile() as file:
    file.write(shard)
    file.flush()
    return list(tf.data.TFRecordDataset(file.name).as_numpy_iterator())


def _read(path):
  with open(path, "rb") as file:
    return file.read()


def framed(record: bytes) -> bytes:
  """Returns a record as it stands in a TFRecord file, with its checksums."""

  def masked(content):
    checksum = google_crc32c.value(content)
    return struct.pack("<L", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)

  length = struct.pack("<Q", len(record))
  return length + masked(length) + record + masked(record)

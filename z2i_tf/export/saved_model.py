"""Writes models as SavedModels, which need only TensorFlow.

`Generator` makes the graph: tiles and chunks bound its memory, so it takes images of any size. Batch norms are one
scale and one shift per channel.
"""

import json
import os

import numpy as np
import tensorflow as tf

from z2i_tf import __version__
from z2i_tf import conventions
from z2i_tf.export import pixel_graph
from z2i_tf.inference.fast.networks import Limits
from z2i_tf.inference.generator import ATTENTION_SOURCES
from z2i_tf.inference.generator import Generator
from z2i_tf.inference.predictors import DESCRIPTION_FILE
from z2i_tf.inference.predictors import ENCODED
from z2i_tf.inference.predictors import FILL
from z2i_tf.inference.predictors import OUTPUTS
from z2i_tf.inference.predictors import TILE_PIXELS
from z2i_tf.models import architecture

# Pixels at high resolution, and scores of attention, that the graph evaluates at once.
_LIMITS = Limits(max_tile_pixels=TILE_PIXELS, max_scores=2**26)
_OPAQUE = 255
_IMAGE = tf.TensorSpec([None, None, None, 3], tf.uint8, "image")
_MASK = tf.TensorSpec([None, None, None, 1], tf.uint8, "mask")


class _Exported(tf.Module):
  """The module that is saved."""

  def __init__(self, generator: Generator):
    super().__init__()
    self._generator = generator

  @tf.function(input_signature=[_IMAGE, _MASK], autograph=False)
  def fill(self, image, mask):
    """Signature `serving_default`."""
    return {"image": pixel_graph.fill_pixels(self._result, *_checked(image, mask))}

  @tf.function(
    input_signature=[tf.TensorSpec([None], tf.string, "image"), tf.TensorSpec([None], tf.string, "mask")],
    autograph=False,
  )
  def encoded(self, image, mask):
    """Signature `encoded`."""
    images = _decoded(image, lambda file: tf.io.decode_image(file, 3, expand_animations=False), 3, "image")
    masks = _decoded(mask, _decoded_mask, 1, "mask")
    filled = self.fill(images, masks)["image"]
    return {"image_bytes": tf.map_fn(tf.io.encode_png, filled, fn_output_signature=tf.string)}

  @tf.function(input_signature=[_IMAGE, _MASK], autograph=False)
  def outputs(self, image, mask):
    """Signature `outputs`."""
    outputs = self._generator(*pixel_graph.network_inputs(*_checked(image, mask)), _LIMITS, whole=True)
    return {name: output for name, output in outputs.items() if name != ATTENTION_SOURCES}

  def _result(self, image, mask):
    return self._generator(image, mask, _LIMITS, whole=False)[conventions.RESULT]


def write_saved_model(generator: Generator, folder: str, name: str) -> None:
  """Writes a SavedModel.

  Signatures:
    serving_default: image (n, h, w, 3) uint8, mask (n, h, w, 1) uint8 (levels from 128 on are hole, or all but 0 if
      the example's largest level is 1) -> image, (n, h, w, 3) uint8, known pixels bit for bit.
    encoded: image, mask: (n,) strings, PNG or JPEG files of one size. An image's alpha is ignored; a mask's is read if
      it varies while the colours do not. EXIF orientations are ignored -> image_bytes, PNG files.
    outputs: as serving_default -> coarse, zoomed, refined, zoomed_out, result, float32.
    The signatures fail with an InvalidArgument error that names the cause if the batch is empty, images and masks
    differ in number or size, a mask has no hole or no known pixel, or a mask's colours and alpha disagree.

  Args:
    generator: to save.
    folder: existing, empty.
    name: of the model, for people.
  Raises: OSError or tf.errors.OpError if it cannot be written.
  """
  exported = _Exported(generator)
  tf.saved_model.save(
    exported, folder, signatures={FILL: exported.fill, ENCODED: exported.encoded, OUTPUTS: exported.outputs}
  )
  path = os.path.join(folder, DESCRIPTION_FILE)
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "w", encoding="utf-8") as file:
    description = {
      **architecture.describe(generator.model_config, generator.max_thickness_px),
      "name": name,
      "precision": generator.precision,
      "z2i_tf": __version__,
      "tensorflow": tf.__version__,
    }
    json.dump(description, file, indent=2, sort_keys=True)


def warmup_requests(image: np.ndarray, mask: np.ndarray) -> list[tuple[str, dict[str, np.ndarray]]]:
  """Returns a warm-up request for each signature that clients use: arrays of one image, and the same as files.

  Args:
    image: (H, W, 3) uint8.
    mask: (H, W), 1 = hole.
  """
  arrays = {"image": image[np.newaxis], "mask": mask[np.newaxis, ..., np.newaxis].astype(np.uint8) * np.uint8(255)}
  files = {name: np.array([tf.io.encode_png(array[0]).numpy()], object) for name, array in arrays.items()}
  return [(FILL, arrays), (ENCODED, files)]


def _checked(image, mask):
  """Returns image and mask; the graph fails unless every image has a mask of its size with a hole and a known pixel."""
  with tf.control_dependencies(
    [
      tf.debugging.assert_positive(tf.shape(image)[:3], "the batch has no image, or one without pixels"),
      tf.debugging.assert_equal(
        tf.shape(image)[:3], tf.shape(mask)[:3], "image and mask must have the same number and size"
      ),
    ]
  ):
    share = tf.reduce_mean(pixel_graph.network_inputs(image, mask)[1], axis=[1, 2, 3])
  with tf.control_dependencies(
    [
      tf.debugging.assert_positive(share, "a mask is empty: there is nothing to fill; mark the hole in white"),
      tf.debugging.assert_less(share, 1.0, "a mask covers everything: no known pixel to fill from"),
    ]
  ):
    return tf.identity(image), tf.identity(mask)


def _decoded_mask(file):
  """Decodes a mask to (h, w, 1) uint8: its alpha if that varies while the colours do not, else its luma."""
  levels = tf.io.decode_image(file, expand_animations=False)
  channels = tf.shape(levels)[-1]
  has_alpha = tf.equal(channels % 2, 0)
  luma = tf.io.decode_image(file, 1, expand_animations=False)
  alpha = tf.where(has_alpha, levels[..., -1:], tf.constant(_OPAQUE, tf.uint8))

  def varies(values):
    return tf.reduce_min(values) < tf.reduce_max(values)

  def hole(values):
    return pixel_graph.network_inputs(values[tf.newaxis], values[tf.newaxis])[1]

  with tf.control_dependencies(
    [
      tf.debugging.Assert(
        ~varies(alpha) | ~varies(luma) | tf.reduce_all(tf.equal(hole(alpha), hole(luma))),
        ["a mask's colours and its transparency mark different holes; give it without alpha"],
      )
    ]
  ):
    return tf.where(varies(alpha) & ~varies(luma), alpha, luma)


def _decoded(files, decode_file, channels, name):
  """Decodes files of equal size, each to (h, w, channels) uint8: (n,) string -> (n, h, w, channels)."""
  count = tf.size(files)
  with tf.control_dependencies([tf.debugging.assert_positive(count, f"the batch has no {name}")]):
    values = tf.TensorArray(tf.uint8, count, infer_shape=False, element_shape=[None])
    shapes = tf.TensorArray(tf.int32, count, element_shape=[3])

  def decode(number, values, shapes):
    decoded = decode_file(files[number])
    return number + 1, values.write(number, tf.reshape(decoded, [-1])), shapes.write(number, tf.shape(decoded))

  _, values, shapes = tf.while_loop(lambda number, *_: number < count, decode, [0, values, shapes])
  shapes = shapes.stack()
  with tf.control_dependencies(
    [
      tf.debugging.assert_equal(
        shapes, tf.zeros_like(shapes) + shapes[:1], f"all {name}s of the batch must have one size"
      )
    ]
  ):
    return tf.reshape(values.concat(), tf.concat([[count], shapes[0, :2], [channels]], axis=0))

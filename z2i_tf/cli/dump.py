"""Draws the inside of the networks: every output, and the positions that attention copied from."""

import os

import numpy as np

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.analyses import comparison_sheet
from z2i_tf.cli.filling import Task
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.inference.generator import ATTENTION_SOURCES
from z2i_tf.inference.inpainter import Inpainter

_INPUT, _MASK, _POSITIONS, _COPIES, _SHEET = "input", "mask", "attention_positions", "attention_copies", "contact_sheet"
# Names of all files that a dump may have.
FILES = tuple(f"{name}.png" for name in (_INPUT, _MASK, *conventions.OUTPUTS, _POSITIONS, _COPIES, _SHEET))
# How much of the known pixels shows through the colours of their positions.
_PHOTO_SHARE = 0.5
_KEY_PX = 8  # A key of attention covers so many pixels, at high resolution, along a side.


def write_dump(folder: str, inpainter: Inpainter, task: Task) -> None:
  """Writes PNG files: input, mask, every output, attention, and all of them in one contact sheet.

  `attention_positions` colours every pixel by where it is, known ones through the photograph; the hole has the colours
  of where attention copied most from. `attention_copies` has these pixels themselves (white where a copied block
  reaches into the hole). A SavedModel does not tell that: its dump has no such pictures.

  Args:
    folder: existing.
    inpainter: with the model.
    task: the image; it is seen whole.
  Raises: InputError if memory does not suffice, or a file cannot be written.
  """
  image = photo_files.to_8_bits(task.photo.rgb)
  outputs = inpainter.outputs(image, task.hole)
  pictures = {
    _INPUT: comparison_sheet.paint_hole(image, task.hole),
    _MASK: np.repeat(task.hole[..., np.newaxis] * np.uint8(255), 3, axis=2),
  }
  pictures.update((name, image_ops.to_levels(outputs[name])) for name in conventions.OUTPUTS if name in outputs)
  if ATTENTION_SOURCES in outputs:
    pictures.update(
      _attention_pictures(
        pictures[_INPUT], task.hole, outputs[ATTENTION_SOURCES], pictures[conventions.ZOOMED].shape[0] // image.shape[0]
      )
    )
  for name, picture in pictures.items():
    image_files.write_rgb(os.path.join(folder, name + ".png"), picture)
  names = list(pictures)
  sheet = comparison_sheet.draw_sheet(names, [[_at_size(pictures[name], image.shape) for name in names]])
  image_files.write_rgb(os.path.join(folder, _SHEET + ".png"), sheet)


def _attention_pictures(image, hole, sources, scale) -> dict[str, np.ndarray]:
  """Pictures (H, W, 3) uint8 from the keys' numbers (h, w), -1 where nothing was copied."""
  height, width = hole.shape
  key_rows, key_columns = np.divmod(sources, sources.shape[1])
  # Of every pixel at high resolution, brought back to those of the image.
  rows, columns = np.mgrid[:height, :width] * scale
  is_copied = (sources[rows // _KEY_PX, columns // _KEY_PX] >= 0) & (hole != 0)
  from_rows, from_columns = (
    np.where(is_copied, keys[rows // _KEY_PX, columns // _KEY_PX] * _KEY_PX + place % _KEY_PX, place) // scale
    for keys, place in ((key_rows, rows), (key_columns, columns))
  )
  from_rows, from_columns = np.minimum(from_rows, height - 1), np.minimum(from_columns, width - 1)
  positions = np.stack([from_rows / height, from_columns / width, np.full(hole.shape, 0.5)], axis=-1)
  through = _PHOTO_SHARE * image / 255.0 + (1.0 - _PHOTO_SHARE) * positions
  return {
    _POSITIONS: image_ops.to_levels(np.where(hole[..., np.newaxis] != 0, positions, through)),
    _COPIES: np.where(is_copied[..., np.newaxis], image[from_rows, from_columns], image),
  }


def _at_size(picture, shape):
  """A picture of an output at high resolution, as every n-th pixel."""
  return picture[:: picture.shape[0] // shape[0], :: picture.shape[1] // shape[1]]

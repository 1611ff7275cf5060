"""A photograph to inpaint: reads it with its mask, writes it with its hole filled."""

import dataclasses
import os

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.inference import pairs
from z2i_tf.inference.pairs import MaskOptions
from z2i_tf.inference.pieces import check_hole


@dataclasses.dataclass(frozen=True)
class PhotoTask:
  """A photograph and the hole to fill.

  Attributes:
    name: path of the image.
    photo: as read.
    hole: (H, W) uint8, 1 = hole: the dilated mask.
    weights: (H, W) float32 in [0, 1], weight of the fill; None: `hole` itself.
    mask_text: description of how the mask was read.
    becomes_opaque: whether the hole was transparent, so that its fill becomes opaque.
  """

  name: str
  photo: photo_files.Photo
  hole: np.ndarray
  weights: np.ndarray | None
  mask_text: str
  becomes_opaque: bool = False


def read(image_path: str, mask_path: str, options: MaskOptions) -> PhotoTask:
  """Reads an image and its mask; raises InputError naming the files."""
  photo, mask, text = pairs.read_pair(image_path, mask_path, options)
  hole = mask_files.dilate(mask, options.dilate_px)
  if options.dilate_px:
    text += f"; {mask_files.describe(hole)} after it grew by {options.dilate_px} pixels"
  try:
    check_hole(hole)
  except InputError as error:
    raise InputError(f"{mask_path}, grown by `dilate`={options.dilate_px}: {error}") from error
  weights = mask_files.feather_weights(mask, hole, options.feather_px) if options.feather_px else None
  return PhotoTask(
    image_path,
    photo,
    hole,
    weights,
    text,
    mask_files.was_erased(photo.alpha, mask, _is_own_mask(image_path, mask_path, options.reading)),
  )


def _is_own_mask(image_path, mask_path, reading):
  return reading.is_of_erasure and os.path.realpath(image_path) == os.path.realpath(mask_path)


def write(path: str, task: PhotoTask, filled: np.ndarray) -> str:
  """Writes a photograph with its hole filled.

  Args:
    path: to write.
    task: the photograph.
    filled: (H, W, 3) of the photograph's type.
  Returns: a remark on the written file, or "".
  Raises: InputError if the file cannot be written.
  """
  if task.weights is not None:
    filled = mask_files.feathered(filled, task.photo.rgb, task.weights)
  if not task.becomes_opaque or task.photo.alpha is None:
    return photo_files.write_photo(path, dataclasses.replace(task.photo, rgb=filled))
  alpha = mask_files.made_opaque(task.photo.alpha, task.hole)
  remark = photo_files.write_photo(path, dataclasses.replace(task.photo, rgb=filled, alpha=alpha))
  return "; ".join(filter(None, [remark, mask_files.NOW_OPAQUE]))

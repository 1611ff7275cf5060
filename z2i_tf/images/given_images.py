"""Accepts images and masks of any Python type, and returns results of the same type.

Accepted are paths, PIL images and arrays: (H, W), (H, W, 1), (H, W, 3) and, with alpha, (H, W, 2) and (H, W, 4), as
uint8, uint16, or floats in [0, 1].
"""

from collections.abc import Callable
import dataclasses
import os
from typing import Any

import numpy as np
from PIL import Image

from z2i_tf.errors import InputError
from z2i_tf.errors import one_line
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.images.formats import codecs
from z2i_tf.images.formats import pixels
from z2i_tf.images.mask_files import MaskReading

AnyImage = str | os.PathLike | Image.Image | np.ndarray

_DEEP_LEVELS = 65535
# Floats may exceed [0, 1] by this much, because resizing and colour conversion round.
_FLOAT_TOLERANCE = 1e-3
_PIL_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "F", *codecs.SIXTEEN_BIT_GRAY_MODES)
_PIL_KEPT_MODES = ("L", "LA", "RGB", "RGBA", "F", *codecs.SIXTEEN_BIT_GRAY_MODES)


@dataclasses.dataclass(frozen=True, eq=False)
class InputImage:
  """An image that a caller passed.

  Attributes:
    photo: its pixels.
    to_input_type: takes the filled image, (H, W, 3) of `photo.rgb`'s type, the hole, (H, W) bool, and `is_own_mask` as
      of `mask_files.was_erased`; returns the result in the caller's type.
  """

  photo: photo_files.Photo
  to_input_type: Callable[[np.ndarray, np.ndarray, bool], Image.Image | np.ndarray]


def read_image(image: AnyImage, name: str, max_pixels: int | None = None) -> InputImage:
  """Reads an image of any type; clips floats to [0, 1] and reads NaN as 0, because callers may mark holes with them.

  Args:
    image: a path, a PIL image or an array.
    name: the image's name in errors.
    max_pixels: as for `photo_files.read_photo`; for files only.

  Raises:
    InputError: the image cannot be read, or has an unsupported shape, type or mode.
  """
  if isinstance(image, (str, os.PathLike)):
    photo = photo_files.read_photo(os.fspath(image), max_pixels)
    return InputImage(photo, lambda *filled: _channels(photo, *filled))
  if isinstance(image, Image.Image):
    return _pil_image(image, name)
  array = _as_array(image, name)
  photo = _photo(array, name)
  return InputImage(photo, lambda filled, hole, is_own_mask: _as_given(array, photo, filled, hole, is_own_mask))


def read_hole(
  mask: AnyImage, image: InputImage, reading: MaskReading, name: str, max_pixels: int | None = None
) -> np.ndarray:
  """Reads a mask of any type.

  Args:
    mask: a path, a PIL image or an array. In an array (H, W) or (H, W, 1) of bool, or of 0 and one other value,
      everything but 0 counts as white. Everything else is read like a mask file.
    image: the image that the mask belongs to. A mask that fits only the stored picture is turned like the picture.
    reading: options for reading the mask.
    name: the mask's name in errors.
    max_pixels: as for `read_image`.

  Returns:
    (H, W) bool, True = hole. All or none of the pixels may be hole.

  Raises:
    InputError: the mask cannot be read, is ambiguous, or differs from the image in size.
  """
  if isinstance(mask, (str, os.PathLike)):
    photo, name = photo_files.read_photo(os.fspath(mask), max_pixels), os.fspath(mask)
  elif isinstance(mask, Image.Image):
    photo = _pil_image(mask, name).photo
  else:
    levels = _as_array(mask, name)
    if levels.ndim == 3 and levels.shape[2] == 1:
      levels = levels[..., 0]
    if levels.ndim == 2 and (levels.dtype == bool or levels.size and np.isin(levels, (0, levels.max())).all()):
      if reading == MaskReading():
        return mask_files.match_to_photo(levels != 0, image.photo)
      levels = (levels != 0).astype(np.uint8) * np.uint8(255)
    elif levels.dtype == bool:
      levels = levels.astype(np.uint8) * np.uint8(255)
    elif levels.dtype.kind == "f":
      _check_floats(levels, name)
    photo = _photo(levels, name)
  hole = mask_files.mask_of(photo, name, reading).hole
  return mask_files.match_to_photo(hole, image.photo) != 0


def check_known_floats(image: AnyImage, hole: np.ndarray, name: str) -> None:
  """Raises InputError if a float image has values outside [0, 1], or NaN, where the hole, (H, W) bool, is False."""
  if isinstance(image, Image.Image) and image.mode != "F" or isinstance(image, (str, os.PathLike)):
    return
  array = np.asarray(image)
  if array.dtype.kind == "f":
    _check_floats(array[~hole], name)


def _check_floats(values: np.ndarray, name: str) -> None:
  if not values.size:
    return
  least, greatest = values.min(), values.max()  # Both are NaN if any value is.
  if not (least >= -_FLOAT_TOLERANCE and greatest <= 1.0 + _FLOAT_TOLERANCE):
    raise InputError(
      f"{name}: floats must be in [0, 1], and are from {least:g} to {greatest:g}; scale them, or give uint8 or uint16"
    )


def _as_array(values: Any, name: str) -> np.ndarray:
  try:
    return np.asarray(values)
  except (ValueError, TypeError, RuntimeError) as error:  # Ragged lists; tensors of other libraries on a GPU.
    raise InputError(f"{name}: not an array, a PIL image or a path ({one_line(error)})") from error


def _photo(array: np.ndarray, name: str) -> photo_files.Photo:
  """Returns the pixels of an array; converts floats to 16 bits."""
  if array.dtype.kind == "f":
    levels = np.clip(np.nan_to_num(array, posinf=1.0, neginf=0.0), 0.0, 1.0)
    levels = np.rint(levels.astype(np.float64) * _DEEP_LEVELS).astype(np.uint16)
  else:
    levels = array
  if (
    levels.dtype not in (np.uint8, np.uint16)
    or not levels.size
    or not (levels.ndim == 2 or levels.ndim == 3 and levels.shape[2] in (1, 2, 3, 4))
  ):
    raise InputError(
      f"{name}: must be a path, a PIL image, or an array (H, W), or (H, W, C) with 1 to 4 channels, of "
      f"uint8, uint16, or floats in [0, 1], not {array.shape} {array.dtype}"
    )
  if levels.ndim == 2:
    levels = levels[..., np.newaxis]
  is_gray, has_alpha = levels.shape[2] < 3, levels.shape[2] in (2, 4)
  rgb = np.repeat(levels[..., :1], 3, axis=2) if is_gray else levels[..., :3]
  return photo_files.Photo(rgb, levels[..., -1] if has_alpha else None, is_gray)


def _pil_image(image: Image.Image, name: str) -> InputImage:
  if image.mode not in _PIL_MODES:
    raise InputError(f"{name}: a PIL image of mode {image.mode}; convert it to RGB")
  info: dict[Any, Any] = dict(image.info)
  try:
    converted = _in_kept_mode(image, info)
    array = np.asarray(converted)
  except (OSError, ValueError, SyntaxError) as error:
    raise InputError(f"{name}: a PIL image that cannot be decoded: {error}") from error
  if converted.mode in codecs.SIXTEEN_BIT_GRAY_MODES:
    if array.size and (array.min() < 0 or array.max() > _DEEP_LEVELS):
      raise InputError(f"{name}: a PIL image of mode {image.mode} with levels beyond 16 bits; scale them")
    array = array.astype(np.uint16)
  photo = _photo(array, name)

  def to_input_type(filled: np.ndarray, hole: np.ndarray, is_own_mask: bool) -> Image.Image:
    levels = _as_given(array, photo, filled, hole, is_own_mask)
    if converted.mode in codecs.SIXTEEN_BIT_GRAY_MODES:  # Pillow converts between these modes only by way of 32 bits.
      result = Image.fromarray(levels.astype(np.int32)).convert(converted.mode)
    else:
      result = Image.fromarray(levels)
    result.info = info
    return result

  return InputImage(photo, to_input_type)


def _in_kept_mode(image: Image.Image, info: dict[Any, Any]) -> Image.Image:
  """Converts a PIL image to a mode in which the result can be returned; updates `info` to match."""
  if image.mode in _PIL_KEPT_MODES and (image.mode not in ("L", "RGB") or "transparency" not in info):
    return image
  info.pop("transparency", None)
  if image.mode == "CMYK":
    converted, is_srgb = pixels.cmyk_to_rgb(image, [])
    if info.pop("icc_profile", None) and is_srgb:
      info["icc_profile"] = pixels.srgb_profile()
    return converted
  if image.mode in ("1", "L"):
    return image.convert("LA" if image.has_transparency_data else "L")
  return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _channels(photo: photo_files.Photo, filled: np.ndarray, hole: np.ndarray, is_own_mask: bool) -> np.ndarray:
  """Returns the filled image with the channels of its photograph: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
  colours = photo_files.to_gray(filled)[..., np.newaxis] if photo.is_gray else filled
  if photo.alpha is None:
    return colours[..., 0] if photo.is_gray else colours
  alpha = photo.alpha
  if mask_files.was_erased(photo.alpha, hole, is_own_mask):
    alpha = mask_files.made_opaque(alpha, hole)
  return np.concatenate([colours, alpha[..., np.newaxis]], axis=2)


def _as_given(
  array: np.ndarray, photo: photo_files.Photo, filled: np.ndarray, hole: np.ndarray, is_own_mask: bool
) -> np.ndarray:
  """Returns the filled image in the array's shape and type; known pixels equal the array's, bit for bit."""
  channels = _channels(photo, filled, hole, is_own_mask).reshape(array.shape)
  if array.dtype.kind != "f":
    return channels
  hole = hole if array.ndim == 2 else hole[..., np.newaxis]
  return np.where(hole, (channels / _DEEP_LEVELS).astype(array.dtype), array)

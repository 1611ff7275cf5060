"""Makes previews of photographs for the page: 8 bits, smaller by a whole factor.

A pixel of a preview is the mean of a square of the photograph's pixels. Squares are counted from the top left corner. A
part that is aligned to these squares can be sent alone and pasted into the preview.
"""

import io
import math

import cv2
import numpy as np
from PIL import Image

from z2i_tf.images import photo_files

MAX_PIXELS = 2**22
_MAX_SIDE = 2**14  # Safari's canvases end there.
_JPEG_QUALITY = 92
_FASTEST_COMPRESSION = 1  # Of PNG.
_MAX_PROFILE_BYTES = 2**16


def factor(size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> int:
  """Returns the smallest whole factor for at most `max_pixels` pixels and sides of at most 16,384.

  Args:
    size: height and width.
    max_pixels: before sides round up.
  """
  return max(1, math.ceil(math.sqrt(size[0] * size[1] / max_pixels)), math.ceil(max(size) / _MAX_SIDE))


def aligned(box: tuple[slice, slice], step: int, size: tuple[int, int]) -> tuple[slice, slice]:
  """Grows a box to whole squares of `step` pixels, but not beyond the picture."""
  rows, columns = (
    slice(part.start // step * step, min(length, -(-part.stop // step) * step)) for part, length in zip(box, size)
  )
  return rows, columns


def shrunk(levels: np.ndarray, step: int) -> np.ndarray:
  """Averages squares of `step` x `step` pixels: (H, W, ...) uint8 or uint16 becomes uint8, with sides rounded up."""
  levels = photo_files.to_8_bits(levels)
  if step == 1:
    return levels
  height, width = (-(-length // step) for length in levels.shape[:2])
  levels = cv2.copyMakeBorder(
    levels, 0, height * step - levels.shape[0], 0, width * step - levels.shape[1], cv2.BORDER_REPLICATE
  )
  return cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA)


def encode(rgb: np.ndarray, alpha: np.ndarray | None, icc_profile: bytes | None, exact: bool) -> tuple[bytes, str]:
  """Encodes a picture for the page.

  Args:
    rgb: (H, W, 3) uint8.
    alpha: (H, W) uint8 or None.
    icc_profile: the photograph's colour profile, or None.
    exact: whether to encode without loss, as PNG.
  Returns: the file's bytes and its media type.
  """
  options = {}
  if icc_profile and icc_profile[16:20] == b"RGB " and len(icc_profile) <= _MAX_PROFILE_BYTES:
    options["icc_profile"] = icc_profile
  buffer = io.BytesIO()
  if alpha is not None or exact:
    picture = rgb if alpha is None else np.dstack([rgb, alpha])
    Image.fromarray(picture).save(buffer, "PNG", compress_level=_FASTEST_COMPRESSION, **options)
    return buffer.getvalue(), "image/png"
  Image.fromarray(rgb).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **options)
  return buffer.getvalue(), "image/jpeg"

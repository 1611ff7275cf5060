"""Pictures to cut crops from: whole in memory, or in tiles that a crop decodes on demand.

Tiles, our own addition, make crops of large images cheap: a 512x512 crop of a 2040x1356 image touches at most 25 of
its 176 tiles. They are lossless WebP files, which are smaller than PNG and decode faster.
"""

from collections.abc import Sequence
import io
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from z2i_tf.errors import InputError

# Least effort: ten times faster than OpenCV's default, and hardly larger.
_LOSSLESS_FAST = {"lossless": True, "quality": 0, "method": 0, "exact": True}


class Picture(Protocol):
  """An upright RGB image.

  Attributes:
    shape: height and width, pixels.
  """

  shape: tuple[int, int]

  def crop(self, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Returns a part that lies within the picture, (height, width, 3) uint8."""


class DecodedPicture:
  """A picture in memory."""

  def __init__(self, rgb: np.ndarray):
    """Takes (H, W, 3) uint8."""
    self.shape: tuple[int, int] = (rgb.shape[0], rgb.shape[1])
    self._rgb = rgb

  def crop(self, top: int, left: int, height: int, width: int) -> np.ndarray:
    return self._rgb[top : top + height, left : left + width]


class TiledPicture:
  """A picture in encoded tiles, row by row; decodes each at most once."""

  def __init__(self, name: str, shape: tuple[int, int], tile_size: int, tiles: Sequence[bytes]):
    """Stores the tiles.

    Args:
      name: of the image, for errors.
      shape: (H, W) of the image, pixels.
      tile_size: side of a tile, pixels.
      tiles: of `encode_tiles`.
    Raises: InputError if the number of tiles does not fit the shape.
    """
    self.shape = shape
    self._name, self._tile_size, self._tiles = name, tile_size, tiles
    self._columns = -(-shape[1] // tile_size)
    self._decoded: dict[int, np.ndarray] = {}
    if self._columns * -(-shape[0] // tile_size) != len(tiles):
      raise InputError(f"{name}: damaged: {len(tiles)} tiles of {tile_size} do not make {shape[0]}x{shape[1]} pixels")

  def crop(self, top: int, left: int, height: int, width: int) -> np.ndarray:
    """As `Picture.crop`; raises InputError if a tile is damaged."""
    size = self._tile_size
    first_row, first_column = top // size, left // size
    rows = [
      np.concatenate([self._tile(row, column) for column in range(first_column, -(-(left + width) // size))], axis=1)
      for row in range(first_row, -(-(top + height) // size))
    ]
    top, left = top - first_row * size, left - first_column * size
    return np.concatenate(rows)[top : top + height, left : left + width]

  def _tile(self, row, column):
    index = row * self._columns + column
    if index not in self._decoded:
      size = self._tile_size
      expected = (min(size, self.shape[0] - row * size), min(size, self.shape[1] - column * size), 3)
      encoded = self._tiles[index]
      try:
        tile = (
          cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
          if (_webp_size(encoded) == expected[:2])
          else None
        )
      except cv2.error:
        tile = None
      if tile is None or tile.shape != expected:
        raise InputError(f"{self._name}: damaged: its tile {index} cannot be read")
      self._decoded[index] = tile[..., ::-1]  # OpenCV's order is BGR.
    return self._decoded[index]


def encode_tiles(rgb: np.ndarray, tile_size: int) -> list[bytes]:
  """Cuts an (H, W, 3) uint8 image into tiles, row by row, each a lossless WebP file.

  The last tiles of rows and columns are smaller if the sides are not multiples of `tile_size`.
  """
  return [
    _encode(rgb[top : top + tile_size, left : left + tile_size])
    for top in range(0, rgb.shape[0], tile_size)
    for left in range(0, rgb.shape[1], tile_size)
  ]


def _webp_size(encoded):
  """Returns the height and width that a lossless WebP file declares; None for any other file."""
  if encoded[:4] != b"RIFF" or encoded[8:16] != b"WEBPVP8L" or encoded[20:21] != b"\x2f":
    return None
  bits = int.from_bytes(encoded[21:25], "little")  # Width and height, less one, of 14 bits each.
  return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1


def _encode(tile):
  file = io.BytesIO()
  Image.fromarray(tile).save(file, format="WEBP", **_LOSSLESS_FAST)
  return file.getvalue()

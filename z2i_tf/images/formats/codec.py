"""Defines the interface of a file format's codec."""

from collections.abc import Callable
import dataclasses
import io
from typing import Any

import numpy as np
from PIL import Image

from z2i_tf.images.formats.metadata import Metadata


@dataclasses.dataclass(frozen=True)
class Codec:
  """Reads and writes one file format.

  Pillow decodes the pixels; these functions read and write all else.

  Attributes:
    name: of the format, in remarks to the user.
    pillow_names: Pillow's names of images in such files; the first one opens them.
    extensions: of the files, in lower case; the first one is the usual one.
    is_start: takes the first bytes of a file (at least 256, if it has that many) and returns whether the file is of
      this format.
    is_available: returns whether the library that reads the format is installed.
    prepare: takes a file and returns it without metadata that would keep intact pixels from being read, and remarks.
    check: takes an image that is not decoded and its file (None if only the header was read); raises ValueError or
      InputError if decoding would take far more memory or time than an image of its size needs.
    bits_per_sample: takes an image and its file; returns the bits per channel that the file holds.
    read_exif: takes an image and its file; returns EXIF, or None.
    read_own: takes an image, its file, and whether the pixels get turned by 90 degrees; returns the `Metadata`
      attributes that only this format has, and remarks on what they do not hold.
    encode: takes pixels (H, W, C) and metadata; returns the file and remarks; raises ValueError or OSError if the image
      is too large for the format. None if the format is only read.
    channels: the numbers of channels C that `encode` takes: 1 is gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
    holds_16_bits: whether `encode` takes uint16 besides uint8.
    keeps: the `Metadata` attributes that `encode` writes.
  """

  name: str
  pillow_names: tuple[str, ...]
  extensions: tuple[str, ...]
  is_start: Callable[[bytes], bool]
  is_available: Callable[[], bool] = lambda: True
  prepare: Callable[[bytes], tuple[bytes, list[str]]] = lambda encoded: (encoded, [])
  check: Callable[[Image.Image, bytes | None], None] = lambda image, encoded: None
  bits_per_sample: Callable[[Image.Image, bytes], int] = lambda image, encoded: 8
  read_exif: Callable[[Image.Image, bytes], Any] = lambda image, encoded: image.info.get("exif")
  read_own: Callable[[Image.Image, bytes, bool], tuple[dict[str, Any], list[str]]] = lambda *_: ({}, [])
  encode: Callable[[np.ndarray, Metadata], tuple[bytes, list[str]]] | None = None
  channels: tuple[int, ...] = ()
  holds_16_bits: bool = False
  keeps: tuple[str, ...] = ()


def starts_with(*starts: bytes) -> Callable[[bytes], bool]:
  """Returns a function that tells whether a file begins with one of the given bytes."""
  return lambda start: start.startswith(starts)


def as_pillow(pixels: np.ndarray) -> Image.Image:
  """Returns uint8 pixels, (H, W, 1), (H, W, 3) or (H, W, 4), as an image of Pillow."""
  return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def saved(image: Image.Image, pillow_name: str, **options: Any) -> bytes:
  """Returns the file in which Pillow saves an image."""
  file = io.BytesIO()
  image.save(file, format=pillow_name, **options)
  return file.getvalue()

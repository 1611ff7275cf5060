"""Checks every image of a data set: damage, size, pixel format, orientation."""

import collections
from collections import Counter
from collections.abc import Callable
import dataclasses

from z2i_tf.datasets.sources import check_size
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.datasets.sources import unused_range
from z2i_tf.errors import InputError
from z2i_tf.system.parallel import map_in_order


@dataclasses.dataclass
class Survey:
  """Findings about a data set.

  Attributes:
    images: number of images checked.
    usable: number of images that are undamaged and large enough.
    modes: pixel format (see `image_files.Header.mode`) -> number of readable images.
    turned: number of readable images with an EXIF orientation.
    sizes: (height, width) in pixels -> number of readable images.
    bad: name and error of each unreadable image.
    too_small: name, and (height, width) in pixels, of each image smaller than the crop.
    dark: a warning for each image that uses a small part of its 16 bits.
  """

  images: int = 0
  usable: int = 0
  modes: Counter[str] = dataclasses.field(default_factory=collections.Counter)
  turned: int = 0
  sizes: Counter[tuple[int, int]] = dataclasses.field(default_factory=collections.Counter)
  bad: list[tuple[str, str]] = dataclasses.field(default_factory=list)
  too_small: list[tuple[str, tuple[int, int]]] = dataclasses.field(default_factory=list)
  dark: list[str] = dataclasses.field(default_factory=list)


def survey(source: ImageSource, side: int, decode: bool, advance: Callable[[], None]) -> Survey:
  """Checks every image, on all cores.

  Args:
    source: of the images.
    side: of the crop, pixels.
    decode: whether to decode all pixels, which finds damaged files; otherwise reads headers only.
    advance: called once per image.
  """

  def look(index):
    try:
      header = source.header(index, decode)
      return header, None, unused_range(source, index, header) if decode else ""
    except InputError as error:
      return None, str(error), ""

  found = Survey()
  for index, (header, wrong, warning) in enumerate(map_in_order(look, range(len(source)))):
    advance()
    found.images += 1
    if wrong is not None:
      name = source.name(index)
      found.bad.append((name, wrong[len(name) + 2 :] if wrong.startswith(f"{name}: ") else wrong))
      continue
    found.modes[header.mode] += 1
    found.sizes[header.height, header.width] += 1
    found.dark += [warning] if warning else []
    found.turned += header.is_turned
    try:
      check_size(source.name(index), (header.height, header.width), side)
      found.usable += 1
    except InputError:
      found.too_small.append((source.name(index), (header.height, header.width)))
  return found

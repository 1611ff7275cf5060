"""Pairs image files with mask files by name; reads and checks pairs."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import os
import re
from typing import TypeVar
import unicodedata

import numpy as np

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.images.mask_files import MaskReading
from z2i_tf.inference.pieces import check_hole

_Name = TypeVar("_Name")
# Names of masks: NAME_mask, NAME_mask001, NAME-mask.
_MASK_SUFFIX = re.compile(r"[-_ .]mask[-_ ]?[0-9]*$", re.IGNORECASE)
_EXTENSION_OF_READ_ONLY_FORMATS = ".png"  # Of their results.


@dataclasses.dataclass(frozen=True)
class MaskOptions:
  """How to read and use the masks of photographs.

  Attributes:
    reading: how to read a mask's file.
    max_pixels: maximum size of an image or mask file; None for Pillow's limit.
    dilate_px: growth of the hole, pixels.
    feather_px: width over which the fill fades in at the edge of the grown hole, pixels; at most `dilate_px`.
  Raises: InputError if `feather_px` exceeds `dilate_px`.
  """

  reading: MaskReading = MaskReading()
  max_pixels: int | None = None
  dilate_px: int = 0
  feather_px: int = 0

  def __post_init__(self):
    if self.feather_px > self.dilate_px:
      raise InputError(
        f"`feather`={self.feather_px} with `dilate`={self.dilate_px}: only the pixels that `dilate` adds can blend; "
        "give a `feather` of at most `dilate`"
      )


def read_pair(
  image_path: str, mask_path: str, mask_options: MaskOptions = MaskOptions()
) -> tuple[photo_files.Photo, np.ndarray, str]:
  """Reads an image and its mask, after comparing the sizes in their headers.

  Returns: the image; its mask as (H, W) uint8, 1 = hole, not dilated; a description of how the mask was read.
  Raises: InputError naming the files.
  """
  sizes = [photo_files.read_size(path, mask_options.max_pixels) for path in (image_path, mask_path)]
  if sizes[1] not in (sizes[0], sizes[0][::-1]):
    raise InputError(f"{image_path} with {mask_path}: {mask_files.different_sizes(*sizes)}")
  photo = photo_files.read_photo(image_path, mask_options.max_pixels)
  mask, text = mask_files.read_mask(mask_path, mask_options.reading, mask_options.max_pixels)
  try:
    mask = mask_files.match_to_photo(mask, photo)
    check_hole(mask)
  except InputError as error:
    raise InputError(f"{image_path} with {mask_path}: {error}") from error
  return photo, mask, text


def check_is_apart(output_dir: str, *folders: str | None) -> None:
  """Raises InputError if `output_dir` is one of the input folders; a folder may be None."""
  for folder in filter(None, folders):
    if os.path.realpath(folder) == os.path.realpath(output_dir):
      raise InputError(f"`output_dir`={output_dir}: the results would overwrite the input; give another folder")


class Pairs:
  """Images, each with a mask: the mask of the same name, or one mask for all.

  A mask is named as its image, or with a suffix: `mask_suffix`, or "_mask" with or without a number.

  Attributes:
    images: paths.
    mask: path of the one mask for all images, or None.
  """

  def __init__(
    self,
    images: Sequence[str],
    masks: Sequence[str],
    mask_dir: str | None,
    output_dir: str | None,
    mask: str | None = None,
    result_extension: str | None = ".png",
    mask_suffix: str | None = None,
  ):
    """Groups the paths by name; reads no file.

    Args:
      images: paths of the images.
      masks: paths of their masks.
      mask_dir: where the masks are, for messages; None with `mask`.
      output_dir: folder for the results; None without results.
      mask: file of one mask for all images.
      result_extension: of the results; None for the extension of the image, or ".png" for formats that are only read.
      mask_suffix: suffix of a mask's name after its image's; None: no suffix, or "_mask" with or without a number.
    """
    self.images = images
    self.mask = mask
    self._mask_dir, self._output_dir = mask_dir, output_dir
    self._result_extension, self._mask_suffix = result_extension, mask_suffix
    self._masks_called = by_name(masks, image_files.stem)
    self._masks_of = by_name(masks, lambda path: image_of(path, mask_suffix))
    self._images_with = by_name(images, self._key)

  def result_path(self, image_path: str) -> str:
    """Returns the path for the result of one of `images`."""
    return os.path.join(self._output_dir or "", self._result_name(image_path))

  def mask_path(self, image_path: str) -> str:
    """Returns the mask of one of `images`; raises InputError unless it has exactly one, and a unique result."""
    name = image_files.stem(image_path)
    if len(self._images_with[self._key(image_path)]) > 1:
      raise InputError(f"{image_path}: several images are called {name}; their results would overwrite each other")
    if self.mask:
      return self.mask
    matches = (self._masks_called.get(name) if self._mask_suffix is None else None) or self._masks_of.get(name, [])
    if len(matches) != 1:
      raise InputError(
        f"{image_path}: {len(matches) or 'no'} masks called {name}{self._mask_suffix or ''} in "
        f"{self._mask_dir}; one is needed"
      )
    return matches[0]

  def read(
    self, image_path: str, mask_options: MaskOptions = MaskOptions()
  ) -> tuple[photo_files.Photo, np.ndarray, str]:
    """Reads one of `images` and its mask, as `read_pair`."""
    return read_pair(image_path, self.mask_path(image_path), mask_options)

  def _result_name(self, image_path):
    if self._result_extension is None:
      extension = os.path.splitext(image_path)[1]
      return (
        os.path.basename(image_path)
        if photo_files.can_be_written(image_path)
        else (os.path.basename(image_path)[: -len(extension)] + _EXTENSION_OF_READ_ONLY_FORMATS)
      )
    return os.path.splitext(os.path.basename(image_path))[0] + self._result_extension

  def _key(self, image_path):
    """Returns the name of the result in one spelling of Unicode: two images must not share it."""
    return unicodedata.normalize("NFC", self._result_name(image_path))


class FolderPairs(Pairs):
  """Images of a folder with masks of another folder, or of the same one, where masks need the suffix.

  Attributes:
    left_out: lines about files that are not images.
  """

  def __init__(
    self,
    image_dir: str,
    mask_dir: str | None,
    output_dir: str | None,
    mask: str | None = None,
    result_extension: str | None = ".png",
    mask_suffix: str | None = None,
    are_own_masks: bool = False,
  ):
    """Lists the folders.

    Args:
      image_dir: folder of the images.
      mask_dir: folder of their masks; None with `mask`.
      output_dir, result_extension, mask_suffix: as in `Pairs`.
      mask: file of one mask for all images; it is no image, even in `image_dir`.
      are_own_masks: whether images contain their own masks (transparency) if both folders are the same.
    Raises: InputError if a folder has no images, the one mask is missing, results would overwrite images or masks, or
      images and masks in one folder have the same kind of names.
    """
    images = image_files.list_images(image_dir)
    self.left_out = list(filter(None, [image_files.left_out(image_dir)]))
    masks = image_files.list_images(mask_dir) if mask_dir and not mask else []
    if mask_dir and not mask and os.path.realpath(mask_dir) == os.path.realpath(image_dir):
      names = set(map(image_files.stem, images))
      masks = [path for path in images if mask_suffix != "" and image_of(path, mask_suffix) in names]
      if masks or not are_own_masks:
        images = [path for path in images if path not in set(masks)]
        if not masks or not images:
          raise InputError(
            f"{image_dir}: images and masks in one folder, and no mask is named as its image followed by "
            f"{mask_suffix or '_mask'}; rename them, give `mask_suffix`, or another `mask_dir`"
          )
      else:
        masks = images
    if mask:
      if not os.path.isfile(mask):
        raise InputError(f"{mask}: no such file")
      images = [path for path in images if os.path.realpath(path) != os.path.realpath(mask)]
      if not images:
        raise InputError(f"{image_dir}: no images in it but the mask")
    super().__init__(images, masks, mask_dir, output_dir, mask, result_extension, mask_suffix)
    if output_dir is not None:
      check_is_apart(output_dir, image_dir, mask_dir)
    if mask and os.path.realpath(mask) in (os.path.realpath(self.result_path(path)) for path in images):
      raise InputError(f"`output_dir`={output_dir}: a result would overwrite `mask`={mask}; give another folder")


def image_of(mask_path: str, mask_suffix: str | None) -> str | None:
  """Returns the image's name for a mask's name with a suffix (see `Pairs`); None without a suffix."""
  name = image_files.stem(mask_path)
  if mask_suffix is not None:
    return name[: len(name) - len(mask_suffix)] if name.endswith(mask_suffix) else None
  shorter = _MASK_SUFFIX.sub("", name)
  return shorter if shorter and shorter != name else None


def by_name(paths: Iterable[str], name_of: Callable[[str], _Name]) -> dict[_Name, list[str]]:
  """Groups paths by name."""
  grouped: dict[_Name, list[str]] = {}
  for path in paths:
    grouped.setdefault(name_of(path), []).append(path)
  return grouped

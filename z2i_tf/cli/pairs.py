"""Images and their masks as files: read, checked, paired by name."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import os
import re
import sys
import unicodedata

import numpy as np

from z2i_tf.cli.flags.flag_groups import MaskReading
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.inference.pieces import check_hole

stem = image_files.stem
# What masks are called beside their images: NAME_mask, NAME_mask001, NAME-mask.
_MASK_SUFFIX = re.compile(r"[-_ .]mask[-_ ]?[0-9]*$", re.IGNORECASE)


def read_pair(
  image_path: str, mask_path: str, mask_options: MaskReading = MaskReading()
) -> tuple[photo_files.Photo, np.ndarray, str]:
  """Reads an image and its mask, after comparing the sizes that their headers declare.

  Returns: the image; its mask as (H, W) uint8, 1 = hole, not yet dilated; what the mask was read as, for the user.
  Raises: InputError naming the files.
  """
  sizes = [photo_files.read_size(path, mask_options.max_pixels) for path in (image_path, mask_path)]
  if sizes[1] not in (sizes[0], sizes[0][::-1]):
    raise InputError(f"{image_path} with {mask_path}: {mask_files.different_sizes(*sizes)}")
  photo = photo_files.read_photo(image_path, mask_options.max_pixels)
  mask, text = mask_files.read_mask(
    mask_path, mask_options.invert, mask_options.mask_from, mask_options.max_pixels, mask_options.threshold
  )
  try:
    mask = mask_files.match_to_photo(mask, photo)
    check_hole(mask)
  except InputError as error:
    raise InputError(f"{image_path} with {mask_path}: {error}") from error
  return photo, mask, text


def check_is_apart(output_dir: str, *folders: str | None) -> None:
  """Raises InputError if --output_dir is one of the folders that images and masks are read from; None is none."""
  for folder in filter(None, folders):
    if os.path.realpath(folder) == os.path.realpath(output_dir):
      raise InputError(
        f"--output_dir={output_dir}: the results would overwrite what is there; give a folder of their own"
      )


_EXTENSION_OF_READ_ONLY_FORMATS = ".png"


class FolderPairs:
  """The images of a folder, each with its mask: the one of its name in another folder, or one for all.

  A mask has the name of its image, or that with a suffix: `mask_suffix`, or "_mask" with or without a number. In one
  folder with the images it needs the suffix.
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
      output_dir: folder for the results; None if there are none to be written.
      mask: file of the one mask for all; should it lie in `image_dir`, it is none of the images.
      result_extension: of every result's file; None: that of its image, ".png" where that format is only read.
      mask_suffix: what a mask's name has after that of its image; None: nothing, or as above.
      are_own_masks: whether images are their own masks (by their transparency) where the folders are the same.
    Raises: InputError if a folder has no images, the one mask cannot be read, the results would overwrite images
      or masks, or images and masks in one folder cannot be told apart.
    """
    self._mask_dir, self._mask, self._output_dir = mask_dir, mask, output_dir
    self._result_extension = result_extension
    self._mask_suffix = mask_suffix
    self.images = image_files.list_images(image_dir)
    self.left_out = list(filter(None, [image_files.left_out(image_dir)]))
    masks = [] if mask else image_files.list_images(mask_dir)
    if not mask and os.path.realpath(mask_dir) == os.path.realpath(image_dir):
      names = set(map(stem, self.images))
      masks = [path for path in self.images if self._image_of(path) in names]
      if masks or not are_own_masks:
        self.images = [path for path in self.images if path not in set(masks)]
        if not masks or not self.images:
          raise InputError(
            f"{image_dir}: images and masks in one folder, and no mask called as its image with "
            f"{mask_suffix or '_mask'} behind; rename them, give --mask_suffix, or a --mask_dir of "
            "their own"
          )
      else:
        masks = self.images
    self._masks_called = by_name(masks, stem)
    self._masks_of = by_name(masks, self._image_of)
    if mask:
      if not os.path.isfile(mask):
        raise InputError(f"{mask}: no such file")
      self.images = [path for path in self.images if os.path.realpath(path) != os.path.realpath(mask)]
      if not self.images:
        raise InputError(f"{image_dir}: no images in it but the mask")
    self._images_with = by_name(self.images, self._key)
    if output_dir is not None:
      check_is_apart(output_dir, image_dir, mask_dir)
    if mask and os.path.realpath(mask) in (os.path.realpath(self.result_path(path)) for path in self.images):
      raise InputError(f"--output_dir={output_dir}: a result would overwrite --mask={mask}; give a folder of their own")

  def result_path(self, image_path: str) -> str:
    """Returns where the result of one of `images` goes."""
    return os.path.join(self._output_dir, self._result_name(image_path))

  def mask_path(self, image_path: str) -> str:
    """Returns the mask of one of `images`; raises InputError unless it has one, and a result of its own."""
    name = stem(image_path)
    if len(self._images_with[self._key(image_path)]) > 1:
      raise InputError(f"{image_path}: several images are called {name}; their results would overwrite each other")
    if self._mask:
      return self._mask
    matches = (self._masks_called.get(name) if self._mask_suffix is None else None) or self._masks_of.get(name, [])
    if len(matches) != 1:
      raise InputError(
        f"{image_path}: {len(matches) or 'no'} masks called {name}{self._mask_suffix or ''} in "
        f"{self._mask_dir}; one is needed"
      )
    return matches[0]

  def read(
    self, image_path: str, mask_options: MaskReading = MaskReading()
  ) -> tuple[photo_files.Photo, np.ndarray, str]:
    """Reads one of `images` and its mask as `read_pair`; raises InputError naming what is wrong."""
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
    """Returns what the results of two images must not share: a name, in whichever spelling of Unicode."""
    return unicodedata.normalize("NFC", self._result_name(image_path))

  def _image_of(self, mask_path):
    """Returns the name of the image that a mask's name, with a suffix, says; None if it has none."""
    name = stem(mask_path)
    if self._mask_suffix is not None:
      return name[: -len(self._mask_suffix)] if name.endswith(self._mask_suffix) else None
    shorter = _MASK_SUFFIX.sub("", name)
    return shorter if shorter and shorter != name else None


def by_name(paths: Iterable[str], name_of: Callable[[str], str]) -> dict[str, list[str]]:
  """Returns name -> the paths with it."""
  grouped = {}
  for path in paths:
    grouped.setdefault(name_of(path), []).append(path)
  return grouped


def report(
  failures: Sequence[str],
  count: int,
  already_there: int = 0,
  remarks: Sequence[str] = (),
  left_out: Sequence[str] = (),
  output: str = "",
  notes: Sequence[str] = (),
) -> bool:
  """Prints what became of a folder of images; the summary, which counts, comes last.

  Args:
    failures: one line for each image that failed; they go to stderr.
    count: of all images.
    already_there: of the images that had a result before.
    remarks: lines on other images.
    left_out: lines on files that are no images; they go to stderr.
    output: where the results are.
    notes: further lines of the summary.
  Returns: whether any failed.
  """
  for remark in remarks:
    print(remark)
  sys.stdout.flush()  # Before what goes to stderr, should both end in one file.
  for line in (*(f"failed: {failure}" for failure in failures), *left_out):
    print(line, file=sys.stderr)
  print(
    f"{count - already_there - len(failures)} of {count} images inpainted"
    + (f", {already_there} already there" if already_there else "")
    + (f", {len(failures)} failed" if failures else "")
    + (f": {output}" if output else "")
  )
  for note in notes:
    print(note)
  return bool(failures)

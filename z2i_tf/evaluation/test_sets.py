"""Test sets: fixed images with masks. Writes them as the paper does (section 4.1), and opens and checks them.

A written test set holds the centre crop of each image and one mask of each kind for it.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
import os
from typing import Any

import numpy as np

from z2i_tf import image_ops
from z2i_tf.analyses import records
from z2i_tf.datasets import examples
from z2i_tf.datasets.sources import BadImages
from z2i_tf.datasets.sources import ImageSource
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.inference import pairs
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.metrics.scoring import Example
from z2i_tf.system.atomic_files import atomic_folder

_IMAGES, _MASKS = "images", "masks"
_ORDER_STREAM = 0
# Maximum number of wrong files named in a message.
_MAX_NAMED = 3


class PairedSet:
  """A folder of images with a folder of masks of the same names.

  Attributes:
    name: of the set.
    folders: of the images and of the masks.
    images: name -> path.
  """

  def __init__(self, name: str, image_dir: str, mask_dir: str):
    """Lists the folders; raises InputError if one has no images."""
    self.name, self.folders = name, (image_dir, mask_dir)
    self._pairs = pairs.FolderPairs(image_dir, mask_dir, output_dir=None)
    self.images = {image_files.stem(path): path for path in self._pairs.images}

  def describe(self) -> dict[str, Any]:
    """Reads every pair once; returns the entry of the set in the record of an evaluation.

    Raises: InputError that quotes the first problem and counts the others.
    """
    entries, problems = [], []
    for path in self._pairs.images:
      try:
        example = self.example(path)
      except InputError as error:
        problems.append(str(error))
        continue
      height, width = example.mask.shape
      entries.append(
        {
          "name": example.name,
          "image": records.sha256(path),
          "mask": records.sha256(self._pairs.mask_path(path)),
          "height": height,
          "width": width,
          "hole_ratio": float(example.mask.mean()),
        }
      )
    if problems:
      raise InputError(problems[0] + (f"; and {len(problems) - 1} more such" if len(problems) > 1 else ""))
    return {"images": entries, "hash": digest(f"{entry['name']} {entry['image']} {entry['mask']}" for entry in entries)}

  def content_hash(self) -> str:
    """Returns the hash of `describe`; decodes no image."""
    return digest(
      f"{name} {records.sha256(path)} {records.sha256(self._pairs.mask_path(path))}"
      for name, path in self.images.items()
    )

  @property
  def paths(self) -> Sequence[str]:
    """Paths of the images, in the order of `images`."""
    return self._pairs.images

  def example(self, path: str) -> Example:
    """Reads one of `paths` and its mask."""
    photo, mask, _ = self._pairs.read(path)
    return Example(self.name, image_files.stem(path), photo_files.to_8_bits(photo.rgb), mask)


def open_test_set(folder: str) -> list[PairedSet]:
  """Opens a folder of `write_test_set`; returns one set for each kind of mask; raises InputError if it is damaged."""
  try:
    kinds = {kind: os.path.join(folder, _MASKS, kind) for kind in _record(folder)["manifest"]["settings"]["kinds"]}
  except (KeyError, TypeError) as error:
    raise _damaged(folder) from error
  return [PairedSet(kind, os.path.join(folder, _IMAGES), masks) for kind, masks in kinds.items()]


def check_is_unchanged(folder: str, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """Compares a test set with its record; returns the manifest of the record.

  Args:
    folder: of `write_test_set`.
    entries: kind of mask -> entry of `PairedSet.describe`.
  Raises: InputError if files are missing, new or changed.
  """
  record = _record(folder)
  for kind, entry in entries.items():
    try:
      expected = {
        image_files.stem(image["name"]): (image["sha256"], image["masks_sha256"][kind]) for image in record["images"]
      }
    except (KeyError, TypeError, AttributeError) as error:
      raise _damaged(folder) from error
    found = {image["name"]: (image["image"], image["mask"]) for image in entry["images"]}
    changed = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if changed:
      raise InputError(
        f"{folder}: {len(changed)} images or {kind} masks ({some(changed)}) differ from its "
        f"{records.TESTSET}.json; make the test set again"
      )
  return record["manifest"]


def write_test_set(
  sources: Sequence[ImageSource],
  folder: str,
  kinds: Mapping[str, MaskMixture],
  count: int,
  crop_size: int,
  shrink: int,
  seed: int,
  bad_images: BadImages,
  origin: Mapping[str, Any],
  advance: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
  """Writes images/NNNNN.png, masks/KIND/NNNNN.png and the record, testset.json; the folder appears when complete.

  Args:
    sources: of the images.
    folder: new or empty.
    kinds: name -> masks of that kind.
    count: number of images drawn at random from each source; 0 for all, in order.
    crop_size: side of the written images, pixels.
    shrink: side of the centre crop divided by the image's side; the crop is reduced (bicubic with antialiasing).
    seed: of the choice and of the masks. A mask is a function of the seed and of the image's index in all sources.
    bad_images: skips damaged and small images, or raises; the next image replaces a skipped one.
    origin: description of the sources, for the record.
    advance: called after every image.
  Returns: an entry for each image: file name, name in the source, hole ratio of each kind of mask, hashes.
  Raises: InputError if there are too few usable images.
  """
  for source in sources:
    if count > len(source):
      raise _too_few(len(source), source, count)
  with atomic_folder(folder) as new:
    for name in (_IMAGES, *(os.path.join(_MASKS, kind) for kind in kinds)):
      os.makedirs(os.path.join(new, name))
    written: list[dict[str, Any]] = []
    first = 0  # Index of the source's first image in all sources.
    for source in sources:
      before = len(written)
      for index, image in _crops(source, count, crop_size, shrink, seed, bad_images):
        masks = {
          kind: examples.validation_mask(mixture, crop_size, seed, first + index) for kind, mixture in kinds.items()
        }
        written.append(_write(new, f"{len(written):05d}.png", image, masks, source.name(index)))
        advance()
      if len(written) - before < max(count, 1):
        raise _too_few(len(written) - before, source, count)
      first += len(source)
    manifest = {
      "versions": records.versions(),
      "sources": [source.fingerprint() for source in sources],
      "resize": f"bicubic, antialiased, by {shrink}" if shrink > 1 else "none",
      "settings": {
        **origin,
        "count": count,
        "images": len(written),
        "crop_size": crop_size,
        "kinds": list(kinds),
        "seed": seed,
      },
    }
    records.write_record(new, records.TESTSET, {"images": written, "manifest": manifest})
  return written


def _crops(source, count, crop_size, shrink, seed, bad_images) -> Iterator[tuple[int, np.ndarray]]:
  """Yields the index and the centre crop, uint8, of `count` usable images in random order; of all, in order, for 0."""
  order = np.random.default_rng([seed, _ORDER_STREAM]).permutation(len(source)) if count else range(len(source))
  remaining = count or len(source)
  for index in map(int, order):
    if not remaining:
      return
    try:
      image = examples.centre_crop(source, index, crop_size * shrink)
    except InputError as error:
      bad_images.report(source.name(index), error)
      continue
    if shrink > 1:
      image = image_ops.to_levels(examples.shrink(image.astype(np.float32) / 255.0, crop_size).numpy())
    yield index, image
    remaining -= 1


def digest(lines: Iterable[str]) -> str:
  """Returns the SHA-256 of lines, in hexadecimal."""
  return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def some(names: Sequence[str]) -> str:
  """Returns the first names, separated by commas."""
  return ", ".join(names[:_MAX_NAMED]) + (", ..." if len(names) > _MAX_NAMED else "")


def _record(folder):
  return records.read_record(os.path.join(folder, f"{records.TESTSET}.json"))


def _damaged(folder):
  return InputError(f"{folder}: its {records.TESTSET}.json is damaged; make the test set again")


def _write(folder, name, image, masks, origin) -> dict[str, Any]:
  """Writes an image and its masks; returns the entry of the image."""
  path = os.path.join(folder, _IMAGES, name)
  image_files.write_rgb(path, image)
  mask_paths = {kind: os.path.join(folder, _MASKS, kind, name) for kind in masks}
  for kind, mask in masks.items():
    image_files.write_mask(mask_paths[kind], mask)
  return {
    "name": name,
    "from": os.path.basename(origin),
    "hole_ratios": {kind: float(mask.mean()) for kind, mask in masks.items()},
    "sha256": records.sha256(path),
    "masks_sha256": {kind: records.sha256(mask_path) for kind, mask_path in mask_paths.items()},
  }


def _too_few(usable, source, count) -> InputError:
  return InputError(
    f"{usable} of the {len(source)} images are usable, {count or 'some'} are needed; "
    "give a lower `count` or `crop_size`"
  )

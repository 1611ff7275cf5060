"""Reads folders of results: the same images in each, directly or in one sub-folder per kind of masks."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os

from z2i_tf.errors import InputError
from z2i_tf.images import image_files

# Kind of images that lie directly in the folders, unless a name is given.
DEFAULT_KIND = "all"


@dataclasses.dataclass(frozen=True)
class Results:
  """The same images, filled by several methods.

  Attributes:
    methods: names of the methods, in the given order.
    paths: kind of masks -> image -> method -> file. An image's name is its file name without extension.
  """

  methods: tuple[str, ...]
  paths: Mapping[str, Mapping[str, Mapping[str, str]]]

  @property
  def images(self) -> dict[str, tuple[str, ...]]:
    """Kind of masks -> its images."""
    return {kind: tuple(images) for kind, images in self.paths.items()}


def read_results(folders: Mapping[str, str], kinds: Sequence[str] | None = None) -> Results:
  """Lists the methods' folders and reads the headers of all their images.

  Args:
    folders: method -> its folder; two or more.
    kinds: sub-folders to read, in this order; or, if images lie directly in the folders, one name for their kind.
      None = all sub-folders with images, sorted; or images that lie directly, as "all".
  Raises: InputError unless all folders hold images of the same names and sizes, and each image once.
  """
  if len(folders) < 2:
    raise InputError(f"results of {len(folders)} method(s); a comparison needs those of two or more")
  first = next(iter(folders.values()))
  nested = _is_nested(first, kinds)
  if nested and not kinds:
    kinds = _kinds_in(first)
    for method, folder in folders.items():
      if _kinds_in(folder) != kinds:
        raise InputError(
          f"{folder} ({method}): sub-folders with images are {', '.join(_kinds_in(folder)) or 'none'}, "
          f"those of {first} are {', '.join(kinds)}; give every folder the same, or say which with "
          "`mask_kinds`"
        )
  kinds = tuple(kinds or (DEFAULT_KIND,))
  if not nested and len(kinds) > 1:
    raise InputError(f"`mask_kinds`={','.join(kinds)}: not all of them are sub-folders of {first}")
  paths = {
    kind: _same_images({method: os.path.join(folder, kind) if nested else folder for method, folder in folders.items()})
    for kind in kinds
  }
  for name in (*folders, *kinds, *(image for images in paths.values() for image in images)):
    try:
      name.encode("utf-8")
    except UnicodeEncodeError as error:
      raise InputError(f"{name!r}: a name that is no UTF-8 text cannot be recorded; rename it") from error
  return Results(tuple(folders), paths)


def _is_nested(folder, kinds) -> bool:
  """Returns whether a method's images are in sub-folders."""
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  if kinds:
    return all(os.path.isdir(os.path.join(folder, kind)) for kind in kinds)
  if not _kinds_in(folder):
    return False
  if image_files.has_images(folder):
    raise InputError(
      f"{folder}: images both in it and in its sub-folders {', '.join(_kinds_in(folder))}; say with "
      "`mask_kinds` which sub-folders to take"
    )
  return True


def _kinds_in(folder) -> list[str]:
  if not os.path.isdir(folder):
    raise InputError(f"{folder}: no such folder")
  return [
    name
    for name in sorted(os.listdir(folder))
    if os.path.isdir(os.path.join(folder, name)) and image_files.has_images(os.path.join(folder, name))
  ]


def _same_images(folders: Mapping[str, str]) -> dict[str, dict[str, str]]:
  """Returns image -> method -> file; raises InputError unless all folders have the same images."""
  listed = {method: _by_name(folder) for method, folder in folders.items()}
  first = next(iter(folders))
  for method, images in listed.items():
    for missing in sorted(listed[first].keys() - images.keys()):
      raise InputError(
        f"{folders[method]}: no image called {missing}, which {folders[first]} has; every method needs "
        "a result of every image"
      )
    for extra in sorted(images.keys() - listed[first].keys()):
      raise InputError(
        f"{images[extra]}: {folders[first]} has no image called {extra}; every method needs a result of every image"
      )
  for image, path in listed[first].items():
    size = _size(path)
    for images in listed.values():
      if _size(images[image]) != size:
        raise InputError(
          f"{images[image]}: {_size(images[image])} pixels, but {path} has {size}; results of one image "
          "must be of one size"
        )
  return {image: {method: images[image] for method, images in listed.items()} for image in listed[first]}


def _by_name(folder) -> dict[str, str]:
  found: dict[str, str] = {}
  for path in image_files.list_images(folder):
    name = image_files.stem(path)
    if name in found:
      raise InputError(f"{path}: {found[name]} has the same name; remove one of them")
    found[name] = path
  return found


def _size(path) -> str:
  header = image_files.read_header(path)
  return f"{header.width}x{header.height}"

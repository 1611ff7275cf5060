"""Defines flags that commands share, and reads records from them."""

from collections.abc import Iterator
import contextlib
import os
import re

from absl import flags

from z2i_tf.errors import InputError

# Of --size: a mask is drawn in memory; this is a quarter of a gigabyte.
_MAX_PIXELS = 2**28


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
  """Turns a record's ValueError into one line for the user."""
  try:
    yield
  except InputError:
    raise
  except ValueError as error:
    raise InputError(str(error)) from error


def numbers(values: flags.FlagValues, name: str, kind: type[int] | type[float]) -> tuple:
  """Returns the numbers of a list flag; raises InputError naming the flag for other text."""
  try:
    return tuple(kind(number) for number in getattr(values, name))
  except ValueError as error:
    expected = "whole numbers, such as 1,2,3" if kind is int else "numbers"
    raise InputError(f"--{name}={','.join(getattr(values, name))}: expected {expected}") from error


def require(values: flags.FlagValues, *names: str) -> None:
  """Raises InputError naming the first of the flags that was not given."""
  for name in names:
    if values[name].value in (None, ""):
      raise InputError(f"--{name} is missing: {values[name].help}")


def new_folder(values: flags.FlagValues, name: str) -> str:
  """Returns the absolute path of a new or empty folder.

  Raises: InputError if it exists with files in it, or its parent is not writable.
  """
  folder = os.path.abspath(getattr(values, name))
  if os.path.exists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
    raise InputError(f"--{name}={values[name].value} exists and is not empty; give a new folder")
  from z2i_tf.images import image_files

  image_files.check_writable_folder(os.path.dirname(folder))
  return folder


def named_paths(values: flags.FlagValues, name: str, names_needed: bool = True) -> dict[str, str]:
  """Returns a list flag's NAME=PATH entries as name -> path, in their order.

  Args:
    values: of the flags.
    name: of the flag.
    names_needed: whether PATH alone is refused; otherwise its last part is the name.
  Raises: InputError for an entry without a name or a path, a name with a slash, or one that is given twice.
  """
  found: dict[str, str] = {}
  for entry in getattr(values, name):
    label, _, path = entry.partition("=")
    if not path and not names_needed:
      label, path = os.path.basename(os.path.normpath(entry)), entry
    if not (label and path) or label != os.path.basename(label) or label in (os.curdir, os.pardir):
      raise InputError(f"--{name}={entry}: expected NAME=PATH")
    if label in found:
      raise InputError(f"--{name}: {label} is given twice; every entry needs a name of its own")
    found[label] = path
  return found


def define_seed_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_integer(
    "seed", 0, "Seed of all random numbers.", lower_bound=0, upper_bound=2**32 - 1, flag_values=values
  )


def define_size_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_string("size", "256x256", "Height x width in pixels.", flag_values=values)


def size(values: flags.FlagValues) -> tuple[int, int]:
  """Returns height and width of --size; raises InputError naming it."""
  match = re.fullmatch(r"(\d+)x(\d+)", values.size)
  if not match or not all(map(int, match.groups())):
    raise InputError(f"--size={values.size}: give height x width in pixels, as 256x256")
  height, width = map(int, match.groups())
  if height * width > _MAX_PIXELS:
    raise InputError(f"--size={values.size}: more than {_MAX_PIXELS:,} pixels")
  return height, width


def define_analysis_folder_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "output_dir", None, "Folder for the record (JSON), tables.md and pictures; created if missing.", flag_values=values
  )


def define_zoom_crop_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "zoom_crop",
    "auto",
    ["auto", "none"],
    "auto: draw below each image an enlarged crop around its largest hole.",
    flag_values=values,
  )


def define_run_flags(values: flags.FlagValues) -> None:
  """Defines which part of an evaluation to draw, and where."""
  flags.DEFINE_string(
    "run", None, "Folder of z2i evaluate, with its pictures; or the record in it.", flag_values=values
  )
  flags.DEFINE_list(
    "methods", [], "Methods of the evaluation, in the order of the columns. Default: all.", flag_values=values
  )
  flags.DEFINE_list("test_sets", [], "Test sets of the evaluation. Default: all.", flag_values=values)
  flags.DEFINE_integer("count", 8, "Number of images of each test set.", lower_bound=1, flag_values=values)
  define_zoom_crop_flag(values)
  define_analysis_folder_flag(values)

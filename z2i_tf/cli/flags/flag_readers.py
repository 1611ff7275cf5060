"""Reads values of flags, with errors that name the flag."""

from collections.abc import Iterator
import contextlib
import os

from absl import flags

from z2i_tf.errors import InputError


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
  """Returns the numbers of a list flag. Raises InputError, naming the flag, for other text."""
  try:
    return tuple(kind(number) for number in getattr(values, name))
  except ValueError as error:
    expected = "whole numbers, such as 1,2,3" if kind is int else "numbers"
    raise InputError(f"--{name}={','.join(getattr(values, name))}: expected {expected}") from error


def require(values: flags.FlagValues, *names: str) -> None:
  """Raises InputError naming the first of the flags that was not given."""
  for name in names:
    if values[name].value in (None, "", []):
      raise InputError(f"--{name} is missing: {values[name].help}")


def new_folder(values: flags.FlagValues, name: str) -> str:
  """Returns the absolute path of a new or empty folder.

  Raises: InputError if it is a file or a folder with files, or its parent is not writable.
  """
  folder = os.path.abspath(getattr(values, name))
  if os.path.exists(folder) and not os.path.isdir(folder):
    raise InputError(f"--{name}={values[name].value} is a file; give a new folder")
  if os.path.isdir(folder) and os.listdir(folder):
    raise InputError(f"--{name}={values[name].value} is not empty; give a new folder")
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

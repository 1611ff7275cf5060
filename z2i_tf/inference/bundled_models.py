"""Finds the models that come with the package and checks their files. Needs no TensorFlow, as `z2i doctor` uses it.

assets/SHA256SUMS lists them with the SHA-256 of every file, in the format of `sha256sum`. In that folder, `sha256sum -c
SHA256SUMS` checks the same; `sha256sum */model.npz > SHA256SUMS` updates it for a new release or a new model.
"""

import dataclasses
import os

from z2i_tf.errors import InputError
from z2i_tf.system import input_files

DEFAULT = "compact"
ASSETS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "assets")
SUMS_FILE = "SHA256SUMS"
_MODEL_FILE = "model.npz"


@dataclasses.dataclass(frozen=True)
class CheckedModel:
  """The result of checking a bundled model's file.

  Attributes:
    name: of the model.
    path: of its file.
    expected: SHA-256 of the released file, hexadecimal.
    found: SHA-256 of the present file; None if it cannot be read.
    problem: description of a mismatch; "" if there is none.
  """

  name: str
  path: str
  expected: str
  found: str | None
  problem: str


def model_folder(model: str, assets: str = ASSETS) -> str:
  """Returns the folder of a bundled model by its name; takes any other name for a folder.

  Args:
    model: a bundled model's name, or a folder that need not exist.
    assets: the folder of the bundled models and of SHA256SUMS.
  Raises: InputError if SHA256SUMS cannot be read, or the file of a bundled model is not as released.
  """
  sums = _read_sums(assets)
  if model not in sums:
    return model
  checked = _check(model, sums[model], assets)
  if checked.problem:
    raise InputError(f"{checked.path} {checked.problem}; install z2i_tf again")
  return os.path.dirname(checked.path)


def existing_folder(model: str) -> str:
  """Returns a model's folder as `model_folder`; raises InputError also if it does not exist."""
  folder = model_folder(model)
  if not os.path.isdir(folder):
    raise InputError(f"`model`={model}: no such folder, and not a bundled model ({', '.join(bundled_names())})")
  return folder


def bundled_names(assets: str = ASSETS) -> list[str]:
  """Returns the names of the bundled models; raises InputError if SHA256SUMS cannot be read."""
  return sorted(_read_sums(assets))


def check_models(assets: str = ASSETS) -> list[CheckedModel]:
  """Computes the SHA-256 of every bundled model's file.

  Args:
    assets: the folder of the models and of SHA256SUMS.
  Raises: InputError if SHA256SUMS cannot be read.
  """
  return [_check(name, expected, assets) for name, expected in sorted(_read_sums(assets).items())]


def _check(name, expected, assets):
  path, found, problem = os.path.join(assets, name, _MODEL_FILE), None, ""
  try:
    found = input_files.sha256(path)
  except OSError as error:
    problem = f"cannot be read: {error.strerror}"
  else:
    if found != expected:
      problem = "is not the released file (another SHA-256)"
  return CheckedModel(name, path, expected, found, problem)


def _read_sums(assets) -> dict[str, str]:
  """Returns model -> SHA-256 of its file, from lines "<64 hexadecimal digits>  <model>/model.npz"."""
  path = os.path.join(assets, SUMS_FILE)
  try:
    with open(path, encoding="utf-8") as file:
      lines = file.read().splitlines()
    sums = {os.path.split(name): digest for digest, name in (line.split(maxsplit=1) for line in lines)}
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror}); install z2i_tf again") from error
  except ValueError as error:
    raise InputError(f"{path}: not what sha256sum writes; install z2i_tf again") from error
  if (DEFAULT, _MODEL_FILE) not in sums:
    raise InputError(f"{path}: does not name {DEFAULT}/{_MODEL_FILE}; install z2i_tf again")
  return {folder: digest for (folder, file), digest in sums.items() if file == _MODEL_FILE}

"""The models that come with the package, and whether their files are as they were released. Needs no TensorFlow.

The expected SHA-256 of every file is in assets/SHA256SUMS, in the format of `sha256sum`: in that folder,
`sha256sum -c SHA256SUMS` checks the same, and `sha256sum */model.npz > SHA256SUMS` is how a new release makes it.
"""

import dataclasses
import os
from typing import Dict, List, Optional

from z2i_tf import file_hash
from z2i_tf.errors import InputError

BUNDLED = ("compact",)
DEFAULT = "compact"
ASSETS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "assets")
SUMS_FILE = "SHA256SUMS"
_MODEL_FILE = "model.npz"


@dataclasses.dataclass(frozen=True)
class CheckedModel:
  """A bundled model's file beside what it should be.

  Attributes:
    name: of the model.
    path: of its file.
    expected: SHA-256 of the released file, hexadecimal.
    found: that of the file as it is; None if it cannot be read.
    problem: what is wrong, in a few words; "" if nothing is.
  """
  name: str
  path: str
  expected: str
  found: Optional[str]
  problem: str


def model_folder(name: str, assets: str = ASSETS) -> str:
  """Returns the folder of a bundled model."""
  return os.path.join(assets, name)


def check_models(assets: str = ASSETS) -> List[CheckedModel]:
  """Computes the SHA-256 of every bundled model's file.

  Args:
    assets: the folder of the models and of SHA256SUMS.
  Raises: InputError if SHA256SUMS cannot be read, or lacks a model.
  """
  sums = _read_sums(os.path.join(assets, SUMS_FILE))
  models = []
  for name in BUNDLED:
    path = os.path.join(model_folder(name, assets), _MODEL_FILE)
    if f"{name}/{_MODEL_FILE}" not in sums:
      raise InputError(f"{assets}: {SUMS_FILE} does not name {name}/{_MODEL_FILE}; install the package again")
    expected, found, problem = sums[f"{name}/{_MODEL_FILE}"], None, ""
    try:
      found = file_hash.sha256(path)
    except OSError as error:
      problem = f"cannot be read: {error.strerror}"
    else:
      if found != expected:
        problem = "is not the released file (another SHA-256)"
    models.append(CheckedModel(name, path, expected, found, problem))
  return models


def _read_sums(path) -> Dict[str, str]:
  """Returns file name -> SHA-256, of lines "<64 hexadecimal digits>  <name>"."""
  try:
    with open(path, encoding="utf-8") as file:
      lines = file.read().splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror}); install the package again") from error
  except ValueError as error:
    raise InputError(f"{path}: not what sha256sum writes; install the package again") from error

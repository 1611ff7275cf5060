"""Reads untrusted JSON: refuses NaN and nesting that is too deep."""

import errno
import json
import os
from typing import Any


def read(path: str) -> Any:
  """Returns what a JSON file says.

  Raises: OSError if there is no such file, or it cannot be read; ValueError as `parse`.
  """
  if not os.path.isfile(path):  # Reading a pipe would wait for ever.
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
  with open(path, encoding="utf-8") as file:
    return parse(file.read())


def parse(text: str) -> Any:
  """Returns what a JSON text says; raises ValueError if it is none, too deeply nested, or has NaN in it."""
  try:
    return json.loads(text, parse_constant=_refuse)
  except RecursionError as error:
    raise ValueError("nested too deeply") from error


def _refuse(name):
  raise ValueError(f"{name} is no number of JSON")

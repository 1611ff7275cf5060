"""Messages for people: the names of flags, and colours on a terminal."""

import os
import re
from typing import TextIO

BOLD, RED = "\033[1m", "\033[31m"
_PLAIN = "\033[0m"
# How the library names an argument; see `errors.InputError`.
_ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*)`")


def with_flags(text: str) -> str:
  """Returns a message of the library with the flags of the arguments it names: `scale` becomes --scale."""
  return _ARGUMENT.sub(r"--\1", text)


def colour(text: str, code: str, stream: TextIO) -> str:
  """Colours a text for a terminal; leaves it alone elsewhere, and where the environment sets NO_COLOR."""
  is_wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
  return code + text + _PLAIN if is_wanted else text

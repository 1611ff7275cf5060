"""Prints messages for the user, with names of flags, and colours on a terminal."""

from collections.abc import Sequence
import os
import sys
from typing import TextIO

from z2i_tf.errors import ARGUMENT

BOLD, RED = "\033[1m", "\033[31m"
_PLAIN = "\033[0m"


def with_flags(text: str) -> str:
  """Replaces the arguments that a message of the library names by their flags: `scale` becomes --scale."""
  return ARGUMENT.sub(r"--\1", text)


def colour(text: str, code: str, stream: TextIO) -> str:
  """Colours a text for a terminal; leaves it alone elsewhere, and where the environment sets NO_COLOR."""
  is_wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
  return code + text + _PLAIN if is_wanted else text


def print_now(text: str) -> None:
  """Prints a line to stdout at once."""
  print(text, flush=True)


def warn(text: str) -> None:
  """Prints a message of the library to stderr."""
  print(with_flags(text), file=sys.stderr)


def print_outcome(
  failures: Sequence[str],
  count: int,
  already_there: int = 0,
  remarks: Sequence[str] = (),
  left_out: Sequence[str] = (),
  output: str = "",
  notes: Sequence[str] = (),
) -> bool:
  """Prints the outcome of a folder of images, with the summary last.

  Args:
    failures: one line for each failed image, for stderr.
    count: number of all images.
    already_there: number of images whose result existed before.
    remarks: lines on other images.
    left_out: lines about files that are not images, for stderr.
    output: folder of the results.
    notes: further lines of the summary.
  Returns: whether an image failed.
  """
  for remark in remarks:
    print(remark)
  sys.stdout.flush()  # Keeps the order if stdout and stderr share a file.
  for line in (*(f"failed: {failure}" for failure in failures), *left_out):
    warn(line)
  print(
    f"{count - already_there - len(failures)} of {count} images inpainted"
    + (f", {already_there} already there" if already_there else "")
    + (f", {len(failures)} failed" if failures else "")
    + (f": {output}" if output else "")
  )
  for note in notes:
    print(note)
  return bool(failures)

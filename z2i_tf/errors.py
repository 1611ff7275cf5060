"""Exceptions that the command line prints as one line: unusable input, and a stop on request."""

import re

# How a message names an argument; see `InputError`.
ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*)`")
_MAX_QUOTED = 300  # Characters.


def one_line(error: object) -> str:
  """Returns the message of another library's exception as one line, cut to 300 characters; its type if it is empty."""
  return " ".join(str(error).split())[:_MAX_QUOTED] or type(error).__name__


class InputError(ValueError):
  """The user gave something unusable.

  The message is one line: what is wrong, with which file or argument, and how to correct it. It names an argument in
  backticks, as in "`crop_size` must be positive". The command line prints the flag instead (--crop_size) and ends with
  exit code 2. Library callers may catch it as a `ValueError`.
  """


class Stopped(BaseException):
  """A run ended early on request, after it saved its progress.

  Like KeyboardInterrupt it is no `Exception`, so code that catches every `Exception` lets it pass.

  Attributes:
    signal: number of the signal that requested the stop.
  """

  def __init__(self, message: str, signal: int):
    super().__init__(message)
    self.signal = signal

"""The exceptions that the command line turns into one line: input that the user can mend, and a stop on request."""


class InputError(ValueError):
  """Something given by the user is unusable.

  The message is one line: what is wrong, with which file or flag, and what to do about it. The command
  line prints it and ends with exit code 2; library callers may catch it as a `ValueError`.
  """


class Stopped(BaseException):
  """A run ended early because it was asked to; what it did so far is saved.

  No `Exception`, as KeyboardInterrupt is none: libraries that go on after any of these must not go on after this.

  Attributes:
    signal: the number of the signal that asked.
  """

  def __init__(self, message: str, signal: int):
    super().__init__(message)
    self.signal = signal

"""The one exception for input that the user can put right."""


class InputError(ValueError):
  """Something given by the user is unusable.

  The message is one line: what is wrong, with which file or flag, and what to do about it. The command
  line prints it and ends with exit code 2; library callers may catch it as a `ValueError`.
  """

"""Runs `z2i COMMAND [--flag=value ...]`; prints a user's error as one line.

Imports nothing heavy, so help and wrong flags answer at once.
"""

import contextlib
import os
import signal
import sys
import threading

from absl import flags

from z2i_tf import __version__
from z2i_tf.cli import help_text
from z2i_tf.cli import messages
from z2i_tf.cli.commands import COMMANDS
from z2i_tf.errors import InputError
from z2i_tf.errors import Stopped
from z2i_tf.system import quiet_tensorflow

# Remedy if OpenCV finds no libGL.
LIBGL_REMEDY = (
  "install that library (Debian, Ubuntu: apt-get install libgl1), or opencv-python-headless in place of opencv-python"
)

_EXIT_OK, _EXIT_PARTLY_FAILED, _EXIT_BAD_INPUT = 0, 1, 2
# Shells' convention; a signal's number is added.
_EXIT_SIGNAL = 128


def main(argv: list[str] | None = None) -> int:
  """Runs one command.

  Returns: 0, 1 if some files of a folder failed, 2 for unusable input, or 128 + the number of a signal.
  """
  argv = sys.argv[1:] if argv is None else argv
  quiet_tensorflow.silence()
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
      stream.reconfigure(errors="backslashreplace")  # File names need not be UTF-8.
  try:
    with _stopped_by_signals():
      return _dispatch(argv)
  except (InputError, flags.Error) as error:
    return _fail(argv, " ".join(str(error).split()))
  except ImportError as error:
    if "libGL" not in str(error):
      raise
    return _fail(argv, f"OpenCV cannot be loaded ({error}): {LIBGL_REMEDY}")
  except MemoryError:
    return _fail(argv, "out of memory: close other programs, or give smaller images")
  except Stopped as stop:
    return _fail(argv, str(stop), _EXIT_SIGNAL + stop.signal)
  except BrokenPipeError:  # The reader has closed our output, so nothing more can be printed there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _EXIT_SIGNAL + getattr(signal, "SIGPIPE", 13)  # Windows has no such signal.
  except KeyboardInterrupt:
    return _fail(argv, "interrupted", _EXIT_SIGNAL + signal.SIGINT)


def run_and_exit() -> None:
  """The console command."""
  sys.exit(main())


@contextlib.contextmanager
def _stopped_by_signals():
  """Turns SIGTERM, and SIGHUP of a closed terminal, into `Stopped`, so that temporary files are removed.

  Training has a handler of its own.
  """
  numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
  if threading.current_thread() is not threading.main_thread():
    numbers = []
  numbers = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]

  def stop(number, _):
    raise Stopped("terminated", number)

  for number in numbers:
    signal.signal(number, stop)
  try:
    yield
  finally:
    for number in numbers:
      signal.signal(number, signal.SIG_DFL)


def _dispatch(argv):
  if argv[:1] == ["help"] and argv[1:2] and argv[1] in COMMANDS:
    argv = [argv[1], "--help"]
  if not argv or argv[0] in ("--help", "-h", "help"):
    print(help_text.usage())
    return _EXIT_OK if argv else _EXIT_BAD_INPUT
  if argv[0] == "--version":
    print(f"z2i {__version__}")
    return _EXIT_OK
  name = argv[0]
  if name not in COMMANDS:
    raise InputError(f"unknown command {name!r}{help_text.did_you_mean(name, COMMANDS)} (z2i --help lists them)")
  module, values = COMMANDS[name].load()
  passed_on: list[str] = []
  if hasattr(module, "PASSED_ON") and "--" in argv:
    cut = argv.index("--")
    argv, passed_on = argv[:cut], argv[cut + 1 :]
  if any(argument in ("--help", "-h", "--helpfull") for argument in argv[1:]):
    print(help_text.command_help(name, COMMANDS[name], module, values))
    return _EXIT_OK
  try:
    rest = values([f"z2i {name}"] + argv[1:])[1:]
  except flags.UnrecognizedFlagError as error:
    guess = help_text.did_you_mean(error.flagname, values, "--")
    raise InputError(f"Unknown command line flag '{error.flagname}'{guess} (z2i {name} --help lists them)") from error
  except UnicodeDecodeError as error:
    raise InputError(f"a --flagfile is not UTF-8 text: {error}") from error
  expected = getattr(module, "ARGUMENTS", ())
  allowed = (*expected, *getattr(module, "OPTIONAL_ARGUMENTS", ()))
  if len(rest) > len(allowed):
    raise InputError(
      f"unexpected argument {rest[len(allowed)]!r}; every {'other ' if allowed else ''}option is a "
      "flag, as --name=value"
    )
  if len(rest) < len(expected):
    raise InputError(f"{expected[len(rest)]} is missing: z2i {name} {' '.join(expected)}")
  if hasattr(module, "PASSED_ON"):
    rest.append(passed_on)
  return _EXIT_PARTLY_FAILED if module.run(values, *rest) else _EXIT_OK


def _fail(argv, message, code=_EXIT_BAD_INPUT):
  command = f" {argv[0]}" if argv and argv[0] in COMMANDS else ""
  prefix = messages.colour(f"z2i{command}:", messages.RED, sys.stderr)
  print(prefix, messages.with_flags(message), file=sys.stderr)
  return code

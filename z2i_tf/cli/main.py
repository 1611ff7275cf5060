"""`z2i COMMAND [--flag=value ...]`: picks the command, turns what the user can mend into one line.

Nothing heavy is imported here: help and flag errors answer at once.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
from typing import List, Optional

from absl import flags

from z2i_tf import __version__
from z2i_tf import quiet_tensorflow
from z2i_tf.errors import InputError
from z2i_tf.errors import Stopped

# Command -> (module in z2i_tf.cli with `define_flags` and `run`, one line of help). What a command takes beside flags,
# `ARGUMENTS` of its module names; `run` gets them after the flags.
COMMANDS = {
    "inpaint": ("inpaint", "fill the holes of one image, or of a folder of images"),
    "app": ("app", "serve a page on which one paints away what is not wanted in a photograph"),
    "export": ("export", "write a model as a SavedModel, TFLite or ONNX file"),
    "pretrain": ("pretrain", "train the coarse, the SR or the refinement network alone"),
    "train": ("train", "train coarse, SR and refinement network and the discriminator jointly"),
    "recipe": ("recipe", "run several stages of training one after the other, handing the weights over"),
    "make-testset": ("make_testset", "write fixed images and masks to measure on: centre crops, one mask of each kind"),
    "evaluate": ("evaluate", "measure models, other methods' results and OpenCV's inpainting on a test set"),
    "compare": ("compare", "compare two evaluations image by image, with confidence intervals"),
    "study": ("study", "let people compare methods' results in a browser, and sum up what they prefer"),
    "report": ("report", "gather analyses into one HTML page and Markdown, beside the paper's numbers"),
    "check-data": ("check_data", "decode every image of a data set and say what is in it"),
    "prepare": ("prepare", "encode a data set's images for fast random crops"),
    "show-batch": ("show_batch", "draw examples as the networks will see them"),
    "masks": ("masks", "write random stroke masks as PNG files"),
    "mask-stats": ("mask_stats", "measure how large the holes of random masks are"),
    "complexity": ("complexity", "count parameters and operations of models, and time them"),
    "intermediate": ("intermediate", "draw what every stage of a model makes of photographs"),
    "side-by-side": ("side_by_side", "draw results of an evaluation beside each other"),
    "failures": ("failures", "draw the results of an evaluation where the holes are largest"),
    "convert-checkpoint": ("convert_checkpoint", "turn a checkpoint of the authors' code into a model"),
    "import-weights": ("import_weights", "turn weights trained elsewhere, arrays in an .npz file, into a model"),
    "demo": ("demo", "inpaint the sample photographs and draw a comparison sheet"),
    "doctor": ("doctor", "say what is installed, which devices there are, and whether it will work"),
}

# What to do where OpenCV finds no libGL.
LIBGL_REMEDY = ("install that library (Debian, Ubuntu: apt-get install libgl1), or opencv-python-headless in place of "
                "opencv-python")

_EXIT_OK, _EXIT_PARTLY_FAILED, _EXIT_BAD_INPUT = 0, 1, 2
# Shells' convention; a signal's number is added.
_EXIT_SIGNAL = 128


def main(argv: Optional[List[str]] = None) -> int:
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
  except BrokenPipeError:  # Who reads our output has enough of it; nothing more can be said there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _EXIT_SIGNAL + signal.SIGPIPE
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
  if not argv or argv[0] in ("--help", "-h", "help"):
    print(_usage())
    return _EXIT_OK if argv else _EXIT_BAD_INPUT
  if argv[0] == "--version":
    print(f"z2i {__version__}")
    return _EXIT_OK
  name = argv[0]
  if name not in COMMANDS:
    raise InputError(f"unknown command {name!r}; one of {', '.join(COMMANDS)} (see z2i --help)")
  module = importlib.import_module(f"z2i_tf.cli.{COMMANDS[name][0]}")
  values = flags.FlagValues()
  module.define_flags(values)
  if any(argument in ("--help", "-h", "--helpfull") for argument in argv[1:]):
    print(_command_help(name, module, values))
    return _EXIT_OK
  try:
    rest = values([f"z2i {name}"] + argv[1:])[1:]
  except UnicodeDecodeError as error:
    raise InputError(f"a --flagfile is not UTF-8 text: {error}") from error
  expected = getattr(module, "ARGUMENTS", ())
  if len(rest) > len(expected):
    raise InputError(f"unexpected argument {rest[len(expected)]!r}; every other option is a flag, as --name=value"
                     if expected else f"unexpected argument {rest[0]!r}; every option is a flag, as --name=value")
  if len(rest) < len(expected):
    raise InputError(f"{expected[len(rest)]} is missing: z2i {name} {' '.join(expected)}")
  return _EXIT_PARTLY_FAILED if module.run(values, *rest) else _EXIT_OK


def _usage():
  width = max(map(len, COMMANDS))
  lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
  return "\n".join(["usage: z2i COMMAND [--flag=value ...] [--flagfile=FILE]", "", *lines, "",
                    "z2i COMMAND --help lists a command's flags."])


def _command_help(name, module, values):
  arguments = "".join(f" {argument}" for argument in getattr(module, "ARGUMENTS", ()))
  lines = [f"usage: z2i {name}{arguments} [--flag=value ...] [--flagfile=FILE]", "", module.__doc__.strip(), ""]
  for flag_name in values:
    flag = values[flag_name]
    default = f" (default: {flag.default_as_str})" if flag.default is not None else ""
    lines.append(f"  --{flag_name}: {' '.join(flag.help.split())}{default}")
  return "\n".join(lines)


def _fail(argv, message, code=_EXIT_BAD_INPUT):
  command = f" {argv[0]}" if argv and argv[0] in COMMANDS else ""
  print(f"z2i{command}: {message}", file=sys.stderr)
  return code

"""Formats help as text, wrapped to the terminal's width."""

from collections.abc import Iterable
import decimal
import difflib
import shutil
import sys
import textwrap
from types import ModuleType
from typing import Any

from absl import flags

from z2i_tf.cli.commands import Command
from z2i_tf.cli.commands import GROUPS
from z2i_tf.cli.messages import BOLD
from z2i_tf.cli.messages import colour

# Column of the text beside names; a wider name gets a line of its own.
_INDENT = 26
_MIN_WIDTH, _MAX_WIDTH = 50, 120
_REQUIRED = "Required"
# Headings in their order, after those of a command's own `HEADINGS`; those left out here come last.
_ORDER = ("Options", "Data", "Masks", "Model", "Initial weights", "Training", "Losses", "Saving and logging", "Output")
# Module that defines a flag -> heading; flags of other modules are under "Options".
_HEADINGS = {
  "data_flags": "Data",
  "training_flags": "Training",
  "model_flags": "Model",
  "filling_flags": "Model",
  "mask_flags": "Masks",
  "model_import": "Output",
}
# Beginning of a flag's name -> heading, for flags whose module has another heading.
_HEADINGS_OF_PREFIXES = {
  "init_": "Initial weights",
  "weight_": "Losses",
  "l1_": "Losses",
  "perceptual_": "Losses",
  "vgg_": "Losses",
  "save_every": "Saving and logging",
  "keep_every": "Saving and logging",
  "log_every": "Saving and logging",
  "evaluate_every": "Saving and logging",
  "allow_config_change": "Options",
}


def usage() -> str:
  """Returns the help of z2i itself."""
  lines = ["usage: z2i COMMAND [--flag=value ...] [--flagfile=FILE]"]
  for title, commands in GROUPS.items():
    lines += ["", _heading(title)]
    for name, command in commands.items():
      lines += _entry(name, command.text, 22)
  return "\n".join([*lines, "", "z2i COMMAND --help shows a command's flags and examples."])


def command_help(name: str, command: Command, module: ModuleType, values: flags.FlagValues) -> str:
  """Returns the help of a command: usage, examples, then its flags in groups, those it needs first."""
  optional = " ".join(getattr(module, "OPTIONAL_ARGUMENTS", ()))
  parts = [
    "z2i",
    name,
    *getattr(module, "ARGUMENTS", ()),
    *([f"[{optional}]"] if optional else []),
    *(_signature(values[flag]) for flag in command.required),
    "[--flag=value ...] [--flagfile=FILE]",
    *([f"[-- {module.PASSED_ON}]"] if hasattr(module, "PASSED_ON") else []),
  ]
  lines = [_wrapped("usage: " + " ".join(parts), " " * 8), ""]
  for paragraph in (module.__doc__ or "").strip().split("\n\n"):
    lines += [_wrapped(paragraph), ""]
  lines += [_heading("Examples"), *(f"  {example}" for example in command.examples)]
  for title, members in _groups(command, module, values).items():
    if members:
      lines += ["", _heading(title)]
    for flag in members:
      lines += _entry(_signature(flag), _description(flag), _INDENT)
  return "\n".join(lines)


def _groups(command, module, values) -> dict[str, list[flags.Flag]]:
  """Returns heading -> flags: those the command needs, those of its own `HEADINGS`, then the others."""
  own = {name: title for title, names in getattr(module, "HEADINGS", {}).items() for name in names}
  groups: dict[str, list[flags.Flag]] = {title: [] for title in (_REQUIRED, *own.values(), *_ORDER)}
  groups[_REQUIRED] = [values[name] for name in command.required]
  for definer, defined in values.flags_by_module_dict().items():
    for flag in defined:
      if flag.name not in command.required:
        title = own.get(flag.name) or next(
          (title for prefix, title in _HEADINGS_OF_PREFIXES.items() if flag.name.startswith(prefix)),
          _HEADINGS.get(definer.rpartition(".")[2], "Options"),
        )
        groups.setdefault(title, []).append(flag)
  return groups


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
  """Returns "; did you mean ...?" with similar names, or ""."""
  found = difflib.get_close_matches(name.replace("-", "_") if prefix else name, list(known), n=2)
  return f"; did you mean {' or '.join(prefix + match for match in found)}?" if found else ""


def _heading(text):
  return colour(text, BOLD, sys.stdout)


def _width():
  return min(max(shutil.get_terminal_size().columns, _MIN_WIDTH), _MAX_WIDTH)


def _wrapped(text, hanging=""):
  return textwrap.fill(
    " ".join(text.split()), _width(), subsequent_indent=hanging, break_on_hyphens=False, break_long_words=False
  )


def _entry(name: str, text: str, indent: int) -> list[str]:
  lines = textwrap.wrap(text, _width() - indent, break_on_hyphens=False, break_long_words=False) or [""]
  if len(name) + 4 > indent:
    return [f"  {name}", *(" " * indent + line for line in lines)]
  return [f"  {name:<{indent - 2}}{lines[0]}", *(" " * indent + line for line in lines[1:])]


def _signature(flag) -> str:
  """Returns the flag as it is typed."""
  if flag.boolean:
    return f"--[no]{flag.name}"
  choices = getattr(flag.parser, "enum_values", None)
  value = (
    "|".join(choices)
    if choices
    else {"int": "N", "float": "X", "comma separated list of strings": "A,B"}.get(
      flag.flag_type(), "DIR" if flag.name.endswith("_dir") else "VALUE"
    )
  )
  return (f"-{flag.short_name}, " if flag.short_name else "") + f"--{flag.name}={value}"


def _description(flag) -> str:
  text = " ".join(flag.help.split())
  if getattr(flag.parser, "enum_values", None) and text.startswith("<"):  # absl's list of choices.
    text = text.partition(">: ")[2]
  default = _as_written(flag.default)
  return f"{text} (default: {default})" if default else text


def _as_written(default: Any) -> str:
  """Returns a default as a person writes it; "" for none."""
  if isinstance(default, bool):
    return "yes" if default else "no"
  if isinstance(default, float):
    return format(decimal.Decimal(repr(default)).normalize(), "f")
  if isinstance(default, list):
    return ",".join(default)
  return "" if default is None else str(default)

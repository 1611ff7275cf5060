"""Completes pages of the documentation from the code: public names, and the table of commands with their help."""

import contextlib
import os
import re

import z2i_tf
from z2i_tf.cli import help_text
from z2i_tf.cli.commands import GROUPS

_COLUMNS = "88"  # Width of the commands' help.
_PUBLIC_NAME = re.compile(r"^::: z2i_tf\.(\w+)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_) -> str:
  """Returns a page with its marks replaced.

  `::: z2i_tf.Name` becomes the documentation of a public name, from the module that defines it. `<!-- commands -->`
  becomes a section for each command.
  """
  markdown = _PUBLIC_NAME.sub(_public_name, markdown)
  return markdown.replace("<!-- commands -->", _commands()) if "<!-- commands -->" in markdown else markdown


def _public_name(match):
  name = match[1]
  return f"::: {z2i_tf._PUBLIC[name]}.{name}\n    options:\n      heading: z2i_tf.{name}\n      toc_label: {name}"


def _commands():
  lines = []
  with _environment(COLUMNS=_COLUMNS):
    for title, commands in GROUPS.items():
      lines += [f"## {title}", ""]
      for name, command in commands.items():
        module, values = command.load()
        text = help_text.command_help(name, command, module, values)
        lines += [f"### z2i {name} {{ #{name} }}", "", "```text", text, "```", ""]
  return "\n".join(lines)


@contextlib.contextmanager
def _environment(**variables):
  before = {name: os.environ.get(name) for name in variables}
  os.environ.update(variables)
  try:
    yield
  finally:
    for name, value in before.items():
      if value is None:
        del os.environ[name]
      else:
        os.environ[name] = value

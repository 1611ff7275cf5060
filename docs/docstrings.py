"""Lets mkdocstrings read docstrings whose sections begin on the line of their title, such as "Returns: the result"."""

import re

import griffe

_RETURNS = re.compile(r"^(Returns|Yields): (.+(?:\n[ \t]+.+)*)", re.MULTILINE)
_RAISES = re.compile(r"^Raises: `?(\w+)`?:?,? (.+(?:\n[ \t]+.+)*)", re.MULTILINE)
_SECTION = re.compile(r"(?<!\n)\n(Args|Attributes|Returns|Yields|Raises):\n")


class Sections(griffe.Extension):
  """Gives each section's text lines of their own, as Google's style has them."""

  def on_object(self, *, obj: griffe.Object, **_) -> None:
    if obj.docstring is not None:
      obj.docstring.value = split_sections(obj.docstring.value)


def split_sections(docstring: str) -> str:
  """Returns a docstring in which text never follows a section's title on its line."""
  text = _RETURNS.sub(lambda match: f"{match[1]}:\n  {_joined(match[2])}", docstring)
  text = _RAISES.sub(lambda match: f"Raises:\n  {match[1]}: {_joined(match[2])}", text)
  return _SECTION.sub(r"\n\n\1:\n", text)


def _joined(lines):
  return " ".join(lines.split())

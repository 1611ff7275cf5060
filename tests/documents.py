"""Reads the project's documents: fenced blocks, links and inline code."""

from collections.abc import Iterator
import dataclasses
import glob
import os
import re
import shlex

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PATTERNS = ("*.md", "data/*.md", "docs/**/*.md", "z2i_tf/assets/*/README.md")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- not run: (.+) -->\n$")


@dataclasses.dataclass(frozen=True)
class Block:
  """A fenced block.

  Attributes:
    document: its path, relative to the repository.
    line: line of its code, from 1.
    language: what follows the fence.
    code: its lines.
    reason: why it does not run, from a comment `<!-- not run: REASON -->` on the line before; None: it runs.
  """

  document: str
  line: int
  language: str
  code: str
  reason: str | None

  def __str__(self):
    return f"{self.document}:{self.line}"

  def commands(self) -> Iterator[list[str]]:
    """Yields the words of each command of a shell block, without comments."""
    for line in self.code.replace("\\\n", " ").splitlines():
      words = shlex.split(line, comments=True)
      if words:
        yield words


def paths() -> list[str]:
  """Returns the paths of all documents, relative to the repository."""
  found = [path for pattern in _PATTERNS for path in glob.glob(pattern, root_dir=ROOT, recursive=True)]
  return sorted(os.path.normpath(path) for path in found)


def text(path: str) -> str:
  """Returns the text of a document."""
  with open(os.path.join(ROOT, path), encoding="utf-8") as file:
    return file.read()


def blocks(path: str) -> list[Block]:
  """Returns the fenced blocks of a document in order."""
  words = text(path)
  found = []
  for match in _FENCE.finditer(words):
    mark = _MARK.search(words[: match.start()])
    line = words.count("\n", 0, match.start(2)) + 1
    found.append(Block(path, line, match[1], match[2], mark and mark[1]))
  return found


def prose(path: str) -> str:
  """Returns the text of a document without its fenced blocks."""
  return _FENCE.sub("", text(path))

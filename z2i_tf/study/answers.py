"""What a study answers to its page: the page's own files, pictures by position, a participant's progress.

Blinding: pages, answers and addresses name neither methods nor images nor kinds. A picture's address is the
participant's token, a position and a side; all pictures come from PNG files of one maker.
"""

from collections.abc import Callable
import dataclasses
import importlib.resources
import json
import re
import sys
from typing import Any

from z2i_tf.errors import InputError
from z2i_tf.study import preparation
from z2i_tf.study import store as stores
from z2i_tf.system import input_files
from z2i_tf.web.application import Refusal

# Address -> file of the page, and what it is.
PAGE_FILES = {
  "/": ("index.html", "text/html; charset=utf-8"),
  "/study.js": ("study.js", "text/javascript"),
  "/api.js": ("api.js", "text/javascript"),
  "/zoom.js": ("zoom.js", "text/javascript"),
  "/study.css": ("study.css", "text/css"),
}
_PICTURE = re.compile(r"/picture/([\w-]{1,64})/([0-9]{1,9})/([ab])", re.ASCII)

# A body, and its media type.
Answer = tuple[bytes, str]


class Answers:
  """The answers of one study, whatever carries them."""

  def __init__(self, study_dir: str, store: stores.Store):
    """Reads the page's files.

    Args:
      study_dir: the study's folder, with its pictures.
      store: the same study, open.
    """
    self._study_dir, self._store = study_dir, store
    page = importlib.resources.files("z2i_tf.study") / "page"
    self._page_files = {path: ((page / name).read_bytes(), kind) for path, (name, kind) in PAGE_FILES.items()}
    self._actions = {"/api/join": self._join, "/api/progress": self._report_progress, "/api/choice": self._choose}

  def get(self, path: str) -> Answer:
    """Returns a file of the page, or a picture.

    Raises: Refusal if there is none of that address, or it cannot be read; UnknownParticipant; sqlite3.Error.
    """
    if path in self._page_files:
      return self._page_files[path]
    picture = _PICTURE.fullmatch(path)
    if picture is None:
      raise self._unknown(path)
    token, position, side = picture.groups()
    try:
      showing = self._store.showing(token, int(position))
    except IndexError as error:
      raise Refusal(404, "There is no such pair.") from error
    file_hash = self._store.record.file_hash(showing.pair, ours=showing.ours_is_a == (side == "a"))
    try:
      return input_files.read_bytes(preparation.picture_path(self._study_dir, file_hash)), "image/png"
    except InputError as error:
      print(f"z2i study: {error}", file=sys.stderr)
      raise Refusal(500, "This picture cannot be read; please tell the person in charge.") from error

  def post(self, path: str, read_fields: Callable[[], dict[str, Any]]) -> Answer:
    """Lets a participant join, ask for the progress, or choose; returns the progress.

    Args:
      path: says which.
      read_fields: returns what was sent; called for known paths only.
    Raises: as `get`, and Refusal if what was sent cannot be used.
    """
    if path not in self._actions:
      raise self._unknown(path)
    progress = self._actions[path](read_fields())
    return as_json({**dataclasses.asdict(progress), "question": self._store.record.question})

  def _unknown(self, path: str) -> Refusal:
    if path in self._page_files or _PICTURE.fullmatch(path):
      return Refusal(405, "This can be read only.", Allow="GET, HEAD")
    if path in self._actions:
      return Refusal(405, "This takes POST.", Allow="POST")
    return Refusal(404, "There is nothing here.")

  def _join(self, fields: dict[str, Any]) -> stores.Progress:
    try:
      return self._store.join(_text(fields, "name"))
    except InputError as error:
      raise Refusal(400, str(error)) from error

  def _report_progress(self, fields: dict[str, Any]) -> stores.Progress:
    return self._store.progress(_text(fields, "token"))

  def _choose(self, fields: dict[str, Any]) -> stores.Progress:
    position, choice = fields.get("position"), fields.get("choice")
    if not isinstance(position, int) or isinstance(position, bool) or choice not in ("a", "b"):
      raise Refusal(400, "A choice needs a position and a side.")
    try:
      return self._store.choose(_text(fields, "token"), position, choice == "a")
    except stores.NotNext as error:
      raise Refusal(409, "This pair was answered before.") from error


def as_json(fields: dict[str, Any]) -> Answer:
  """Returns fields as JSON in ASCII."""
  return json.dumps(fields).encode("ascii"), "application/json"


def _text(fields: dict[str, Any], name: str) -> str:
  value = fields.get(name)
  if not isinstance(value, str):
    raise Refusal(400, f"A text is needed: {name}.")
  try:
    value.encode("utf-8")
  except UnicodeEncodeError as error:  # JSON can write halves of characters.
    raise Refusal(400, "That is no text.") from error
  return value

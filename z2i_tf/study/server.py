"""Serves a study over HTTP, on this machine only: its page, pictures by position, and participants' progress.

Blinding: pages, answers and addresses name neither methods nor images nor kinds. A picture's address is the
participant's token, a position and a side; all pictures are PNG files written by this package.
"""

import dataclasses
import json
import re
import sqlite3
import sys
from typing import Any

import flask

from z2i_tf.errors import InputError
from z2i_tf.study import manifest as manifests
from z2i_tf.study import store as stores
from z2i_tf.system import input_files
from z2i_tf.web import application as web
from z2i_tf.web.application import Refusal
from z2i_tf.web.server import Server

ADDRESS = "127.0.0.1"
# Address -> file of the page, and its media type.
PAGE_FILES = {
  "/": ("index.html", "text/html; charset=utf-8"),
  **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("api", "study", "zoom")},
  "/study.css": ("study.css", "text/css"),
}
# Enough for a name of 100 characters, each escaped as JSON allows.
_MAX_BODY_BYTES = 4096
_THREADS = 16
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
_POSITION = re.compile(r"[0-9]{1,9}", re.ASCII)


class StudyServer(Server):
  """Serves one study from its creation until `close`."""

  def __init__(self, study_dir: str, store: stores.Store, port: int):
    """Checks the pictures and starts to answer.

    Args:
      study_dir: the study's folder, with its pictures.
      store: the same study, open.
      port: port to listen on; 0 = any free one, see `url`.
    Raises:
      InputError: if a picture of the study is missing, or the port cannot be used.
    """
    manifests.check_pictures(store.manifest, study_dir)
    super().__init__(ADDRESS, port)
    self.study_dir, self.store = study_dir, store
    application = web.create("z2i_tf.study", ADDRESS, self.port, token=None)
    web.add_files(application, "z2i_tf.study", "page", PAGE_FILES)
    for method, path, answer in (
      ("GET", "/picture/<token>/<position>/<side>", self._picture),
      ("POST", "/api/join", self._join),
      ("POST", "/api/progress", self._report_progress),
      ("POST", "/api/choice", self._choose),
    ):
      application.add_url_rule(path, path, answer, methods=[method], provide_automatic_options=False)
    application.register_error_handler(
      stores.UnknownParticipant,
      lambda error: ({"error": "This study does not know you; please give your name again."}, 404),
    )
    application.register_error_handler(sqlite3.Error, _answer_broken_store)
    self.start(application, _THREADS, _MAX_BODY_BYTES)

  def _picture(self, token: str, position: str, side: str) -> flask.Response:
    if not (_TOKEN.fullmatch(token) and _POSITION.fullmatch(position) and side in ("a", "b")):
      raise Refusal(404, "There is no such picture.")
    try:
      showing = self.store.showing(token, int(position))
    except IndexError as error:
      raise Refusal(404, "There is no such pair.") from error
    file_hash = self.store.manifest.file_hash(showing.pair, ours=showing.ours_is_a == (side == "a"))
    try:
      body = input_files.read_bytes(manifests.picture_path(self.study_dir, file_hash))
    except InputError as error:
      print(f"z2i study: {error}", file=sys.stderr)
      raise Refusal(500, "This picture cannot be read; please tell the person in charge.") from error
    return flask.Response(body, content_type="image/png")

  def _join(self) -> flask.Response:
    return self._answer(self.store.join(_text(web.json_object(_MAX_BODY_BYTES), "name")))

  def _report_progress(self) -> flask.Response:
    return self._answer(self.store.progress(_text(web.json_object(_MAX_BODY_BYTES), "token")))

  def _choose(self) -> flask.Response:
    fields = web.json_object(_MAX_BODY_BYTES)
    position, choice = fields.get("position"), fields.get("choice")
    if not isinstance(position, int) or isinstance(position, bool) or choice not in ("a", "b"):
      raise Refusal(400, "A choice needs a position and a side.")
    try:
      return self._answer(self.store.choose(_text(fields, "token"), position, choice == "a"))
    except stores.NotNext as error:
      raise Refusal(409, "This pair was answered before.") from error

  def _answer(self, progress: stores.Progress) -> flask.Response:
    fields = {**dataclasses.asdict(progress), "question": self.store.manifest.question}
    return flask.Response(json.dumps(fields), content_type="application/json")


def _text(fields: dict[str, Any], name: str) -> str:
  value = fields.get(name)
  if not isinstance(value, str):
    raise Refusal(400, f"A text is needed: {name}.")
  try:
    value.encode("utf-8")
  except UnicodeEncodeError as error:  # JSON can hold halves of surrogate pairs.
    raise Refusal(400, "That is not valid Unicode text.") from error
  return value


def _answer_broken_store(error: sqlite3.Error) -> tuple[dict[str, str], int]:
  print(f"z2i study: {error}", file=sys.stderr)
  return {
    "error": "The study cannot be written or read at the moment, and this was not saved; please tell the person "
    "in charge."
  }, 503

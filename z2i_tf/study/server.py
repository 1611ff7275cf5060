"""Serves a study over HTTP, on this machine only; what it answers is in `answers`."""

import sqlite3
import sys

import flask

from z2i_tf.study import preparation
from z2i_tf.study import store as stores
from z2i_tf.study.answers import Answers
from z2i_tf.web import application as web
from z2i_tf.web.server import Server

ADDRESS = "127.0.0.1"
# A name of 100 characters, each escaped as JSON may, fits easily.
_LARGEST_BODY = 4096
_THREADS = 16


class StudyServer(Server):
  """Serves one study from its creation until `close`."""

  def __init__(self, study_dir: str, store: stores.Store, port: int):
    """Begins to answer.

    Args:
      study_dir: the study's folder, with its pictures.
      store: the same study, open.
      port: 0: any that is free; `url` says which.
    Raises: InputError if a picture of the study is gone, or the port cannot be had.
    """
    preparation.check_pictures(store.record, study_dir)
    super().__init__(ADDRESS, port)
    self.study_dir, self.store = study_dir, store
    self._answers = Answers(study_dir, store)
    application = web.create("z2i_tf.study", ADDRESS, self.port, token=None)
    for path in ("/", "/<path:path>"):
      application.add_url_rule(
        path, f"answer {path}", self._answer, methods=["GET", "POST"], provide_automatic_options=False
      )
    application.register_error_handler(
      stores.UnknownParticipant,
      lambda error: ({"error": "This study does not know you; please give your name again."}, 404),
    )
    application.register_error_handler(sqlite3.Error, _answer_broken_store)
    self.start(application, _THREADS, _LARGEST_BODY)

  def _answer(self, path: str = "") -> flask.Response:
    del path
    request = flask.request
    if request.method == "POST":
      body, kind = self._answers.post(request.path, lambda: web.json_object(_LARGEST_BODY))
    else:
      body, kind = self._answers.get(request.path)
    return flask.Response(body, content_type=kind)


def _answer_broken_store(error: sqlite3.Error):
  print(f"z2i study: {error}", file=sys.stderr)
  return {
    "error": "The study cannot be written or read at the moment, and this was not saved; please tell the person "
    "in charge."
  }, 503

"""The study's answers, over HTTP on this machine only: connections, hosts, headers, the form of requests.

Headers name no methods either; what is answered, `answers` says.
"""

import contextlib
import http.server
import json
import re
import socket
import socketserver
import sqlite3
import sys
from typing import Any, Dict, Set

from z2i_tf.errors import InputError
from z2i_tf.study import preparation
from z2i_tf.study import store as stores
from z2i_tf.study.answers import Answer
from z2i_tf.study.answers import Answers
from z2i_tf.study.answers import as_json
from z2i_tf.study.answers import Refusal

ADDRESS = "127.0.0.1"
# A name of 100 characters, each escaped as JSON may, fits easily.
_LARGEST_BODY = 4096
# Nothing is kept by browsers (an answer from a cache would be an old one), nothing comes from elsewhere.
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                       "img-src 'self' data:; form-action 'none'; base-uri 'none'; "
                                       "frame-ancestors 'none'"}


class StudyServer(http.server.ThreadingHTTPServer):
  """Serves one study; `serve_forever` and `shutdown` as of every server in Python's library."""

  daemon_threads = True
  request_queue_size = 256  # Connections that wait; a class opens the page at the same moment.

  def __init__(self, study_dir: str, store: stores.Store, port: int):
    """Begins to listen.

    Args:
      study_dir: the study's folder, with its pictures.
      store: the same study, open.
      port: 0: any that is free; `url` says which.
    Raises: InputError if a picture of the study is gone, or the port cannot be had.
    """
    preparation.check_pictures(store.record, study_dir)
    self.study_dir, self.store = study_dir, store
    self._connections: Set[socket.socket] = set()
    self.answers = Answers(study_dir, store)
    try:
      super().__init__((ADDRESS, port), _Handler)
    except OSError as error:
      raise InputError(f"--port={port}: cannot be used ({error.strerror}); give another one, or 0 for any that is "
                       "free") from error
    self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}
    if self.server_port == 80:  # Browsers leave it out.
      self.hosts |= {ADDRESS, "localhost"}

  def server_bind(self) -> None:
    """As of the base class, without its search for this machine's name, which may take a minute."""
    socketserver.TCPServer.server_bind(self)
    self.server_name, self.server_port = self.server_address[:2]

  def process_request(self, request, client_address) -> None:
    self._connections.add(request)
    super().process_request(request, client_address)

  def shutdown_request(self, request) -> None:
    self._connections.discard(request)
    super().shutdown_request(request)

  def server_close(self) -> None:
    """Ends the browsers' connections, too, which would otherwise go on asking for a study that is closed."""
    super().server_close()
    for connection in list(self._connections):
      with contextlib.suppress(OSError):  # It ended meanwhile.
        connection.shutdown(socket.SHUT_RDWR)

  @property
  def url(self) -> str:
    return f"http://{ADDRESS}:{self.server_port}/"

  def handle_error(self, request, client_address) -> None:
    """A browser that went away, or was silent for long, is no error; anything else is shown."""
    if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
      super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
  """One connection."""

  server: StudyServer
  protocol_version = "HTTP/1.1"  # Connections stay open: toggling begins sooner.
  timeout = 60  # Seconds that a silent connection keeps its thread.

  def do_GET(self) -> None:
    self._answer(self._get)

  do_HEAD = do_GET

  def do_POST(self) -> None:
    self._answer(self._post)

  def do_PUT(self) -> None:
    self._answer(self._refuse_method)

  do_DELETE = do_PATCH = do_OPTIONS = do_PUT

  def version_string(self) -> str:
    return "study"

  def log_message(self, format, *args) -> None:  # pylint: disable=redefined-builtin
    """Silence: participants' tokens belong in no log."""

  def _answer(self, respond) -> None:
    try:
      self._check_host()
      body, kind = respond()
      self._send(200, body, kind)
    except Refusal as refusal:
      self._send_error(refusal.status, str(refusal), **refusal.headers)
    except stores.UnknownParticipant:
      self._send_error(404, "This study does not know you; please give your name again.")
    except sqlite3.Error as error:
      print(f"z2i study: {error}", file=sys.stderr)
      self._send_error(503, "The study cannot be written or read at the moment, and this was not saved; please tell "
                       "the person in charge.")

  def _check_host(self) -> None:
    """Other sites must neither read a study nor answer for a participant.

    A page from elsewhere can have its own name point here (DNS rebinding): then Host is that name. Or it can send
    requests without reading the answers: then Origin is that page's.
    """
    if self.headers.get("Host") not in self.server.hosts:
      raise Refusal(421, f"This server answers at {self.server.url} only.")
    origin = self.headers.get("Origin")
    if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts}:
      raise Refusal(403, "Requests of other sites are not answered.")

  def _get(self) -> Answer:
    return self.server.answers.get(self.path)

  def _post(self) -> Answer:
    return self.server.answers.post(self.path, self._read_json)

  def _refuse_method(self):
    raise Refusal(405, "Only GET, HEAD and POST are understood.", Allow="GET, HEAD, POST")

  def _read_json(self) -> Dict[str, Any]:
    length = self.headers.get("Content-Length", "")
    if not re.fullmatch("[0-9]{1,18}", length, re.ASCII) or "Transfer-Encoding" in self.headers:
      self.close_connection = True  # Where the next request would begin is not known.
      raise Refusal(411, "A length is needed.")
    if int(length) > _LARGEST_BODY:
      self.close_connection = True
      raise Refusal(413, "That is too long.")
    body = self.rfile.read(int(length))
    if self.headers.get_content_type() != "application/json":  # Others can be sent by any site's forms.
      raise Refusal(415, "Only JSON is understood.")
    try:
      fields = json.loads(body)
    except (ValueError, RecursionError) as error:
      raise Refusal(400, "That is no JSON.") from error
    if not isinstance(fields, dict):
      raise Refusal(400, "A JSON object is needed.")
    return fields

  def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
    self.send_response(status)
    for name, value in {**_HEADERS, **headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
      self.send_header(name, value)
    if self.close_connection:
      self.send_header("Connection", "close")
    self.end_headers()
    if self.command != "HEAD":
      self.wfile.write(body)

  def _send_error(self, status: int, message: str, **headers: str) -> None:
    if self.command not in ("GET", "HEAD"):
      self.close_connection = True  # A body that was not read would be taken for the next request.
    self._send(status, *as_json({"error": message}), **headers)

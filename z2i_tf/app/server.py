"""Puts the page, the API and the model together and serves them."""

from z2i_tf.app import filling
from z2i_tf.app.api import Api
from z2i_tf.app.api import MAX_CALLS
from z2i_tf.app.filler import Filler
from z2i_tf.app.photo_transfer import PhotoFiles
from z2i_tf.app.sessions import Sessions
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.web import application as web
from z2i_tf.web.server import Server

_SCRIPTS = ("api", "editor", "keys", "main", "painter", "photograph", "view")
# Address -> file of the page, and its media type.
PAGE_FILES = {
  "/": ("index.html", "text/html; charset=utf-8"),
  "/app.css": ("app.css", "text/css"),
  **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in _SCRIPTS},
}
# Maximum size of a request: a photograph and its mask. An answer may take as much on the disk.
_MAX_BODY_BYTES = 2**28
_SPARE_THREADS = 8  # For the page and the rest of the API, while every photograph and call waits for its fill.


class AppServer:
  """Answers the requests of the page and of scripts with one model."""

  def __init__(self, inpainter: Inpainter, model: str, max_pixels: int | None, max_sessions: int, max_bytes: int):
    """Warms the model up; `serve` starts to answer.

    Args:
      inpainter: the model.
      model: the model's name.
      max_pixels: maximum number of pixels of a photograph or mask; None = Pillow's limit.
      max_sessions: maximum number of photographs to keep.
      max_bytes: maximum memory of all photographs together, bytes.
    """
    filling.warm(inpainter)
    self._threads = max_sessions + MAX_CALLS + _SPARE_THREADS
    self._server: Server | None = None
    self._files = PhotoFiles(max_pixels)
    self._filler = Filler(max_jobs=self._threads)
    self._api = Api(inpainter, model, self._files, Sessions(max_sessions, max_bytes), self._filler)

  def serve(self, server: Server, token: str | None) -> None:
    """Starts to answer a server's requests. Each must carry `token` unless that is None."""
    application = web.create("z2i_tf.app", server.host, server.port, token)
    web.add_files(application, "z2i_tf.app", "static", PAGE_FILES)
    self._api.add_to(application)
    server.start(application, self._threads, _MAX_BODY_BYTES)
    self._server = server

  def close(self) -> None:
    """Cancels all fills, closes the server, and removes temporary files, even those of unfinished answers."""
    self._filler.close()
    if self._server is not None:
      self._server.close()
    self._files.close()

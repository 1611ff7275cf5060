"""Serves a WSGI application with waitress, in a thread that can be stopped."""

from collections.abc import Callable
import json
import logging
import socket
import threading
import time

import waitress
from waitress import channel
from waitress import task
from waitress import wasyncore

from z2i_tf.errors import InputError

_SILENT_CONNECTION_S = 60  # A connection without requests is closed after this time.
_POLL_INTERVAL_S = 0.1  # Interval at which `wait_until` asks.
_STOPPING_S = 5.0  # Time for which `close` waits for unfinished answers.


class _ErrorTask(task.ErrorTask):
  """Answers requests that waitress refuses (too long, malformed) in JSON."""

  def execute(self) -> None:
    error = self.request.error
    body = json.dumps({"error": f"{error.reason}: {error.body}."}).encode()
    self.status = f"{error.code} {error.reason}"
    self.response_headers = [("Content-Type", "application/json"), ("Connection", "close")]
    self.set_close_on_finish()
    self.content_length = len(body)
    self.write(body)


class _Channel(channel.HTTPChannel):
  error_task_class = _ErrorTask


class Server:
  """Listens from its creation until `close`; a `with` block closes it.

  Attributes:
    host: address that it is bound to.
    port: port that it listens on.
    url: address for a browser on this machine.
  """

  def __init__(self, host: str, port: int):
    """Starts to listen; `start` starts to answer.

    Args:
      host: address to bind to.
      port: port to listen on; 0 = any free one.
    Raises: InputError if the address or the port cannot be used.
    """
    try:
      family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
      self._socket = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is empty or longer than 63 characters.
      raise InputError(f"`host`={host}: not an address of this machine ({error})") from error
    try:
      self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      self._socket.bind(address)
      self._socket.listen()  # This claims the port; after `bind` alone, another process can still take it.
    except OSError as error:
      self._socket.close()
      raise InputError(
        f"`port`={port}: cannot be used on {host} ({error.strerror}); give another port, or 0 for any free one"
      ) from error
    self.host, self.port = self._socket.getsockname()[:2]
    self._thread: threading.Thread | None = None

  @property
  def url(self) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

  @property
  def is_running(self) -> bool:
    """Whether the thread that answers requests runs."""
    return self._thread is not None and self._thread.is_alive()

  def start(self, application: Callable, threads: int, max_body_bytes: int) -> None:
    """Starts to answer requests.

    Args:
      application: a WSGI application.
      threads: number of requests that are answered at the same time.
      max_body_bytes: size above which requests are refused unread.
    """
    for name in ("waitress", "waitress.queue"):
      logging.getLogger(name).setLevel(logging.ERROR)  # Hides notes about busy threads and closed browsers.
    self._map: dict[int, wasyncore.dispatcher] = {}
    self._server = waitress.create_server(
      application,
      map=self._map,
      sockets=[self._socket],
      threads=threads,
      max_request_body_size=max_body_bytes,
      channel_timeout=_SILENT_CONNECTION_S,
      ident=None,
      asyncore_use_poll=True,
    )
    self._server.channel_class = _Channel
    self._thread = threading.Thread(target=self._server.run, name="web server", daemon=True)
    self._thread.start()

  def wait_until(self, is_stop_requested: Callable[[], bool]) -> None:
    """Returns once a stop is requested; raises RuntimeError if the server ends before."""
    while not is_stop_requested():
      time.sleep(_POLL_INTERVAL_S)
      if not self.is_running:
        raise RuntimeError("The server ended by itself.")

  def close(self) -> None:
    """Closes the port and all connections."""
    if self._thread is None:
      self._socket.close()
      return
    if self._thread.is_alive():
      self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._map, ignore_all=True))
      self._thread.join()
      self._server.task_dispatcher.shutdown(timeout=_STOPPING_S)

  def __enter__(self) -> "Server":
    return self

  def __exit__(self, *_) -> None:
    self.close()

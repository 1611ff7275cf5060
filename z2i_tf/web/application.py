"""Creates Flask applications that refuse requests from other sites, check a token and answer errors as JSON."""

from collections.abc import Mapping
import hmac
import importlib.resources
import sys
import traceback
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from z2i_tf.errors import ARGUMENT
from z2i_tf.errors import InputError
from z2i_tf.system import input_files

# Address -> file that all pages share, and its media type.
SHARED_FILES = {"/refused.js": ("refused.js", "text/javascript")}
LOOPBACK = ("127.0.0.1", "::1")
MIN_TOKEN_LENGTH = 16
_TOKEN_COOKIE, _TOKEN_DAYS = "z2i_token", 30
# Browsers keep nothing, since a cached answer would be out of date. Pages load nothing from elsewhere. They make their
# own pictures (blob:) or have them in their files (data:).
_HEADERS = {
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  "img-src 'self' blob: data:; form-action 'none'; base-uri 'none'; "
  "frame-ancestors 'none'",
}


class Refusal(Exception):
  """An error answer.

  Attributes:
    status: HTTP status code.
    headers: headers of the answer.
  """

  def __init__(self, status: int, message: str, **headers: str):
    """Keeps the status and the headers; `message` is a sentence for a person."""
    super().__init__(message)
    self.status, self.headers = status, headers


def sentence(error: Exception) -> str:
  """Returns an error's message for a browser: arguments in it lose their backticks."""
  return ARGUMENT.sub(r"\1", str(error))


def check_access(host: str, token: str | None) -> None:
  """Raises InputError if other machines can reach `host` and there is no token, or if the token is too short."""
  if token is None and host not in (*LOOPBACK, "localhost"):
    raise InputError(
      f"`host`={host} lets other machines in: give `token` too, a secret of at least "
      f"{MIN_TOKEN_LENGTH} characters (in a `flagfile`, where other users must not see it)"
    )
  if token is not None and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
    raise InputError(f"`token`: give at least {MIN_TOKEN_LENGTH} characters, all of them ASCII")


def create(name: str, host: str, port: int, token: str | None) -> flask.Flask:
  """Creates an application that serves only SHARED_FILES.

  Every answer has the security headers. Every error is JSON: {"error": a sentence}. The application refuses requests
  from other sites. A foreign page can make its own host name point here (DNS rebinding); then Host is that name. It can
  also send requests without reading the answers; then Origin is that page's.

  Args:
    name: name of the application's package.
    host: address that the server is bound to.
    port: port of the server.
    token: secret that every request must carry, as `Authorization: Bearer` or as the cookie that "/?token=" sets;
      None = no secret.
  """
  application = flask.Flask(name, static_folder=None)
  url_host = f"[{host}]" if ":" in host else host
  hosts = {f"{each}:{port}" for each in (url_host, "localhost")}
  if port == 80:  # Browsers leave it out.
    hosts |= {each.rpartition(":")[0] for each in hosts}
  is_local = host in LOOPBACK

  @application.before_request
  def check_request():
    request = flask.request
    if is_local and request.headers.get("Host") not in hosts:
      raise Refusal(421, f"This server answers at http://{url_host}:{port}/ only.")
    origin = request.headers.get("Origin")
    if (
      origin not in (None, f"{request.scheme}://{request.headers.get('Host')}")
      or request.headers.get("Sec-Fetch-Site") == "cross-site"
      and request.path != "/"
    ):
      raise Refusal(403, "This server does not answer requests from other sites.")
    if token is None:
      return None
    given = request.args.get("token") if request.path == "/" else None
    if given is not None and _is_same(given, token):
      answer = flask.redirect("/", 303)
      answer.set_cookie(_TOKEN_COOKIE, token, max_age=_TOKEN_DAYS * 86400, httponly=True, samesite="Strict")
      return answer
    bearer = request.headers.get("Authorization", "")
    if not (_is_same(bearer, f"Bearer {token}") or _is_same(request.cookies.get(_TOKEN_COOKIE, ""), token)):
      raise Refusal(401, "This server needs its token: open /?token=TOKEN once, or send Authorization: Bearer TOKEN.")
    return None

  @application.after_request
  def add_headers(answer):
    for header, value in _HEADERS.items():
      answer.headers.setdefault(header, value)
    return answer

  @application.errorhandler(Exception)
  def answer_error(error):
    if isinstance(error, Refusal):
      return {"error": str(error)}, error.status, error.headers
    if isinstance(error, InputError):
      return {"error": sentence(error)}, 400
    if isinstance(error, HTTPException):
      headers = {"Allow": ", ".join(sorted(error.valid_methods))} if getattr(error, "valid_methods", None) else {}
      return {"error": _http_sentence(error)}, error.code, headers
    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    return {"error": "The server failed; its terminal says why."}, 500

  add_files(application, "z2i_tf.web", "static", SHARED_FILES)
  return application


def add_files(application: flask.Flask, package: str, folder: str, files: Mapping[str, tuple[str, str]]) -> None:
  """Serves the files of a page. Reads them once.

  Args:
    application: serves the files.
    package: contains the folder.
    folder: contains the files.
    files: address -> (file name, media type).
  """
  page = importlib.resources.files(package) / folder
  contents = {path: ((page / name).read_bytes(), kind) for path, (name, kind) in files.items()}

  def answer_file():
    body, kind = contents[flask.request.path]
    return flask.Response(body, content_type=kind)

  for path in contents:
    application.add_url_rule(path, f"file {path}", answer_file, provide_automatic_options=False)


def json_object(max_bytes: int) -> dict[str, Any]:
  """Reads a request's JSON object; raises Refusal if there is none, or it has more than `max_bytes`."""
  request = flask.request
  if request.mimetype != "application/json":  # Others can be sent by any site's forms.
    raise Refusal(415, "This address needs JSON.")
  body = request.stream.read(max_bytes + 1)
  if len(body) > max_bytes:
    raise Refusal(413, "The request is too long.")
  try:
    fields = input_files.parse_json(body.decode())
  except ValueError as error:
    raise Refusal(400, "The request is not valid JSON.") from error
  if not isinstance(fields, dict):
    raise Refusal(400, "The request must be a JSON object.")
  return fields


def _is_same(given: str, expected: str) -> bool:
  """Returns whether two texts are equal; compares in constant time."""
  return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _http_sentence(error: HTTPException) -> str:
  if error.code == 404:
    return "There is nothing here."
  if error.code == 405:
    return "This address does not take that method."
  return f"{error.description}"

"""The study over real HTTP: what it answers, what it refuses, and that it gives nothing away."""

import http.client
import io
import json
import os
import socket
import sqlite3

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
import pytest

from tests.foreign_requests import FOREIGN_HEADERS
from tests.study import stand_ins
from z2i_tf.errors import InputError
from z2i_tf.study import manifest as manifests
from z2i_tf.study import results
from z2i_tf.study import server as servers
from z2i_tf.study import store
from z2i_tf.study.server import PAGE_FILES
from z2i_tf.web.application import SHARED_FILES

_JSON = {"Content-Type": "application/json"}


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory):
  with stand_ins.serving(stand_ins.make_study(tmp_path_factory.mktemp("server"))) as server:
    yield server


def _request(server, method, path, body=None, headers=None):
  """Returns status, headers and body of an answer."""
  connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
  try:
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response.status, response.getheaders(), response.read()
  finally:
    connection.close()


def _ask(server, path, **fields):
  status, _, body = _request(server, "POST", path, json.dumps(fields), _JSON)
  return status, json.loads(body)


def _method(picture):
  """Whose result a PNG file shows."""
  return stand_ins.read_colour(np.asarray(Image.open(io.BytesIO(picture)))[3, 4])[0]


def test_a_participant_chooses_between_the_pictures_of_the_pair(server):
  status, progress = _ask(server, "/api/join", name="anna")
  token = progress["token"]
  assert status == 200 and progress == {
    "token": token,
    "name": "anna",
    "answered": 0,
    "total": 8,
    "question": "Which is nicer?",
  }
  ours = 0
  for position in range(8):
    whose = {side: _method(_request(server, "GET", f"/picture/{token}/{position}/{side}")[2]) for side in "ab"}
    assert stand_ins.OURS in whose.values() and len(set(whose.values())) == 2
    choice = "a" if position < 3 else "b"
    ours += whose[choice] == stand_ins.OURS
    status, progress = _ask(server, "/api/choice", token=token, position=position, choice=choice)
    assert status == 200 and progress["answered"] == position + 1
  assert sum(prefers_ours for _, prefers_ours in server.store.outcomes()) == ours
  assert _ask(server, "/api/progress", token=token) == (200, progress)


def test_a_class_of_browsers_connects_at_once(tmp_path):
  with stand_ins.serving(stand_ins.make_study(tmp_path)) as server:
    waiting = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(100)]
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n"
    for connection in waiting:
      connection.sendall(request.encode())
    for connection in waiting:
      assert connection.recv(12) == b"HTTP/1.1 200"
      connection.close()


def test_a_second_answer_counts_for_nothing(server):
  token = _ask(server, "/api/join", name="twice")[1]["token"]
  assert _ask(server, "/api/choice", token=token, position=0, choice="a")[0] == 200
  before = server.store.outcomes()
  for position in (0, 2, 8, -1):
    status, answer = _ask(server, "/api/choice", token=token, position=position, choice="b")
    assert (status, answer) == (409, {"error": "This pair was answered before."})
  assert server.store.outcomes() == before


def test_nothing_gives_a_method_away(tmp_path):
  """Neither pages, addresses, answers and headers nor what is in a picture's file beside its pixels."""
  folders = stand_ins.write_results(tmp_path)
  for method, folder in folders.items():  # As methods' own programs may write them.
    for parent, _, names in os.walk(folder):
      for name in names:
        note = PngInfo()
        note.add_text("Software", method)
        image = Image.open(os.path.join(parent, name))
        image.load()
        if method == "hifillus":
          os.unlink(os.path.join(parent, name))
          image.save(os.path.join(parent, name.replace(".png", ".jpg")), comment=method.encode())
        else:
          image.save(os.path.join(parent, name), pnginfo=note)
  found = results.read_results(folders)
  manifest = manifests.plan_study(found, stand_ins.OURS, 8, 0, "Which is nicer?")
  study_dir = str(tmp_path / "study")
  os.mkdir(study_dir)
  manifests.copy_pictures(found, manifest, study_dir, lambda: None)
  store.create(study_dir, manifest)
  secret = [word.encode() for word in (*stand_ins.METHODS, *stand_ins.KINDS, *stand_ins.IMAGES)]
  with stand_ins.serving(study_dir) as server:
    answers = [_request(server, "GET", path) for path in (*PAGE_FILES, *SHARED_FILES)]
    answers.append(_request(server, "POST", "/api/join", '{"name": "anna"}', _JSON))
    token = json.loads(answers[-1][2])["token"]
    pictures = [
      _request(server, "GET", f"/picture/{token}/{position}/{side}") for position in range(8) for side in "ab"
    ]
    answers += [
      _request(server, "POST", "/api/choice", json.dumps({"token": token, "position": 0, "choice": "a"}), _JSON)
    ]
    answers += [_request(server, "GET", f"/picture/{token}/8/a"), _request(server, "GET", "/nothing")]
  assert {status for status, _, _ in pictures} == {200}
  assert {tuple(name for name, _ in headers) for _, headers, _ in pictures} == {
    tuple(name for name, _ in pictures[0][1])
  }
  for _, headers, body in answers + pictures:
    text = repr(headers).encode() + body
    assert not [word for word in secret if word in text], text
    assert dict(headers)["Cache-Control"] == "no-store" and "Server" not in dict(headers)
  for _, headers, body in pictures:
    image = Image.open(io.BytesIO(body))
    image.load()
    assert (image.format, image.mode, image.info) == ("PNG", "RGB", {}) and dict(headers)["Content-Type"] == "image/png"


def test_the_page_loads_nothing_from_elsewhere(server):
  for path in (*PAGE_FILES, *SHARED_FILES):
    status, headers, body = _request(server, "GET", path)
    assert status == 200 and b"://" not in body
    assert dict(headers)["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    head = _request(server, "HEAD", path)
    assert head[0] == 200 and head[2] == b"" and dict(head[1])["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
  "method, path, body, headers, status",
  [
    ("GET", "/nothing", None, {}, 404),
    ("HEAD", "/nothing", None, {}, 404),
    ("GET", "/../study.sqlite", None, {}, 404),
    ("GET", "/picture/TOKEN/8/a", None, {}, 404),
    ("GET", "/picture/TOKEN/0/c", None, {}, 404),
    ("GET", "/picture/nobody/0/a", None, {}, 404),
    ("GET", "/api/join", None, {}, 405),
    ("POST", "/", "{}", _JSON, 405),
    ("POST", "/nothing", "{}", _JSON, 404),
    ("PUT", "/api/join", "{}", _JSON, 405),
    ("DELETE", "/", None, {}, 405),
    ("OPTIONS", "/api/join", None, {}, 405),
    ("POST", "/api/join", "{", _JSON, 400),
    ("POST", "/api/join", b"\xff", _JSON, 400),
    ("POST", "/api/join", "[" * 4000, _JSON, 400),
    ("POST", "/api/join", "[]", _JSON, 400),
    ("POST", "/api/join", "{}", _JSON, 400),
    ("POST", "/api/join", '{"name": 7}', _JSON, 400),
    ("POST", "/api/join", '{"name": " "}', _JSON, 400),
    ("POST", "/api/join", '{"name": "\\ud800"}', _JSON, 400),
    ("POST", "/api/join", '{"name": "a"}', {}, 415),
    ("POST", "/api/join", '{"name": "a"}', {"Content-Type": "text/plain"}, 415),
    ("POST", "/api/join", '{"name": "%s"}' % (5000 * "a"), _JSON, 413),
    ("POST", "/api/join", None, {**_JSON, "Content-Length": "-1"}, 400),
    ("POST", "/api/progress", '{"token": "nobody"}', _JSON, 404),
    ("POST", "/api/choice", '{"token": "TOKEN", "position": 0}', _JSON, 400),
    ("POST", "/api/choice", '{"token": "TOKEN", "position": 0, "choice": "c"}', _JSON, 400),
    ("POST", "/api/choice", '{"token": "TOKEN", "position": true, "choice": "a"}', _JSON, 400),
    ("POST", "/api/choice", '{"token": "TOKEN", "position": 0.0, "choice": "a"}', _JSON, 400),
    ("POST", "/api/choice", '{"token": "nobody", "position": 0, "choice": "a"}', _JSON, 404),
    *(("POST", "/api/join", '{"name": "a"}', {**_JSON, **headers}, status) for headers, status in FOREIGN_HEADERS),
  ],
)
def test_what_is_refused(server, method, path, body, headers, status):
  token = server.store.join("refused").token
  people = len(server.store.participants())
  body = body.replace("TOKEN", token) if isinstance(body, str) else body
  found, answer_headers, answer = _request(server, method, path.replace("TOKEN", token), body, headers)
  assert found == status and dict(answer_headers)["Content-Type"] == "application/json"
  assert method == "HEAD" or set(json.loads(answer)) == {"error"}
  assert ("Allow" in dict(answer_headers)) == (status == 405)
  assert server.store.progress(token).answered == 0 and len(server.store.participants()) == people


def test_localhost_and_its_own_pages_are_answered(server):
  host = f"localhost:{server.port}"
  assert _request(server, "GET", "/", None, {"Host": host})[0] == 200
  status, _, _ = _request(
    server, "POST", "/api/join", '{"name": "own"}', {**_JSON, "Host": host, "Origin": f"http://{host}"}
  )
  assert status == 200 and server.host == "127.0.0.1"


def test_one_connection_takes_many_requests(server):
  connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
  connection.request("GET", "/")
  connection.getresponse().read()
  socket = connection.sock
  connection.request("POST", "/api/join", '{"name": "kept"}', _JSON)
  assert connection.getresponse().read() and connection.sock is socket is not None
  connection.close()


def test_what_cannot_be_stored_is_not_called_saved(server, monkeypatch, capsys):
  def refuse(*_):
    raise sqlite3.OperationalError("database or disk is full")

  token = _ask(server, "/api/join", name="full disk")[1]["token"]
  monkeypatch.setattr(server.store, "choose", refuse)
  status, answer = _ask(server, "/api/choice", token=token, position=0, choice="a")
  assert status == 503 and "this was not saved" in answer["error"]
  assert "database or disk is full" in capsys.readouterr().err


def test_a_picture_that_is_gone(server, capsys):
  token = server.store.join("no picture").token
  showing = server.store.showing(token, 5)
  path = manifests.picture_path(server.study_dir, server.store.manifest.file_hash(showing.pair, showing.ours_is_a))
  os.rename(path, path + ".away")
  try:
    status, _, body = _request(server, "GET", f"/picture/{token}/5/a")
  finally:
    os.rename(path + ".away", path)
  assert status == 500 and json.loads(body) == {
    "error": "This picture cannot be read; please tell the person in charge."
  }
  assert f"{path}: no such file" in capsys.readouterr().err


def test_a_study_without_all_its_pictures_is_not_served(tmp_path):
  study_dir = stand_ins.make_study(tmp_path)
  study = store.Store(study_dir)
  names = os.listdir(os.path.join(study_dir, "pictures"))
  assert len(names) == len(set(file_hash for *_, file_hash in study.manifest.results()))
  os.unlink(os.path.join(study_dir, "pictures", names[0]))
  with pytest.raises(InputError, match=f"{names[0]}: this picture of the study is gone"):
    servers.StudyServer(study_dir, study, 0)
  study.close()


def test_a_port_that_is_taken(server):
  with pytest.raises(InputError, match=f"`port`={server.port}: cannot be used .*; give another port, or 0"):
    servers.StudyServer(server.study_dir, server.store, server.port)


def test_a_restart_goes_on(tmp_path):
  study_dir = stand_ins.make_study(tmp_path)
  with stand_ins.serving(study_dir) as server:
    token = _ask(server, "/api/join", name="anna")[1]["token"]
    _ask(server, "/api/choice", token=token, position=0, choice="a")
    second = _request(server, "GET", f"/picture/{token}/1/a")[2]
    outcomes = server.store.outcomes()
  with stand_ins.serving(study_dir) as server:
    assert _ask(server, "/api/progress", token=token)[1]["answered"] == 1
    assert _request(server, "GET", f"/picture/{token}/1/a")[2] == second and server.store.outcomes() == outcomes

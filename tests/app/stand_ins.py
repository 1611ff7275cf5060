"""The application served in this process, with models that take as long as a test wants."""

import contextlib
import http.client
import json
import threading

import cv2
import numpy as np

import z2i_tf
from z2i_tf.app.server import AppServer
from z2i_tf.web.server import Server

JSON = {"Content-Type": "application/json"}
BYTES = {"Content-Type": "application/octet-stream"}
HOST = "127.0.0.1"


class MeanPredictor:
  """Fills with the mean of what is known; `gate` holds it up, `error` makes it fail."""

  def __init__(self):
    self.scale, self.settings = 1, {}
    self.max_thickness_px = 56.0
    self.gate = threading.Event()
    self.gate.set()
    self.error = None
    self.calls = 0

  def fill(self, images, holes):
    self.calls += 1
    self.gate.wait(60)
    if self.error is not None:
      raise self.error
    means = images[~holes].mean(axis=0)
    return np.where(holes[..., np.newaxis], means, images).astype(np.float32)


@contextlib.contextmanager
def serving(inpainter=None, port=0, max_pixels=None, max_sessions=20, max_bytes=2**32, token=None):
  """Yields the Server of an application; without an inpainter, one with a MeanPredictor."""
  with Server(HOST, port) as server:
    app = AppServer(inpainter or z2i_tf.Inpainter(MeanPredictor()), "stand-in", max_pixels, max_sessions, max_bytes)
    try:
      app.serve(server, token)
      yield server
    finally:
      app.close()


def request(port, method, path, body=None, headers=None):
  """Returns status, headers (by lower-case name) and body of an answer."""
  connection = http.client.HTTPConnection(HOST, port, timeout=120)
  try:
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
  finally:
    connection.close()


def ask(port, path, fields):
  """Posts JSON to a path under /api/v1; returns status and JSON."""
  status, _, body = request(port, "POST", f"/api/v1{path}", json.dumps(fields), JSON)
  return status, json.loads(body)


def open_photo(port, content, name="photo.png"):
  """Returns what the server says of a photograph that it accepted."""
  status, _, body = request(port, "POST", f"/api/v1/sessions?name={name}", content, BYTES)
  assert status == 201, body
  return json.loads(body)


def fill(port, session, version, shapes, **options):
  """Returns the lines that a fill answers."""
  status, _, body = request(
    port,
    "POST",
    f"/api/v1/sessions/{session}/fills",
    json.dumps({"version": version, "shapes": shapes, **options}),
    JSON,
  )
  assert status == 200, body
  return [json.loads(line) for line in body.splitlines()]


def multipart(files, **fields):
  """Returns body and headers of a form; `files`: name -> (file name, content)."""
  boundary = "z2i-test-boundary"
  parts = [
    f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, value in fields.items()
  ]
  parts += [
    f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n".encode()
    + content
    + b"\r\n"
    for name, (file_name, content) in files.items()
  ]
  return b"".join(parts) + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def picture(height, width, seed=0, dtype=np.uint8):
  """Returns a smooth coloured picture, (H, W, 3)."""
  coarse = np.random.default_rng(seed).random((height // 8 + 2, width // 8 + 2, 3), np.float32)
  smooth = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
  return np.rint(smooth * np.iinfo(dtype).max).astype(dtype)


def png(pixels):
  """Returns an array, gray, RGB or RGBA, as a PNG file."""
  return cv2.imencode(".png", _swapped(pixels))[1].tobytes()


def decode(content):
  """Returns a lossless file's pixels, gray, RGB or RGBA."""
  return _swapped(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))


def _swapped(pixels):
  """RGB to OpenCV's BGR, or back."""
  return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]

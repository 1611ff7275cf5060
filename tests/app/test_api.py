"""The application over real HTTP: fills that equal `z2i inpaint`, what is refused, who may ask, and load."""

import base64
import http.client
import io
import json
import re
import threading
import time

import flask
import numpy as np
from PIL import Image
import psutil
import pytest
import tensorflow as tf
from werkzeug.test import EnvironBuilder

from tests.app import stand_ins
from tests.app.stand_ins import ask
from tests.app.stand_ins import request
from tests.foreign_requests import FOREIGN_HEADERS
import z2i_tf
from z2i_tf.app import filler
from z2i_tf.app import photo_transfer
from z2i_tf.app import previews
from z2i_tf.app import sessions
from z2i_tf.app.api import Api
from z2i_tf.app.api import MAX_CALLS
from z2i_tf.app.server import PAGE_FILES
from z2i_tf.cli.main import main
from z2i_tf.system import memory
from z2i_tf.web.application import SHARED_FILES

_STROKE = {"kind": "brush", "erase": False, "points": [[60, 50, 14], [90, 70, 14]]}
_OTHER = {"kind": "rectangle", "points": [[150, 20], [180, 60]]}
_PATIENCE_S = 60


@pytest.fixture(name="port", scope="module")
def _port(models_loaded_once):
  """Of an application with the bundled model, which `z2i inpaint` uses here, too."""
  del models_loaded_once
  with stand_ins.serving(z2i_tf.Inpainter.load()) as server:
    yield server.port


@pytest.fixture(name="quick_application", scope="module")
def _quick_application():
  predictor = stand_ins.MeanPredictor()
  with stand_ins.serving(z2i_tf.Inpainter(predictor)) as server:
    yield server.port, predictor
    predictor.gate.set()


@pytest.fixture(name="quick")
def _quick(quick_application):
  """Port of an application that fills with means."""
  return quick_application[0]


@pytest.fixture(name="predictor")
def _predictor(quick_application):
  """What that application fills with."""
  predictor = quick_application[1]
  yield predictor
  predictor.gate.set()
  predictor.error = None


def _inpainted(tmp_path, image, mask, *flags):
  """Returns what `z2i inpaint` makes of two files' contents, as a PNG file's content."""
  for name, content in (("image.png", image), ("mask.png", mask)):
    (tmp_path / name).write_bytes(content)
  assert (
    main(
      [
        "inpaint",
        f"--image={tmp_path}/image.png",
        f"--mask={tmp_path}/mask.png",
        f"--output={tmp_path}/result.png",
        *flags,
      ]
    )
    == 0
  )
  return (tmp_path / "result.png").read_bytes()


def _mask(port, session, shapes=()):
  status, _, body = request(
    port, "POST", f"/api/v1/sessions/{session}/mask", json.dumps({"shapes": list(shapes)}), stand_ins.JSON
  )
  assert status == 200, body
  return body


@pytest.mark.parametrize(
  "flags, options",
  [
    ([], {}),
    (["--detail=patches", "--dilate=9", "--feather=5"], {"detail": "patches", "dilate": 9, "feather": 5}),
    (["--detail=none"], {"detail": "none"}),
  ],
)
def test_a_download_is_what_z2i_inpaint_writes(port, tmp_path, flags, options):
  image = stand_ins.png(stand_ins.picture(120, 200))
  photo = stand_ins.open_photo(port, image)
  lines = stand_ins.fill(port, photo["id"], 0, [_STROKE, _OTHER], **options)
  assert lines[-1]["version"] == 1 and {"step": 1, "steps": 2} in lines
  status, headers, body = request(port, "GET", f"/api/v1/sessions/{photo['id']}/photo")
  assert (status, headers["content-type"]) == (200, "image/png")
  assert headers["content-disposition"] == "attachment; filename=photo_filled.png"
  assert body == _inpainted(tmp_path, image, _mask(port, photo["id"]), *flags)
  assert (stand_ins.decode(body) != stand_ins.decode(image)).any()


def test_fills_follow_one_another(port, tmp_path):
  """Two fills are two runs of `z2i inpaint`, the second on the result of the first; 16 bits stay."""
  image = stand_ins.png(stand_ins.picture(120, 200, dtype=np.uint16))
  photo = stand_ins.open_photo(port, image)
  stand_ins.fill(port, photo["id"], 0, [_STROKE])
  first = _inpainted(tmp_path, image, _mask(port, photo["id"]))
  stand_ins.fill(port, photo["id"], 1, [_OTHER])
  status, undone = ask(port, f"/sessions/{photo['id']}/undo", {"version": 2})
  assert status == 200 and (undone["undo"], undone["redo"]) == (1, 1)
  assert request(port, "GET", f"/api/v1/sessions/{photo['id']}/photo")[2] == first
  assert ask(port, f"/sessions/{photo['id']}/redo", {"version": 3})[0] == 200
  both = stand_ins.decode(_mask(port, photo["id"]))
  second = stand_ins.png(both - stand_ins.decode(_mask_of_stroke(port, photo)))
  assert request(port, "GET", f"/api/v1/sessions/{photo['id']}/photo")[2] == _inpainted(tmp_path, first, second)


def _mask_of_stroke(port, photo):
  """Returns the mask of the first fill alone, drawn on a photograph without fills."""
  blank = stand_ins.open_photo(port, stand_ins.png(np.zeros((photo["height"], photo["width"], 3), np.uint8)))
  return _mask(port, blank["id"], [_STROKE])


def test_one_call_for_scripts(port, tmp_path):
  image, mask = stand_ins.picture(90, 130), np.zeros((90, 130), np.uint8)
  mask[30:50, 40:80] = 255
  files = {"image": ("holiday.PNG", stand_ins.png(image)), "mask": ("m.png", stand_ins.png(255 - mask))}
  body, headers = stand_ins.multipart(files, dilate=3, feather=2, invert_mask="true")
  status, answer, result = request(port, "POST", "/api/v1/inpaint", body, headers)
  assert status == 200 and answer["content-disposition"] == "attachment; filename=holiday_filled.png"
  assert result == _inpainted(
    tmp_path, files["image"][1], files["mask"][1], "--invert_mask", "--dilate=3", "--feather=2"
  )
  body, headers = stand_ins.multipart(files, invert_mask="true", format="tif")
  status, answer, result = request(port, "POST", "/api/v1/inpaint", body, headers)
  assert (status, answer["content-type"], result[:2]) == (200, "image/tiff", b"II")


@pytest.mark.parametrize("own_mask", [False, True])
def test_a_hole_that_was_erased_becomes_opaque(quick, own_mask):
  """As `z2i inpaint` writes it; undo brings the transparency back."""
  image = np.dstack([stand_ins.picture(60, 80), np.full((60, 80), 255, np.uint8)])
  image[20:40, 30:50, 3] = 60 if own_mask else 0
  mask = np.zeros((60, 80), np.uint8)
  mask[20:40, 30:50] = 255
  photo = stand_ins.png(image)
  files = {"image": ("a.png", photo), "mask": ("m.png", stand_ins.png(mask))}
  options = {"detail": "none"}
  if own_mask:
    files["mask"], options = files["image"], {**options, "mask_from": "alpha", "invert_mask": "true"}
  body, headers = stand_ins.multipart(files, **options)
  status, answer, result = request(quick, "POST", "/api/v1/inpaint", body, headers)
  assert status == 200 and "opaque now" in answer["x-remarks"], result
  result = stand_ins.decode(result)
  assert (result[..., 3] == 255).all() and (result[..., :3] == image[..., :3])[mask == 0].all()
  if own_mask:
    return
  session = stand_ins.open_photo(quick, photo)["id"]
  lines = stand_ins.fill(quick, session, 0, [{"kind": "rectangle", "points": [[30, 20], [50, 40]]}], detail="none")
  assert "opaque now" in lines[-1]["remark"]
  np.testing.assert_array_equal(stand_ins.decode(request(quick, "GET", f"/api/v1/sessions/{session}/photo")[2]), result)
  piece = lines[-1]["patches"][0]
  shown = stand_ins.decode(base64.b64decode(piece["png"]))
  rows, columns = slice(piece["y"], piece["y"] + len(shown)), slice(piece["x"], piece["x"] + shown.shape[1])
  np.testing.assert_array_equal(shown, result[rows, columns])
  assert ask(quick, f"/sessions/{session}/undo", {"version": 1})[0] == 200
  np.testing.assert_array_equal(stand_ins.decode(request(quick, "GET", f"/api/v1/sessions/{session}/photo")[2]), image)


def test_a_faint_mask_is_read_by_its_threshold(quick):
  mask = np.zeros((60, 80), np.uint8)
  mask[20:40, 30:50] = 100
  files = {"image": ("a.png", stand_ins.png(stand_ins.picture(60, 80))), "mask": ("m.png", stand_ins.png(mask))}
  for fields, expected, text in (
    ({}, 400, "ambiguous"),
    ({"mask_threshold": 90}, 200, ""),
    ({"mask_threshold": 0}, 400, "from 1 to 255"),
    ({"mask_treshold": 90}, 400, "is not a field"),
    ({"dilate": "9" * 5000}, 400, "whole number"),
  ):
    status, _, body = request(quick, "POST", "/api/v1/inpaint", *stand_ins.multipart(files, **fields))
    assert (status, status == 200 or text in json.loads(body)["error"]) == (expected, True), body


def test_a_panorama_fits_the_canvas_of_a_browser(quick):
  photo = stand_ins.open_photo(quick, stand_ins.png(np.full((20, 40000, 3), 90, np.uint8)))
  preview = stand_ins.decode(request(quick, "GET", f"/api/v1/sessions/{photo['id']}/preview")[2])
  assert photo["factor"] == 3 and preview.shape == (7, 13334, 3)


def test_the_page_gets_pieces_of_its_preview(quick, monkeypatch):
  """Whatever a fill, an undo and a redo send, put into the former preview makes the present one."""
  monkeypatch.setattr(previews, "MAX_PIXELS", 2000)
  monkeypatch.setattr(previews.factor, "__defaults__", (2000,))
  # With alpha: previews are PNG files.
  pixels = np.dstack([stand_ins.picture(121, 203), np.full((121, 203), 200, np.uint8)])
  photo = stand_ins.open_photo(quick, stand_ins.png(pixels))
  session, factor = f"/api/v1/sessions/{photo['id']}", photo["factor"]
  assert factor == 4
  preview = stand_ins.decode(request(quick, "GET", f"{session}/preview")[2])
  original = preview.copy()
  assert preview.shape == (31, 51, 4)
  np.testing.assert_array_equal(preview[3, 5, :3], np.rint(pixels[12:16, 20:24, :3].mean(axis=(0, 1)) + 1e-6))
  corner = {"kind": "rectangle", "points": [[190, 100], [203, 121]]}
  answers = [
    stand_ins.fill(quick, photo["id"], 0, [_STROKE, corner])[-1],
    ask(quick, f"/sessions/{photo['id']}/undo", {"version": 1})[1],
    ask(quick, f"/sessions/{photo['id']}/redo", {"version": 2})[1],
  ]
  for answer in answers:
    for patch in answer["patches"]:
      piece = stand_ins.decode(base64.b64decode(patch["png"]))
      assert piece.shape[0] * piece.shape[1] < 0.6 * preview.shape[0] * preview.shape[1]
      preview[patch["y"] : patch["y"] + len(piece), patch["x"] : patch["x"] + piece.shape[1]] = piece
    if answer is answers[1]:
      np.testing.assert_array_equal(preview, original)
  np.testing.assert_array_equal(preview, stand_ins.decode(request(quick, "GET", f"{session}/preview")[2]))
  assert (preview != original).any()
  np.testing.assert_array_equal(
    original, stand_ins.decode(request(quick, "GET", f"{session}/preview?original=true")[2])
  )
  status, headers, part = request(quick, "GET", f"{session}/view?x=30&y=21&width=60&height=40&max_pixels=2400")
  assert (status, headers["x-box"]) == (200, "30,21,60,40")
  filled = stand_ins.decode(request(quick, "GET", f"{session}/photo")[2])
  np.testing.assert_array_equal(stand_ins.decode(part), filled[21:61, 30:90])


def test_metadata_and_format_come_back(quick):
  buffer = io.BytesIO()
  exif = Image.Exif()
  exif[0x010F], exif[0x0112] = "A camera", 6
  Image.fromarray(stand_ins.picture(64, 96)).save(buffer, "JPEG", quality=88, exif=exif, dpi=(300, 300))
  photo = stand_ins.open_photo(quick, buffer.getvalue(), "Urlaub%20%C3%BC.jpeg")
  assert (photo["name"], photo["extension"], photo["height"], photo["width"]) == ("Urlaub ü", ".jpeg", 96, 64)
  stand_ins.fill(quick, photo["id"], 0, [{"kind": "rectangle", "points": [[20, 20], [30, 40]]}], detail="none")
  status, headers, body = request(quick, "GET", f"/api/v1/sessions/{photo['id']}/photo")
  assert status == 200 and "quantization tables" in headers["x-remarks"]
  image = Image.open(io.BytesIO(body))
  exif = image.getexif()
  assert (image.format, image.size, exif[0x010F], exif[0x0112]) == ("JPEG", (64, 96), "A camera", 1)
  assert request(quick, "GET", f"/api/v1/sessions/{photo['id']}/photo?format=png")[2][:4] == b"\x89PNG"
  misnamed = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(20, 20)), "misnamed.jpg")
  assert misnamed["extension"] == ".png"


@pytest.mark.parametrize(
  "name, kind, extension, media_type",
  [
    ("a.jfif", "JPEG", ".jfif", "image/jpeg"),
    ("a.JPE", "JPEG", ".jpe", "image/jpeg"),
    ("a.mpo", "MPO", ".jpg", "image/jpeg"),
    ("a.apng", "PNG", ".png", "image/png"),
    ("a.TIFF", "TIFF", ".tiff", "image/tiff"),
    ("a", "WEBP", ".webp", "image/webp"),
    ("a.dib", "BMP", ".bmp", "image/bmp"),
    ("a.gif", "GIF", ".png", "image/png"),
  ],
)
def test_every_extension_comes_back(quick, name, kind, extension, media_type):
  buffer = io.BytesIO()
  pictures = [Image.fromarray(stand_ins.picture(40, 60, seed)) for seed in range(2)]
  pictures[0].save(buffer, kind, **({"save_all": True, "append_images": pictures[1:]} if kind == "MPO" else {}))
  photo = stand_ins.open_photo(quick, buffer.getvalue(), name)
  assert photo["extension"] == extension
  assert any("GIF cannot be written" in remark for remark in photo["remarks"]) == (kind == "GIF")
  status, headers, body = request(quick, "GET", f"/api/v1/sessions/{photo['id']}/photo")
  assert (status, headers["content-type"]) == (200, media_type)
  assert headers["content-disposition"] == f"attachment; filename=a_filled{extension}"
  assert Image.open(io.BytesIO(body)).size == (60, 40)


def test_a_mask_file_is_filled(quick):
  mask = np.zeros((120, 200), np.uint8)
  mask[20:40, 30:60] = 255
  photo = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200)))
  path = f"/api/v1/sessions/{photo['id']}/masks?name=m.png"
  status, _, body = request(quick, "POST", path, stand_ins.png(mask), stand_ins.BYTES)
  loaded = json.loads(body)
  assert status == 201 and loaded["text"] == "hole 2.5% of the image, 1 region"
  shape = {"kind": "mask", "mask": loaded["mask"]}
  assert stand_ins.fill(quick, photo["id"], 0, [shape, {**_OTHER, "erase": True}], detail="none")[-1]["version"] == 1
  np.testing.assert_array_equal(stand_ins.decode(_mask(quick, photo["id"]))[..., 0], mask)
  # The hole as z2i inpaint's flags read it.
  faint = stand_ins.png(np.where(mask, 155, 255).astype(np.uint8))
  for fields, expected, text in (
    ("", 400, "covers everything"),
    ("&invert_mask=true&mask_threshold=90", 201, "hole 2.5% of the image, 1 region, inverted"),
    ("&invert_mask=yes", 400, '"invert_mask" must be'),
    ("&mask_threshold=256", 400, "from 1 to 255"),
    ("&mask_from=alpha", 400, "no alpha channel"),
    ("&threshold=90", 400, "is not a field"),
  ):
    status, _, body = request(quick, "POST", path + fields, faint, stand_ins.BYTES)
    answer = json.loads(body)
    assert status == expected and text in answer.get("text", answer.get("error")), answer
  status, _, body = request(quick, "POST", path, stand_ins.png(mask[:50]), stand_ins.BYTES)
  assert status == 400 and "differ in size" in json.loads(body)["error"]


def test_a_fill_that_fails_or_is_cancelled_leaves_the_picture(quick, predictor, capsys):
  image = stand_ins.png(stand_ins.picture(120, 200))
  photo = stand_ins.open_photo(quick, image)
  path = f"/api/v1/sessions/{photo['id']}"
  whole = {"kind": "rectangle", "points": [[0, 0], [200, 120]]}
  assert "covers everything" in stand_ins.fill(quick, photo["id"], 0, [whole])[-1]["error"]
  predictor.error = ZeroDivisionError()
  assert "The picture is as it was" in stand_ins.fill(quick, photo["id"], 0, [_STROKE])[-1]["error"]
  assert "ZeroDivisionError" in capsys.readouterr().err
  predictor.error = tf.errors.ResourceExhaustedError(None, None, "no memory")
  assert "out of memory" in stand_ins.fill(quick, photo["id"], 0, [_STROKE])[-1]["error"]
  predictor.error = None
  predictor.gate.clear()
  lines = []
  thread = threading.Thread(target=lambda: lines.extend(stand_ins.fill(quick, photo["id"], 0, [_STROKE])))
  thread.start()
  _wait_for(
    lambda: ask(quick, f"/sessions/{photo['id']}/undo", {"version": 0})[1]["error"].startswith(
      "This photograph is being filled"
    )
  )
  assert json.loads(request(quick, "DELETE", f"{path}/fills")[2]) == {"cancelled": True}
  thread.join(_PATIENCE_S)  # At once, though the model is not back yet.
  assert lines[-1] == {"cancelled": True} and not predictor.gate.is_set()
  predictor.gate.set()
  assert json.loads(request(quick, "DELETE", f"{path}/fills")[2]) == {"cancelled": False}
  assert stand_ins.decode(request(quick, "GET", f"{path}/photo")[2]).tolist() == stand_ins.decode(image).tolist()
  assert stand_ins.fill(quick, photo["id"], 0, [_STROKE])[-1]["version"] == 1


def _wait_for(condition):
  end = time.monotonic() + _PATIENCE_S
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.02)


def test_a_fill_whose_page_is_gone_is_given_up(quick, predictor, monkeypatch):
  monkeypatch.setattr(filler, "_HEARTBEAT_S", 0.05)
  photo = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200)))
  predictor.gate.clear()
  connection = http.client.HTTPConnection(stand_ins.HOST, quick, timeout=10)
  path = f"/api/v1/sessions/{photo['id']}/fills"
  connection.request("POST", path, json.dumps({"version": 0, "shapes": [_STROKE]}), stand_ins.JSON)
  connection.getresponse().readline()
  connection.close()
  _wait_for(lambda: json.loads(request(quick, "DELETE", path)[2])["cancelled"] is False)
  predictor.gate.set()


def test_a_fill_whose_page_leaves_before_the_first_line_is_given_up():
  """A WSGI server then closes the answer without reading any of it."""
  predictor = stand_ins.MeanPredictor()
  predictor.gate.clear()
  files, queue, application = photo_transfer.PhotoFiles(None), filler.Filler(4), flask.Flask("test")
  Api(z2i_tf.Inpainter(predictor), "", files, sessions.Sessions(4, 2**30), queue).add_to(application)
  client, image = application.test_client(), stand_ins.picture(120, 200)
  photo = client.post("/api/v1/sessions?name=a.png", data=stand_ins.png(image)).json["id"]
  request = EnvironBuilder(
    f"/api/v1/sessions/{photo}/fills", method="POST", json={"version": 0, "shapes": [_STROKE], "detail": "none"}
  )
  application(request.get_environ(), lambda *_: None).close()
  assert client.delete(f"/api/v1/sessions/{photo}/fills").json == {"cancelled": False}
  predictor.gate.set()
  _wait_for(lambda: client.get("/api/v1/health").json["fills"] == 0)
  np.testing.assert_array_equal(stand_ins.decode(client.get(f"/api/v1/sessions/{photo}/photo").data), image)
  queue.close()
  files.close()


def test_a_photograph_that_is_dropped_while_it_is_filled():
  """The page is told that the photograph is gone, not that somebody cancelled."""
  predictor = stand_ins.MeanPredictor()
  with stand_ins.serving(z2i_tf.Inpainter(predictor), max_sessions=1) as server:
    photo, lines = stand_ins.open_photo(server.port, stand_ins.png(stand_ins.picture(120, 200))), []
    predictor.gate.clear()
    thread = threading.Thread(target=lambda: lines.extend(stand_ins.fill(server.port, photo["id"], 0, [_STROKE])))
    thread.start()
    _wait_for(lambda: json.loads(request(server.port, "GET", "/api/v1/health")[2])["fills"] == 1)
    stand_ins.open_photo(server.port, stand_ins.png(stand_ins.picture(20, 30)))
    thread.join(_PATIENCE_S)
    predictor.gate.set()
  assert lines[-1]["status"] == 410 and "make room" in lines[-1]["error"]


def test_the_original_is_the_upload_however_long_the_history(quick, monkeypatch):
  monkeypatch.setattr(sessions, "_MAX_HISTORY_BYTES", 1)
  photo = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200)))
  path = f"/api/v1/sessions/{photo['id']}/preview"
  uploaded = request(quick, "GET", path)[2]
  for version, shape in enumerate((_STROKE, _OTHER)):
    stand_ins.fill(quick, photo["id"], version, [shape], detail="none")
  assert request(quick, "GET", f"{path}?original=true")[2] == uploaded != request(quick, "GET", path)[2]


def test_two_windows_do_not_mix(quick):
  photo = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200)))
  other = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200, seed=1)))
  before = request(quick, "GET", f"/api/v1/sessions/{other['id']}/photo")[2]
  assert stand_ins.fill(quick, photo["id"], 0, [_STROKE])[-1]["version"] == 1
  status, answer = ask(quick, f"/sessions/{photo['id']}/fills", {"version": 0, "shapes": [_OTHER]})
  assert status == 409 and "Another window" in answer["error"]
  assert request(quick, "GET", f"/api/v1/sessions/{other['id']}/photo")[2] == before


@pytest.mark.parametrize(
  "name, content, message",
  [
    ("notes.txt", b"no picture at all", "notes.txt: not an image that can be read: unknown format"),
    ("cut.png", stand_ins.png(stand_ins.picture(40, 60))[:900], "cut.png: not an image that can be read"),
    ("", b"", "photograph: not an image that can be read"),
    ("../../etc/passwd", b"x", "passwd: not an image that can be read"),
    ("a%0Ab%00.png", b"x", "a_b_.png: not an image that can be read"),
    ("%F0%9F%98%80" * 90 + ".png", b"x", ".png: not an image that can be read"),
  ],
)
def test_what_is_no_photograph_is_refused_by_its_name(quick, name, content, message):
  status, _, body = request(quick, "POST", f"/api/v1/sessions?name={name}", content, stand_ins.BYTES)
  error = json.loads(body)["error"]
  assert status == 400 and message in error and "/" not in error.split(":")[0] and "z2i_app" not in error


def test_large_photographs_are_refused():
  with stand_ins.serving(max_pixels=5000, max_sessions=2) as server:
    large = stand_ins.png(stand_ins.picture(80, 90))
    status, _, body = request(server.port, "POST", "/api/v1/sessions?name=a.png", large)
    error = json.loads(body)["error"]
    assert (
      status == 400 and "7,200 pixels, more than 5,000" in error and error.endswith("raise the limit with max_pixels")
    )
    small = stand_ins.png(stand_ins.picture(20, 30))
    first, _, _ = (stand_ins.open_photo(server.port, small) for _ in range(3))
    status, _, body = request(server.port, "GET", f"/api/v1/sessions/{first['id']}")
    assert status == 410 and "make room" in json.loads(body)["error"]
    status, _, body = request(server.port, "POST", "/api/v1/sessions", None, {"Content-Length": str(2**28 + 1)})
    error = json.loads(body)["error"]
    assert status == 413 and error.startswith("Request Entity Too Large: exceeds max_body of 268435456")


_J = stand_ins.JSON


@pytest.mark.parametrize(
  "method, path, body, headers, status",
  [
    ("GET", "/nothing", None, {}, 404),
    ("GET", "/../setup.py", None, {}, 404),
    ("GET", "/static/main.js", None, {}, 404),
    ("GET", "/api/v1/sessions/nobody", None, {}, 404),
    ("GET", "/api/v1/sessions/nobody/photo", None, {}, 404),
    ("POST", "/api/v1/health", "{}", _J, 405),
    ("DELETE", "/", None, {}, 405),
    ("POST", "/api/v1/sessions/ID/fills", "{", _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", "[]", _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", "[" * 5000, _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", b"\xff", _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", "{}", {"Content-Type": "text/plain"}, 415),
    ("POST", "/api/v1/sessions/ID/fills", "{}", _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [], "version": 0}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE]}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE], "version": 0, "dilate": -1}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE], "version": 0, "dilate": 2000}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE], "version": 0, "feather": 1}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE], "version": 0, "detail": "much"}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE], "version": 0, "dilation": 1}', _J, 400),
    (
      "POST",
      "/api/v1/sessions/ID/fills",
      '{"shapes": [{"kind": "rectangle", "points": [[1%s, 2], [3, 4]]}], "version": 0}' % ("0" * 400),
      _J,
      400,
    ),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [STROKE], "version": 7}', _J, 409),
    ("POST", "/api/v1/sessions/ID/undo", '{"version": false}', _J, 400),
    ("POST", "/api/v1/sessions/ID/fills", '{"shapes": [{"kind": "mask", "mask": "x"}], "version": 0}', _J, 400),
    ("POST", "/api/v1/sessions/ID/undo", '{"version": 0}', _J, 409),
    ("POST", "/api/v1/sessions/ID/mask", '{"shapes": []}', _J, 409),
    ("GET", "/api/v1/sessions/ID/view?x=0&y=0&width=5", None, {}, 400),
    ("GET", "/api/v1/sessions/ID/view?x=900&y=0&width=5&height=5&max_pixels=9", None, {}, 400),
    ("GET", "/api/v1/sessions/ID/view?x=-1&y=0&width=5&height=5&max_pixels=9", None, {}, 400),
    ("GET", "/api/v1/sessions/ID/photo?format=exe", None, {}, 400),
    ("POST", "/api/v1/inpaint", "x", {"Content-Type": "multipart/form-data; boundary=q"}, 400),
    ("POST", "/api/v1/inpaint", "{}", _J, 400),
    *(("GET", "/api/v1/sessions/ID/preview", None, headers, status) for headers, status in FOREIGN_HEADERS),
    ("POST", "/api/v1/sessions", b"x", {"Origin": "https://127.0.0.1"}, 403),
  ],
)
def test_what_cannot_be_answered_is_an_error_in_json(quick, method, path, body, headers, status):
  photo = stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200)))
  if isinstance(body, str):
    body = body.replace("STROKE", json.dumps(_STROKE))
  found, answer_headers, answer = request(quick, method, path.replace("ID", photo["id"]), body, headers)
  assert found == status, answer
  error = json.loads(answer)["error"]
  assert list(json.loads(answer)) == ["error"] and error.endswith(".") and "\n" not in error
  assert "default-src 'none'" in answer_headers["content-security-policy"]
  assert request(quick, "GET", f"/api/v1/sessions/{photo['id']}")[0] == 200


def test_pages_come_from_here_and_name_nothing_elsewhere(quick):
  for path in (*PAGE_FILES, *SHARED_FILES):
    status, headers, body = request(quick, "GET", path)
    assert status == 200 and body
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["x-content-type-options"] == "nosniff" and "server" not in headers
    assert not re.findall(rb"https?://(?!www\.w3\.org)", body), path


def test_a_token_is_needed_where_there_is_one():
  token = "a secret of some length"
  with stand_ins.serving(token=token) as server:
    for path, headers in (
      ("/", {}),
      ("/api/v1/health", {}),
      ("/?token=wrong", {}),
      ("/main.js", {"Cookie": "z2i_token=x"}),
      ("/api/v1/health", {"Authorization": "Bearer wrong"}),
      ("/api/v1/health?token=" + token.replace(" ", "+"), {}),
    ):
      status, _, body = request(server.port, "GET", path, None, headers)
      assert status == 401 and "needs its token" in json.loads(body)["error"]
    assert request(server.port, "GET", "/api/v1/health", None, {"Authorization": f"Bearer {token}"})[0] == 200
    status, headers, _ = request(server.port, "GET", "/?token=" + token.replace(" ", "+"))
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"] and "SameSite=Strict" in headers["set-cookie"]
    assert request(server.port, "GET", "/", None, {"Cookie": headers["set-cookie"].split(";")[0]})[0] == 200


def test_the_document_describes_every_address(quick):
  status, _, body = request(quick, "GET", "/api/v1/openapi.json")
  document = json.loads(body)
  assert status == 200 and document["openapi"].startswith("3.")
  described = {
    (method.upper(), path)
    for path, methods in document["paths"].items()
    for method in methods
    if method != "parameters"
  }
  application = flask.Flask("test", static_folder=None)
  Api(None, "", None, None, None).add_to(application)
  served = {
    (method, rule.rule.replace("<", "{").replace(">", "}"))
    for rule in application.url_map.iter_rules()
    for method in rule.methods - {"HEAD", "OPTIONS"}
  }
  assert described == served
  health = json.loads(request(quick, "GET", "/api/v1/health")[2])
  assert health == {**health, "status": "ok", "version": z2i_tf.__version__, "model": "stand-in", "fills": 0}
  assert set(health) == set(document["components"]["schemas"]["Health"]["properties"])


def test_eight_users_are_served_in_turn(quick, predictor):
  """Nobody is lost, everybody is told a place, and what they get is theirs."""
  predictor.gate.clear()
  photos = [stand_ins.open_photo(quick, stand_ins.png(stand_ins.picture(120, 200, seed=seed))) for seed in range(8)]
  lines = [None] * 8
  threads = []
  for number, photo in enumerate(photos):
    threads.append(
      threading.Thread(
        target=lambda number=number, photo=photo: lines.__setitem__(
          number, stand_ins.fill(quick, photo["id"], 0, [_STROKE], detail="none")
        )
      )
    )
    threads[-1].start()
    _wait_for(lambda fills=number + 1: json.loads(request(quick, "GET", "/api/v1/health")[2])["fills"] == fills)
  predictor.gate.set()
  for thread in threads:
    thread.join(_PATIENCE_S)
  assert [answer[-1]["version"] for answer in lines] == [1] * 8
  assert [max(line.get("place", 0) for line in answer) for answer in lines[1:]] == list(range(1, 8))
  results = [stand_ins.decode(request(quick, "GET", f"/api/v1/sessions/{photo['id']}/photo")[2]) for photo in photos]
  for seed, result in enumerate(results):
    known = (result == stand_ins.picture(120, 200, seed=seed)).all(axis=-1)
    assert 0.85 < known.mean() < 1


def test_more_calls_than_the_server_takes_are_told_to_come_back(quick, predictor):
  predictor.gate.clear()
  mask = np.zeros((64, 64), np.uint8)
  mask[30:34, 30:34] = 255
  body, headers = stand_ins.multipart(
    {"image": ("a.png", stand_ins.png(stand_ins.picture(64, 64))), "mask": ("m.png", stand_ins.png(mask))},
    detail="none",
  )
  answers = []
  count = MAX_CALLS + 33
  threads = [
    threading.Thread(target=lambda: answers.append(request(quick, "POST", "/api/v1/inpaint", body, headers)))
    for _ in range(count)
  ]
  for thread in threads:
    thread.start()
  _wait_for(lambda: len(answers) == count - MAX_CALLS)
  assert request(quick, "GET", "/api/v1/health")[0] == request(quick, "GET", "/")[0] == 200
  for status, answer, sentence in answers:
    assert (status, answer["retry-after"]) == (503, "5")
    assert json.loads(sentence) == {"error": f"The server already answers {MAX_CALLS} calls. Try again in a moment."}
  assert len(answers) == count - MAX_CALLS
  predictor.gate.set()
  for thread in threads:
    thread.join(_PATIENCE_S)
  assert [status for status, _, _ in answers[-MAX_CALLS:]] == [200] * MAX_CALLS
  assert request(quick, "POST", "/api/v1/inpaint", body, headers)[0] == 200


def test_five_hundred_requests_leave_memory_as_it_was(quick):
  mask = np.zeros((64, 64), np.uint8)
  mask[30:34, 30:34] = 255
  body, headers = stand_ins.multipart(
    {"image": ("a.png", stand_ins.png(stand_ins.picture(64, 64))), "mask": ("m.png", stand_ins.png(mask))},
    detail="none",
  )

  def send(count):
    statuses = []
    for _ in range(count):
      statuses.append(request(quick, "POST", "/api/v1/inpaint", body, headers)[0])
    return statuses

  assert send(100) == [200] * 100
  before = psutil.Process().memory_info().rss
  results = []
  threads = [threading.Thread(target=lambda: results.extend(send(125))) for _ in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert results == [200] * 500
  grown = psutil.Process().memory_info().rss - before
  assert grown < 60e6, memory.format_size(grown)

"""The HTTP API: one call for scripts, sessions for the page. openapi.json describes it."""

import base64
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import hashlib
import importlib.resources
import json
import threading
from typing import Any, BinaryIO

import flask
import numpy as np

import z2i_tf
from z2i_tf.app import filling
from z2i_tf.app import photo_transfer
from z2i_tf.app import previews
from z2i_tf.app import shapes as shapes_lib
from z2i_tf.app.filler import Cancelled
from z2i_tf.app.filler import Filler
from z2i_tf.app.filler import Job
from z2i_tf.app.photo_transfer import PhotoFiles
from z2i_tf.app.sessions import Session
from z2i_tf.app.sessions import Sessions
from z2i_tf.images import photo_files
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.inference.inpainter import Patch
from z2i_tf.inference.pieces import check_hole
from z2i_tf.web.application import json_object
from z2i_tf.web.application import Refusal
from z2i_tf.web.application import sentence

ROOT = "/api/v1"
_MAX_JSON_BYTES = 2**24
_MAX_VIEW_PIXELS = 2**23
# Maximum number of scripts' calls that hold a server thread; further calls are refused. At most `_MAX_CALLS_IN_MEMORY`
# of them hold a photograph in memory; the others wait.
MAX_CALLS = 12
_MAX_CALLS_IN_MEMORY = 4
_CALL_FIELDS = ("detail", "dilate", "feather", "invert_mask", "mask_from", "mask_threshold", "format")
_MASK_FIELDS = ("name", "invert_mask", "mask_from", "mask_threshold")
_FILL_FIELDS = ("version", "shapes", "detail", "dilate", "feather")
_BLOCK_BYTES = 2**20
_REMARKS_HEADER, _BOX_HEADER = "X-Remarks", "X-Box"


class Api:
  """Answers requests to the HTTP API."""

  def __init__(self, inpainter: Inpainter, model: str, files: PhotoFiles, sessions: Sessions, filler: Filler):
    """Keeps the parts that answer requests; `model` is the model's name, which `health` reports."""
    self._inpainter, self._model = inpainter, model
    self._files, self._sessions, self._filler = files, sessions, filler
    self._calls = threading.BoundedSemaphore(MAX_CALLS)
    self._calls_in_memory = threading.BoundedSemaphore(_MAX_CALLS_IN_MEMORY)

  def add_to(self, application: flask.Flask) -> None:
    """Adds the API's addresses to an application."""
    document = (importlib.resources.files("z2i_tf.app") / "openapi.json").read_bytes()
    session = f"{ROOT}/sessions/<name>"
    for method, path, answer in (
      ("GET", f"{ROOT}/health", self._health),
      ("GET", f"{ROOT}/openapi.json", lambda: flask.Response(document, content_type="application/json")),
      ("POST", f"{ROOT}/inpaint", self._inpaint),
      ("POST", f"{ROOT}/sessions", self._open),
      ("GET", session, lambda name: self._sessions.get(name).describe()),
      ("DELETE", session, self._forget),
      ("GET", f"{session}/preview", self._preview),
      ("GET", f"{session}/view", self._view),
      ("POST", f"{session}/fills", self._fill),
      ("DELETE", f"{session}/fills", lambda name: {"cancelled": self._sessions.get(name).cancel()}),
      ("POST", f"{session}/undo", self._undo),
      ("POST", f"{session}/redo", self._redo),
      ("POST", f"{session}/masks", self._load_mask),
      ("POST", f"{session}/mask", self._mask),
      ("GET", f"{session}/photo", self._photo),
    ):
      application.add_url_rule(path, f"{method} {path}", answer, methods=[method])

  def _health(self):
    return {
      "status": "ok",
      "version": z2i_tf.__version__,
      "model": self._model,
      "sessions": len(self._sessions),
      "fills": self._filler.waiting,
    }

  def _inpaint(self):
    if not self._calls.acquire(blocking=False):
      raise Refusal(
        503, f"The server already answers {MAX_CALLS} calls. Try again in a moment.", **{"Retry-After": "5"}
      )
    try:
      return self._filled()
    finally:
      self._calls.release()

  def _filled(self):
    request = flask.request
    for name in ("image", "mask"):
      if name not in request.files:
        raise Refusal(400, 'Send multipart/form-data with two files, "image" and "mask".')
    fields = filling.as_fields(request.form)
    _check_names(fields, _CALL_FIELDS)
    options, reading = filling.Options.parse(fields), filling.parse_mask_reading(fields)
    image, mask = request.files["image"], request.files["mask"]
    is_own_mask = reading.is_of_erasure and _is_same(image.stream, mask.stream)
    with self._calls_in_memory:
      file = self._files.read_photo(image.stream, image.filename or "")
      extension = _extension(fields.get("format"), file.extension)
      levels, _ = self._files.read_mask(mask.stream, mask.filename or "", file.photo, reading)
      check_hole(levels)
      hole = shapes_lib.crop_to_hole(levels)
      pixels = photo_transfer.stack_channels(file.photo)
      job = Job(lambda job: filling.fill(self._inpainter, pixels, hole, options, job, is_own_mask))
      patches, remark = self._done(job)
      for patch in patches:
        pixels[patch.box] = patch.pixels
      return self._written(photo_transfer.with_pixels(file.photo, pixels), file.name, extension, remark)

  def _done(self, job):
    """Queues a job and returns its result."""
    self._filler.submit(job)
    try:
      return job.result()
    except Cancelled as error:
      raise Refusal(503, "The server is ending.") from error

  def _open(self):
    session = Session(self._files.read_photo(flask.request.stream, flask.request.args.get("name", "")))
    self._sessions.add(session)
    return session.describe(), 201

  def _forget(self, name):
    self._sessions.remove(name)
    return "", 204

  def _preview(self, name):
    session = self._sessions.get(name)
    body, kind = session.original if flask.request.args.get("original") == "true" else session.preview()
    return flask.Response(body, content_type=kind)

  def _view(self, name):
    """Returns a part of the photograph, reduced to at most `max_pixels`; the page shows it when zoomed in far."""
    session = self._sessions.get(name)
    x, y, width, height = (_whole_number(key) for key in ("x", "y", "width", "height"))
    box = tuple(
      slice(min(start, side), min(start + length, side))
      for start, length, side in zip((y, x), (height, width), session.size)
    )
    if not all(part.stop > part.start for part in box):
      raise Refusal(400, "That part lies outside the photograph.")
    step = previews.factor(
      [part.stop - part.start for part in box], min(_MAX_VIEW_PIXELS, max(1, _whole_number("max_pixels")))
    )
    box = previews.aligned(box, step, session.size)
    body, kind = session.shown(box, step, exact=False)
    rows, columns = box
    place = columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
    return flask.Response(body, content_type=kind, headers={_BOX_HEADER: ",".join(map(str, place))})

  def _fill(self, name):
    session, fields = self._sessions.get(name), json_object(_MAX_JSON_BYTES)
    _check_names(fields, _FILL_FIELDS)
    options = filling.Options.parse(fields)
    mask = session.draw(shapes_lib.parse(fields.get("shapes")))
    if mask is None:
      raise Refusal(400, "Nothing of the photograph is painted.")

    def work(job):
      patches, remark = filling.fill(self._inpainter, session.pixels, mask, options, job)
      return self._changed(session, session.apply(job, mask, patches).after, remark)

    job = Job(work, session.end)
    session.begin(_version(fields), job)
    try:
      self._filler.submit(job)
    except Refusal:
      session.end(job)
      raise

    def give_up():  # Has no effect after the fill.
      session.end(job)
      job.cancel()

    answer = flask.Response(self._lines(session, job), content_type="application/x-ndjson")
    answer.call_on_close(give_up)
    return answer

  def _undo(self, name):
    session = self._sessions.get(name)
    return self._changed(session, session.undo(_version(json_object(_MAX_JSON_BYTES))).before)

  def _redo(self, name):
    session = self._sessions.get(name)
    return self._changed(session, session.redo(_version(json_object(_MAX_JSON_BYTES))).after)

  def _load_mask(self, name):
    session = self._sessions.get(name)
    fields = filling.as_fields(flask.request.args)
    _check_names(fields, _MASK_FIELDS)
    reading = filling.parse_mask_reading(fields)
    mask, text = self._files.read_mask(flask.request.stream, fields.get("name", ""), session.file.photo, reading)
    check_hole(mask)
    shown = previews.shrunk(mask * np.uint8(255), session.factor)
    body, _ = previews.encode(
      np.repeat(np.uint8(255) * np.ones_like(shown)[..., np.newaxis], 3, axis=2), shown, None, exact=True
    )
    return {"mask": session.add_mask(mask), "text": text, "png": base64.b64encode(body).decode()}, 201

  def _mask(self, name):
    """Returns the mask of all fills and painted strokes as a PNG file."""
    session = self._sessions.get(name)
    painted = session.draw(shapes_lib.parse(json_object(_MAX_JSON_BYTES).get("shapes")))
    union = shapes_lib.union(session.filled_masks() + [mask for mask in [painted] if mask is not None], session.size)
    if not union.any():
      raise Refusal(409, "Nothing has been painted yet.")
    body, _ = previews.encode(np.repeat((union * np.uint8(255))[..., np.newaxis], 3, axis=2), None, None, exact=True)
    return flask.Response(body, content_type="image/png")

  def _photo(self, name):
    session = self._sessions.get(name)
    return self._written(
      session.photo(), session.file.name, _extension(flask.request.args.get("format"), session.file.extension)
    )

  def _written(self, photo, name, extension, remark=""):
    body, remarks = self._files.write_photo(photo, extension)
    answer = flask.Response(body, mimetype=photo_files.media_type(extension))
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}_filled{extension}")
    remarks = "; ".join(filter(None, (remarks, remark)))
    if remarks:
      answer.headers[_REMARKS_HEADER] = json.dumps(remarks)[1:-1]  # Headers are ASCII.
    return answer

  def _changed(self, session: Session, patches: list[Patch], remark: str = "") -> dict[str, Any]:
    """Returns a change for the page: the history, and the changed pieces of its preview."""
    pieces = []
    for patch in patches:
      rows, columns = box = previews.aligned(patch.box, session.factor, session.size)
      body, _ = session.shown(box, session.factor, exact=True)
      pieces.append(
        {
          "x": columns.start // session.factor,
          "y": rows.start // session.factor,
          "png": base64.b64encode(body).decode(),
        }
      )
    return {**session.history(), "patches": pieces, "remark": remark}

  def _lines(self, session: Session, job: Job) -> Iterator[str]:
    """Yields a fill's progress as lines of JSON. The last one has the change, "cancelled", or "error" and "status"."""
    for update in job.updates():
      yield json.dumps(update) + "\n"
    try:
      try:
        last = job.result()
      except Cancelled:
        self._sessions.get(session.id)  # Raises Refusal if the session was dropped.
        last = {"cancelled": True}
    except (Refusal, ValueError) as error:  # ValueError: InputError is one.
      last = {"error": sentence(error), "status": getattr(error, "status", 400)}
    yield json.dumps(last) + "\n"


def _check_names(fields: Mapping[str, Any], known: Sequence[str]) -> None:
  """Raises Refusal for an unknown field."""
  for name in fields:
    if name not in known:
      raise Refusal(400, f'"{name}" is not a field of this call. Its fields: {", ".join(known)}.')


def _is_same(first: BinaryIO, second: BinaryIO) -> bool:
  """Returns whether two streams have the same content. Both must be at their beginning, and are rewound."""
  digests = [hashlib.sha256(), hashlib.sha256()]
  for digest, stream in zip(digests, (first, second)):
    for block in iter(functools.partial(stream.read, _BLOCK_BYTES), b""):
      digest.update(block)
    stream.seek(0)
  return digests[0].digest() == digests[1].digest()


def _extension(asked: str | None, own: str) -> str:
  if asked in (None, "", "own"):
    return own
  extension = f".{asked.lower()}"
  if extension not in photo_files.EXTENSIONS:
    raise Refusal(400, f'"format" must be own or one of {", ".join(name[1:] for name in photo_files.EXTENSIONS)}.')
  return extension


def _version(fields: dict[str, Any]) -> int:
  version = fields.get("version")
  if not isinstance(version, int) or isinstance(version, bool):
    raise Refusal(400, '"version" must be the number in the last answer.')
  return version


def _whole_number(key: str) -> int:
  text = flask.request.args.get(key, "")
  if not text.isdecimal() or len(text) > 9:
    raise Refusal(400, f"{key} must be a whole number of pixels.")
  return int(text)

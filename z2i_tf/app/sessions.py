"""Keeps the photographs that users edit: full-size pixels and undo history, limited in number and bytes."""

import collections
import dataclasses
import secrets
import threading

import numpy as np

from z2i_tf.app import photo_transfer
from z2i_tf.app import previews
from z2i_tf.app import shapes as shapes_lib
from z2i_tf.app.filler import Job
from z2i_tf.app.photo_transfer import PhotoFile
from z2i_tf.app.shapes import Box
from z2i_tf.app.shapes import BoxMask
from z2i_tf.images import photo_files
from z2i_tf.inference.inpainter import Patch
from z2i_tf.system import memory
from z2i_tf.web.application import Refusal

_ID_BYTES = 24
_MAX_LOADED_MASKS = 8
# Limit of one photograph's undo history. The oldest fills are forgotten first.
_MAX_HISTORY_BYTES = 2**28
_MAX_REMEMBERED_DROPS = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Fill:
  """An applied fill.

  Attributes:
    mask: painted mask, before it grew.
    before: rectangles of the photograph before the fill.
    after: the same rectangles after it.
  """

  mask: BoxMask
  before: tuple[Patch, ...]
  after: tuple[Patch, ...]

  @property
  def nbytes(self) -> int:
    """Memory of the mask and the rectangles, bytes."""
    return self.mask.mask.nbytes + sum(patch.pixels.nbytes for patch in self.before + self.after)


class Session:
  """One photograph. Threads may share it. Only `apply`, `undo` and `redo` change its pixels.

  Attributes:
    id: secret name. Whoever knows it may edit the photograph.
    file: the uploaded file; its pixels are the current ones.
    size: height and width, pixels.
    factor: side of the photograph divided by the side of the page's preview.
    version: number that grows with every change.
    original: preview of the upload, a file, and its media type.
  """

  def __init__(self, file: PhotoFile):
    self.id = secrets.token_urlsafe(_ID_BYTES)
    self._pixels = photo_transfer.stack_channels(file.photo)
    alpha = None if file.photo.alpha is None else self._pixels[..., 3]
    self.file = dataclasses.replace(file, photo=dataclasses.replace(file.photo, rgb=self._pixels[..., :3], alpha=alpha))
    self.size = (self._pixels.shape[0], self._pixels.shape[1])
    self.factor = previews.factor(self.size)
    self.version = 0
    self._done: list[Fill] = []
    self._undone: list[Fill] = []
    self._forgotten: list[BoxMask] = []  # At most one: the union of all fills that can no longer be undone.
    self._forgotten_fills = 0
    self._masks: "collections.OrderedDict[str, np.ndarray]" = collections.OrderedDict()
    self._job: Job | None = None
    self._lock = threading.RLock()
    self.original = self.preview()

  @property
  def pixels(self) -> np.ndarray:
    """Current pixels, (H, W, 3) or (H, W, 4) with alpha. Do not write to them."""
    return self._pixels

  @property
  def nbytes(self) -> int:
    """Memory of the pixels, the preview, the masks and the history, bytes."""
    with self._lock:
      return (
        self._pixels.nbytes
        + len(self.original[0])
        + sum(mask.nbytes for mask in self._masks.values())
        + sum(each.mask.nbytes for each in self._forgotten)
        + sum(fill.nbytes for fill in self._done + self._undone)
      )

  def describe(self) -> dict[str, object]:
    """Describes the photograph to the page, as JSON-compatible values."""
    with self._lock:
      return {
        "id": self.id,
        "name": self.file.name,
        "extension": self.file.extension,
        "height": self.size[0],
        "width": self.size[1],
        "factor": self.factor,
        "remarks": list(self.file.photo.remarks),
        **self.history(),
      }

  def history(self) -> dict[str, int]:
    """Returns the version, and how many fills can be undone and redone."""
    with self._lock:
      return {
        "version": self.version,
        "undo": len(self._done),
        "redo": len(self._undone),
        "fills": self._forgotten_fills + len(self._done),
      }

  def begin(self, version: int, job: Job) -> None:
    """Reserves the photograph for a job until `end`; raises Refusal if its version is no longer `version`."""
    with self._lock:
      self._check(version)
      self._job = job

  def end(self, job: Job) -> None:
    """Ends the reservation of a job, if it still holds."""
    with self._lock:
      if self._job is job:
        self._job = None

  def cancel(self) -> bool:
    """Cancels the current fill; returns whether there was one. It may run one more step, but changes nothing."""
    with self._lock:
      job, self._job = self._job, None
      if job is not None:
        job.cancel()
      return job is not None

  def apply(self, job: Job, mask: BoxMask, patches: list[Patch]) -> Fill:
    """Writes a fill into the photograph; raises Cancelled if its job was cancelled."""
    with self._lock:
      job.check()
      fill = Fill(mask, tuple(Patch(patch.box, self._pixels[patch.box].copy()) for patch in patches), tuple(patches))
      self._put(fill.after)
      self._done.append(fill)
      self._undone.clear()
      self._job = None  # It is too late to cancel.
      while len(self._done) > 1 and sum(each.nbytes for each in self._done) > _MAX_HISTORY_BYTES:
        masks = [*self._forgotten, self._done.pop(0).mask]
        self._forgotten = list(filter(None, [shapes_lib.crop_to_hole(shapes_lib.union(masks, self.size))]))
        self._forgotten_fills += 1
      return fill

  def undo(self, version: int) -> Fill:
    """Undoes the last fill; raises Refusal if there is none."""
    with self._lock:
      self._check(version)
      if not self._done:
        raise Refusal(409, "There is nothing to undo.")
      fill = self._done.pop()
      self._undone.append(fill)
      self._put(fill.before)
      return fill

  def redo(self, version: int) -> Fill:
    """Redoes the fill that was undone last; raises Refusal if there is none."""
    with self._lock:
      self._check(version)
      if not self._undone:
        raise Refusal(409, "There is nothing to redo.")
      fill = self._undone.pop()
      self._done.append(fill)
      self._put(fill.after)
      return fill

  def preview(self) -> tuple[bytes, str]:
    """Returns the whole photograph's preview, a file, and its media type."""
    rows, columns = (slice(0, side) for side in self.size)
    return self.shown((rows, columns), self.factor, exact=False)

  def shown(self, box: Box, step: int, exact: bool) -> tuple[bytes, str]:
    """Encodes a part, reduced by `step`, as `previews.encode` does."""
    with self._lock:
      part = self._pixels[box].copy()
    alpha = previews.shrunk(part[..., 3], step) if part.shape[2] > 3 else None
    return previews.encode(previews.shrunk(part[..., :3], step), alpha, self.file.photo.metadata.icc_profile, exact)

  def photo(self) -> photo_files.Photo:
    """Returns a copy of the photograph."""
    with self._lock:
      return photo_transfer.with_pixels(self.file.photo, self._pixels)

  def filled_masks(self) -> list[BoxMask]:
    """Returns masks that together cover all applied fills."""
    with self._lock:
      return self._forgotten + [fill.mask for fill in self._done]

  def add_mask(self, mask: np.ndarray) -> str:
    """Keeps a mask, (H, W) uint8, for later shapes; returns its name. Only the newest masks are kept."""
    name = secrets.token_urlsafe(8)
    with self._lock:
      self._masks[name] = np.packbits(mask != 0)
      while len(self._masks) > _MAX_LOADED_MASKS:
        self._masks.popitem(last=False)
    return name

  def mask(self, name: str) -> np.ndarray:
    """Returns a mask that `add_mask` kept; raises Refusal if it is gone."""
    with self._lock:
      if name not in self._masks:
        raise Refusal(400, "The server no longer keeps that mask. Load it again.")
      packed = self._masks[name]
    return np.unpackbits(packed, count=self.size[0] * self.size[1]).reshape(self.size)

  def draw(self, shapes: list[shapes_lib.Shape]) -> BoxMask | None:
    """Draws shapes as one mask; returns None if it is empty."""
    return shapes_lib.draw(shapes, self.size, self.mask)

  def _check(self, version) -> None:
    if self._job is not None:
      raise Refusal(409, "This photograph is being filled. Wait for the fill, or cancel it.")
    if version != self.version:
      raise Refusal(409, "Another window changed this photograph. Reload the page to see it.")

  def _put(self, patches) -> None:
    for patch in patches:
      self._pixels[patch.box] = patch.pixels
    self.version += 1


class Sessions:
  """All photographs. The one that was used least recently makes room for a new one."""

  def __init__(self, max_sessions: int, max_bytes: int):
    """Keeps at most `max_sessions` photographs, and at most `max_bytes` bytes of them if there are several."""
    self._max_sessions, self._max_bytes = max_sessions, max_bytes
    self._sessions: "collections.OrderedDict[str, Session]" = collections.OrderedDict()
    self._dropped: "collections.OrderedDict[str, None]" = collections.OrderedDict()
    self._lock = threading.Lock()

  def __len__(self) -> int:
    with self._lock:
      return len(self._sessions)

  def add(self, session: Session) -> None:
    """Keeps a session, and drops others if room is needed; raises Refusal if this one alone is too large."""
    if session.nbytes > self._max_bytes:
      raise Refusal(
        413,
        f"This photograph takes {memory.format_size(session.nbytes)} of memory. The server has "
        f"{memory.format_size(self._max_bytes)} for all photographs. Give a smaller one.",
      )
    with self._lock:
      self._sessions[session.id] = session
      self._make_room()

  def get(self, name: str) -> Session:
    """Returns a session; raises Refusal if it is unknown or was dropped."""
    with self._lock:
      if name in self._sessions:
        self._sessions.move_to_end(name)
        self._make_room()
        return self._sessions[name]
      if name in self._dropped:
        raise Refusal(410, "The server dropped this photograph to make room. Load it again.")
    raise Refusal(
      404, "The server does not know this photograph. It may have been restarted. Load the photograph again."
    )

  def remove(self, name: str) -> None:
    """Forgets a session, if there is one."""
    with self._lock:
      session = self._sessions.pop(name, None)
    if session is not None:
      session.cancel()

  def _make_room(self) -> None:
    while len(self._sessions) > 1 and (
      len(self._sessions) > self._max_sessions
      or sum(session.nbytes for session in self._sessions.values()) > self._max_bytes
    ):
      name, session = self._sessions.popitem(last=False)
      session.cancel()
      self._dropped[name] = None
      while len(self._dropped) > _MAX_REMEMBERED_DROPS:
        self._dropped.popitem(last=False)

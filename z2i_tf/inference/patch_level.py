"""One scale of `detail`: searches known patches for those that touch the hole, and lets them vote for its pixels."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

RADIUS_PX = 3  # Patches are 7x7.
PATCH = np.ones((2 * RADIUS_PX + 1, 2 * RADIUS_PX + 1), np.uint8)
# The distance of a source that continues a neighbour's may be larger by this share.
_COHERENCE, _COHERENCE_ROUNDS = 1.0, 4
# The search compares a patch's 147 values along this many directions, computed from at most this many patches.
_PRINCIPAL_DIRECTIONS, _MAX_PRINCIPAL_PATCHES = 32, 4096
_COMPARED_STRIDE_PX = 2  # Above the exact search, every second row and column of a patch is compared.
# A vote weighs exp(-sharpness * d / s), s being the 75th percentile of the distances d.
_VOTE_SHARPNESS, _USUAL_PERCENTILE = 40.0, 75
_SCORES_AT_ONCE = 2**20  # Of the exact search, so that they stay in the caches.
_CHUNK = 2**15  # Pixels whose patches are compared at once, so that their data stay in the caches.
_PIXEL = np.complex128  # Any type of 16 bytes: one `take` moves four float32 channels.


class Sources(NamedTuple):
  """The sources that patches copy from.

  Attributes:
    place: (n,) int32 flat indices of the patches' centres in the level's padded image.
    distance: (n,) float32 sums of squared differences.
  """

  place: np.ndarray
  distance: np.ndarray


def known_centres(hole: np.ndarray) -> np.ndarray:
  """Returns the centres of the known patches.

  Args:
    hole: (H, W) bool, True = hole.
  Returns: (H, W) bool; a patch that reaches beyond the border sees the mirrored image.
  """
  return _unpadded(cv2.dilate(_padded(hole.astype(np.uint8)), PATCH)) == 0


class PatchLevel:
  """One scale: patches that touch the hole, and known ones, as flat indices of a padded image of four channels.

  Attributes:
    is_key: (P,) bool, True at the centres of known patches.
    queries: (n,) int32, centres of the patches that touch the hole.
  """

  def __init__(self, picture: np.ndarray, hole: np.ndarray, run: Callable):
    """Pads a picture (H, W, 3) float32 and its hole (H, W) bool. `run` maps a function over chunks, as `map` does."""
    self._run = run
    inner = np.zeros((*hole.shape, 4), np.float32)
    inner[..., :3] = picture
    self._image, mask = _padded(inner), _padded(hole.astype(np.uint8))
    self._height, self._width = mask.shape
    touched = cv2.dilate(mask, PATCH) > 0
    inside = np.zeros_like(touched)
    _unpadded(inside)[:] = True
    self.is_key = (~touched & inside).ravel()
    self.queries = np.flatnonzero(touched & inside).astype(np.int32)
    self._hole = np.flatnonzero((mask > 0) & inside).astype(np.int32)
    self._steps = (1, -1, self._width, -self._width)
    number = np.full(len(self.is_key), -1, np.int32)
    number[self.queries] = np.arange(len(self.queries), dtype=np.int32)
    self._neighbours = np.stack([number[self.queries + step] for step in self._steps])  # -1 where there is no query.

  @property
  def picture(self) -> np.ndarray:
    """The (H, W, 3) float32 image as it is now."""
    return _unpadded(self._image)[..., :3]

  def search(self, blur: float, max_pairs: int) -> Sources:
    """Finds the nearest known patch of every query.

    It prefers a patch that continues a neighbour's if that is nearly as near. This copies pieces of texture, and not
    one patch again and again.

    Args:
      blur: sigma by which both sides are blurred, pixels; 0 compares sharp patches.
      max_pairs: maximum number of compared pairs; the search skips known patches to stay below it.
    """
    pixels = _pixels(cv2.GaussianBlur(self._image, (0, 0), blur) if blur else self._image)
    keys, window = np.flatnonzero(self.is_key).astype(np.int32), self._window(RADIUS_PX)
    keys = keys[:: -(-len(keys) * len(self.queries) // max_pairs)]  # Halving stops before a hole vanishes.
    patches = _patches(pixels, keys, window)
    basis = _principal(patches)
    patches = patches @ basis
    half_norms = 0.5 * np.einsum("ij,ij->i", patches, patches)
    patches = np.ascontiguousarray(patches.T)
    nearest, rows = [], max(1, min(_CHUNK, _SCORES_AT_ONCE // len(keys)))
    scores = np.empty((rows, len(keys)), np.float32)
    for start in range(0, len(self.queries), rows):
      queries = _patches(pixels, self.queries[start : start + rows], window) @ basis
      some = np.matmul(queries, patches, out=scores[: len(queries)])
      some -= half_norms
      nearest.append(some.argmax(axis=1))
    place = self._coherent(keys[np.concatenate(nearest)], pixels)
    return Sources(place, self._distances(self.queries, place, stride=1))

  def _coherent(self, place, pixels):
    """Replaces sources by those that continue more neighbours', if their distances in `pixels` are nearly as small."""
    allowed = (1.0 + _COHERENCE) * self._distances(self.queries, place, 1, pixels) + 1e-6
    is_even = np.add(*np.divmod(self.queries, self._width)) % 2 == 0
    place = place.copy()
    for turn in range(2 * _COHERENCE_ROUNDS):
      offered = np.stack(
        [np.where(row >= 0, place[row] - step, -1) for row, step in zip(self._neighbours, self._steps)]
      )
      agree = np.stack([(offered == each).sum(axis=0) for each in offered])
      agree[(offered < 0) | ~self.is_key[np.clip(offered, 0, len(self.is_key) - 1)]] = 0
      best = agree.argmax(axis=0)
      candidates, support = (np.take_along_axis(each, best[np.newaxis], 0)[0] for each in (offered, agree))
      some = np.flatnonzero((support > (offered == place).sum(axis=0)) & (is_even == (turn % 2 == 0)))
      fits = self._distances(self.queries[some], candidates[some], 1, pixels) <= allowed[some]
      place[some[fits]] = candidates[some[fits]]
    return place

  def doubled(self, below: "PatchLevel", sources: Sources) -> Sources:
    """Doubles the sources of the level below. Fills gaps with random known patches, by a fixed seed.

    All distances are 0, so that all votes weigh the same.
    """
    offsets = np.zeros((2, below._height * below._width), np.int32)
    is_known = np.zeros(below._height * below._width, bool)
    offsets[:, below.queries] = np.subtract(
      np.divmod(sources.place, below._width), np.divmod(below.queries, below._width)
    )
    is_known[below.queries] = True
    rows, columns = np.divmod(self.queries, self._width)
    border = RADIUS_PX
    beneath = (np.minimum((rows - border) // 2, below._height - 2 * border - 1) + border) * below._width + (
      np.minimum((columns - border) // 2, below._width - 2 * border - 1) + border
    )
    rows = np.clip(rows + 2 * offsets[0, beneath], border, self._height - border - 1)
    columns = np.clip(columns + 2 * offsets[1, beneath], border, self._width - border - 1)
    place = rows * self._width + columns
    is_bad = ~is_known[beneath] | ~self.is_key[place]
    place[is_bad] = np.random.default_rng(0).choice(np.flatnonzero(self.is_key), np.count_nonzero(is_bad))
    return Sources(place.astype(np.int32), np.zeros(len(place), np.float32))

  def mended(self, sources: Sources) -> Sources:
    """Shifts the four neighbours' sources by a step, and keeps a shifted source if it is nearer."""
    place = sources.place.copy()
    best = self._distances(self.queries, place, _COMPARED_STRIDE_PX)

    def attempt(candidates, is_possible):
      is_possible &= (candidates != place) & (candidates >= 0) & (candidates < len(self.is_key))
      some = np.flatnonzero(is_possible)
      some = some[self.is_key[candidates[some]]]
      distances = self._distances(self.queries[some], candidates[some], _COMPARED_STRIDE_PX)
      is_better = distances < best[some]
      better = some[is_better]
      place[better], best[better] = candidates[better], distances[is_better]

    for step, neighbours in zip(self._steps, self._neighbours):
      attempt(place[neighbours] - step, neighbours >= 0)
    return Sources(place, best)

  def vote(self, sources: Sources, radius: int) -> None:
    """Replaces each pixel of the hole by the weighted mean of its votes, from patches within `radius` pixels."""
    usual = np.percentile(sources.distance, _USUAL_PERCENTILE) + 1e-6
    place, weight = np.zeros(len(self.is_key), np.int32), np.zeros(len(self.is_key), np.float32)
    place[self.queries] = sources.place
    weight[self.queries] = np.exp(-_VOTE_SHARPNESS * sources.distance / usual) + 1e-8
    pixels, window = _pixels(self._image), self._window(radius)
    voted = np.empty((len(self._hole), 4), np.float32)

    def run(start):
      hole = self._hole[start : start + _CHUNK]
      buffer, sums, weights = np.empty(len(hole), _PIXEL), 0.0, 0.0
      for offset in window:
        centres = hole - offset
        part = weight[centres][:, np.newaxis]
        sums = sums + part * _take(pixels, place[centres] + offset, buffer)
        weights = weights + part
      voted[start : start + _CHUNK] = sums / weights

    self._for_chunks(run, len(self._hole))
    self._image.reshape(-1, 4)[self._hole] = voted
    self._image = _padded(_unpadded(self._image))

  def _distances(self, queries, places, stride, pixels=None):
    """Sums of squared differences of patches, (n,) float32, as if all 49 pixels were compared."""
    pixels, window = _pixels(self._image) if pixels is None else pixels, self._window(RADIUS_PX, stride)
    totals = np.zeros(len(queries), np.float32)

    def run(start):
      query, place, total = (array[start : start + _CHUNK] for array in (queries, places, totals))
      first, second = np.empty(len(query), _PIXEL), np.empty(len(query), _PIXEL)
      for offset in window:
        difference = _take(pixels, query + offset, first)
        difference -= _take(pixels, place + offset, second)
        total += np.einsum("ij,ij->i", difference, difference)

    self._for_chunks(run, len(queries))
    return totals * np.float32((2 * RADIUS_PX + 1) ** 2 / len(window))

  def _for_chunks(self, run, count):
    starts = range(0, count, _CHUNK)
    list(self._run(run, starts) if len(starts) > 1 else map(run, starts))  # Threads cost more than a small chunk.

  def _window(self, radius, stride=1):
    steps = np.arange(-radius, radius + 1, stride, dtype=np.int32)
    return (steps[:, np.newaxis] * self._width + steps).ravel()


def _patches(pixels, places, window):
  """Patches around flat places, (n, 4 * 49) float32."""
  return np.take(pixels, places[:, np.newaxis] + window).view(np.float32).reshape(len(places), -1)


def _principal(patches):
  """Directions (d, k) in which patches (n, d) differ most; distances along them are nearly the whole ones.

  Computes in float64: eigenvalues of blurred patches spread over nine decades. In float32 the last directions are
  rounding, and differ between versions of NumPy.
  """
  patches = patches[:: -(-len(patches) // _MAX_PRINCIPAL_PATCHES)].astype(np.float64)
  _, directions = np.linalg.eigh(patches.T @ patches)
  return np.ascontiguousarray(directions[:, -_PRINCIPAL_DIRECTIONS:], np.float32)


def _padded(array):
  """Mirrors an (H, W, ...) array beyond its border, as wide as a patch reaches."""
  border = RADIUS_PX
  return cv2.copyMakeBorder(array, border, border, border, border, cv2.BORDER_REFLECT_101)


def _unpadded(array):
  """Returns an array without the padding of `_padded`, as a view."""
  return array[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX]


def _pixels(image):
  """(H, W, 4) float32 as (H * W,) items."""
  return np.ascontiguousarray(image).reshape(-1).view(_PIXEL)


def _take(pixels, places, buffer):
  """Reads pixels at flat places into the buffer; returns it as (n, 4) float32."""
  np.take(pixels, places, out=buffer, mode="clip")
  return buffer.view(np.float32).reshape(-1, 4)

"""Images, holes and filling methods for `photographs.py`, `inference.py` and `versions.py`."""

from collections.abc import Callable
from collections.abc import Iterator
import concurrent.futures
import multiprocessing
import os
import time

import cv2
import numpy as np

from z2i_tf.evaluation import baselines
from z2i_tf.images import image_files
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.system import memory

_SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "images")
TELEA, NAVIER_STOKES, ALONE, NONE, DEFAULT = "Telea", "Navier-Stokes", "networks alone", "detail none", "default"
SIDE = 256
_HOLE_SHARE = 0.05
_MAX_PIXELS, _REDUCED_PIXELS = 3e6, 2.8e6


def sample(shape: tuple[int, int]) -> np.ndarray:
  """Returns (height, width, 3) uint8: a sample photograph, enlarged to twice its size, and its mirror images."""
  photo = image_files.read_rgb(os.path.join(_SAMPLES, "coffee.jpg"))
  photo = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)[: shape[0], : shape[1]]
  return np.pad(photo, [(0, shape[0] - photo.shape[0]), (0, shape[1] - photo.shape[1]), (0, 0)], "symmetric")


def centre(photo: np.ndarray) -> np.ndarray:
  """Returns the central `SIDE` x `SIDE` crop of an (H, W, 3) image."""
  top, left = ((length - SIDE) // 2 for length in photo.shape[:2])
  return np.ascontiguousarray(photo[top : top + SIDE, left : left + SIDE])


def small_samples() -> np.ndarray:
  """Returns (4, SIDE, SIDE, 3) uint8: the central crops of the sample photographs."""
  return np.stack([centre(image_files.read_rgb(path)) for path in image_files.list_images(_SAMPLES)])


def photographs(folder: str, count: int) -> Iterator[tuple[str, np.ndarray]]:
  """Yields names and pixels of some of a folder's photographs, evenly over its list."""
  paths = image_files.list_images(folder)
  for index in np.linspace(0, len(paths) - 1, min(len(paths), count)).round().astype(int):
    yield os.path.basename(paths[index]), image_files.read_rgb(paths[index])


def reduced(photo: np.ndarray) -> np.ndarray:
  """Returns (H, W, 3) uint8 of more than 3 megapixels with 2.8, any other as it is."""
  pixels = photo.shape[0] * photo.shape[1]
  if pixels <= _MAX_PIXELS:
    return photo
  factor = (_REDUCED_PIXELS / pixels) ** 0.5
  return cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def paper_masks(kind: str, count: int) -> np.ndarray:
  """Returns (count, SIDE, SIDE) uint8, 1 = hole: the paper's masks, "small" or "large"."""
  mixture, rng = MaskMixture.parse(kind), np.random.default_rng(0)
  return np.stack([mixture.draw(SIDE, SIDE, rng) for _ in range(count)])


def blob(rng: np.random.Generator) -> np.ndarray:
  """Returns a smooth closed curve around (0, 0): (n, 2) points x, y; the longer side of their bounding box is 1."""
  angles, orders = np.linspace(0.0, 2.0 * np.pi, 256, endpoint=False), np.arange(2, 7)[:, np.newaxis]
  phases, heights = rng.uniform(0.0, 2.0 * np.pi, orders.shape), rng.normal(0.0, 0.5, orders.shape) / orders
  radius = np.exp((heights * np.cos(orders * angles + phases)).sum(axis=0))
  points = radius[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
  low, high = points.min(axis=0), points.max(axis=0)
  return (points - (low + high) / 2.0) / (high - low).max()


def inside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Returns the inside of a curve of (n, 2) points x, y as a mask: (height, width) uint8, 1 = hole."""
  return cv2.fillPoly(np.zeros(shape, np.uint8), [np.rint(points).astype(np.int32)], 1)


def middle_blob(shape: tuple[int, int]) -> np.ndarray:
  """Returns a blob of 5% of the area in the middle: (height, width) uint8, 1 = hole."""
  points = blob(np.random.default_rng(0))
  scale = (_HOLE_SHARE * shape[0] * shape[1] / cv2.contourArea(points.astype(np.float32))) ** 0.5
  return inside(scale * points + np.array(shape[::-1]) / 2.0, shape)


def disc(thickness: int, shape: tuple[int, int]) -> np.ndarray:
  """Returns a disc of diameter `thickness` (pixels) in the middle: (height, width) uint8, 1 = hole."""
  return cv2.circle(np.zeros(shape, np.uint8), (shape[1] // 2, shape[0] // 2), thickness // 2, 1, cv2.FILLED)


def methods(inpainter: Inpainter, max_pixels: float = float("inf")) -> dict[str, Callable]:
  """Returns name -> (image (H, W, 3) uint8, mask (H, W) uint8, 1 = hole) -> filled image.

  Args:
    inpainter: fills for all methods but OpenCV's.
    max_pixels: larger images are reduced for the networks alone, and their fill is enlarged bicubically.
  """

  def fill_alone(image, mask):
    if mask.size <= max_pixels:
      return inpainter(image, mask, native=True)
    size = tuple(int(side * (max_pixels / mask.size) ** 0.5) for side in mask.shape[::-1])
    hole = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = inpainter(cv2.resize(image, size, interpolation=cv2.INTER_AREA), hole, native=True)
    filled = cv2.resize(filled, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(mask[..., np.newaxis] == 1, filled, image)

  return {
    TELEA: baselines.telea,
    NAVIER_STOKES: baselines.navier_stokes,
    ALONE: fill_alone,
    NONE: lambda image, mask: inpainter(image, mask, detail="none"),
    DEFAULT: inpainter,
  }


def fill_in_child(model: str, precision: str, shape: tuple[int, int], native: bool) -> tuple[int, int, float]:
  """Fills the middle blob of a sample in a process of its own.

  Args:
    model: as in `Inpainter.load`.
    precision: as in `Inpainter.load`.
    shape: height and width of the image.
    native: as in `Inpainter`.
  Returns: peak memory of the process before the fill and after it, bytes; seconds of the fill, its first.
  """
  with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
    return pool.submit(_fill, model, precision, shape, native).result()


def _fill(model, precision, shape, native):
  inpainter, image, mask = Inpainter.load(model, precision), sample(shape), middle_blob(shape)
  before = memory.peak_resident_bytes()
  start = time.perf_counter()
  inpainter(image, mask, native)
  return before, memory.peak_resident_bytes(), time.perf_counter() - start

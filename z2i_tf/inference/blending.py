"""Blends a fill into a photograph in the gradient domain.

The result has the fill's gradients inside the hole and the photograph's pixels around it, so no border is visible
(Perez et al., "Poisson Image Editing", SIGGRAPH 2003). The image's own border is free (Neumann). A small weight ties
the result to given colours; it bounds the influence of a wrong pixel at the border, and the time.
"""

from concurrent import futures

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

# Weight of the colours, relative to the gradients; this one halves the border's influence every 10 pixels.
ANCHOR_WEIGHT = 0.005
# Maximum root mean square of the equations' residual, in the image's range; a level of 8 bits is 4e-3.
_TOLERANCE = 2e-5
# The anchor's weight bounds the iterations of conjugate gradients, independent of the size.
_MAX_ITERATIONS = 1000
_CHANNELS = 3


def blend(image: np.ndarray, hole: np.ndarray, fill: np.ndarray, colours: np.ndarray | None = None) -> np.ndarray:
  """Solves the screened Poisson equation over the hole.

  Args:
    image: (H, W, 3) float32 in [0, 1].
    hole: (H, W) bool, True = hole.
    fill: (H, W, 3) float32, the source of the gradients.
    colours: (H, W, 3) float32, colours that attract the result with `ANCHOR_WEIGHT`; None: the fill's own.
  Returns: (H, W, 3) float32 in [0, 1]; known pixels are those of `image`.
  """
  numbers = np.full(hole.shape, -1, np.int32)
  count = int(hole.sum())
  numbers[hole] = np.arange(count, dtype=np.int32)
  start = fill[hole].astype(np.float32)
  right_side = ANCHOR_WEIGHT * (start if colours is None else colours[hole].astype(np.float32))
  diagonal = np.full(count, ANCHOR_WEIGHT, np.float32)
  rows, columns = [], []
  for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
    for here, there in ((first, second), (second, first)):  # Equation of `here`, its neighbour is `there`.
      number, neighbour = numbers[here], numbers[there]
      inside = (number >= 0) & (neighbour >= 0)
      border = (number >= 0) & (neighbour < 0)
      diagonal += np.bincount(number[inside | border], minlength=count)
      rows.append(number[inside])
      columns.append(neighbour[inside])
      right_side[number[inside]] += fill[here][inside] - fill[there][inside]  # Each row comes once.
      right_side[number[border]] += image[there][border]  # No gradient is known across the border.
  places = np.concatenate(rows), np.concatenate(columns)
  minus_one = np.full(len(places[0]), -1.0, np.float32)
  matrix = sparse.csr_matrix((minus_one, places), (count, count)) + sparse.diags(diagonal)
  preconditioner = sparse.diags(1.0 / diagonal)

  def solve(channel):
    return linalg.cg(
      matrix,
      right_side[:, channel],
      start[:, channel],
      rtol=0.0,
      atol=_TOLERANCE * np.sqrt(count),
      maxiter=_MAX_ITERATIONS,
      M=preconditioner,
    )[0]

  result = image.copy()
  with futures.ThreadPoolExecutor(_CHANNELS) as pool:
    result[hole] = np.clip(np.stack(list(pool.map(solve, range(_CHANNELS))), axis=1), 0.0, 1.0)
  return result

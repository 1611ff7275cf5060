"""Canny edges of an image's known pixels, as EdgeConnect takes them (Nazeri et al. 2019, arXiv:1901.00212).

Its own edges come from scikit-image, with a Gaussian of sigma 2 and thresholds of 0.1 and 0.2 of the range of values.
OpenCV's suppression of weaker neighbours compares whole pixels in place of interpolated ones, so edges differ a little.
"""

import cv2
import numpy as np

_SIGMA_PX = 2.0
_LOW, _HIGH = 0.1, 0.2
_SCALE = 2000.0  # Gradients become 16-bit whole numbers; a Sobel filter returns up to 4 times the range.
_MARGIN_PX = 1  # Pixels this near to the hole have no edges.


def known_edges(gray: np.ndarray, hole: np.ndarray) -> np.ndarray:
  """Returns (H, W) float32, 1 = edge, 0 in the hole and within 1 pixel of it.

  Args:
    gray: (H, W) float32 in [0, 1]; pixels under the hole are ignored.
    hole: (H, W) bool, True = hole.
  """
  known = (~hole).astype(np.float32)

  def blur(values):
    return cv2.GaussianBlur(values, (0, 0), _SIGMA_PX, borderType=cv2.BORDER_CONSTANT)

  smooth = blur(gray * known) / np.maximum(blur(known), 1e-6)
  across, down = (
    np.rint(_SCALE * cv2.Sobel(smooth, cv2.CV_32F, *order, borderType=cv2.BORDER_REFLECT)).astype(np.int16)
    for order in ((1, 0), (0, 1))
  )
  found = cv2.Canny(across, down, _LOW * _SCALE, _HIGH * _SCALE, L2gradient=True) > 0
  near = cv2.dilate(hole.astype(np.uint8), np.ones((2 * _MARGIN_PX + 1,) * 2, np.uint8)) > 0
  return (found & ~near).astype(np.float32)

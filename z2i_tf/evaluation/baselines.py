"""Classical inpainting to compare with: OpenCV's Telea (2004) and Navier-Stokes (Bertalmio et al. 2001)."""

import cv2
import numpy as np

RADIUS_PX = 5


def telea(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fills the hole by Telea's fast marching: (H, W, 3) uint8, (H, W) uint8 1 = hole -> (H, W, 3) uint8."""
  return cv2.inpaint(image, mask, RADIUS_PX, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fills the hole by the Navier-Stokes method; arguments and result as `telea`."""
  return cv2.inpaint(image, mask, RADIUS_PX, cv2.INPAINT_NS)


METHODS = {"telea": telea, "navier_stokes": navier_stokes}

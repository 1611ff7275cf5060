"""Baselines: mean colour, OpenCV's Telea (2004) and Navier-Stokes (Bertalmio et al. 2001)."""

import cv2
import numpy as np

RADIUS_PX = 5


def telea(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fills the hole by Telea's fast marching: (H, W, 3) uint8 and (H, W) uint8, 1 = hole -> (H, W, 3) uint8."""
  return cv2.inpaint(image, mask, RADIUS_PX, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fills the hole by the Navier-Stokes method; arguments and result as `telea`."""
  return cv2.inpaint(image, mask, RADIUS_PX, cv2.INPAINT_NS)


def mean_fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fills the hole with the mean colour of the known pixels; arguments and result as `telea`.

  Returns an image without known pixels unchanged.
  """
  known = mask == 0
  if not known.any():
    return image.copy()
  return np.where(known[..., np.newaxis], image, np.rint(image[known].mean(axis=0)).astype(np.uint8))


METHODS = {"mean": mean_fill, "telea": telea, "navier_stokes": navier_stokes}
# Methods that use `RADIUS_PX`.
WITH_RADIUS = ("telea", "navier_stokes")

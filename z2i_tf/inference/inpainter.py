"""Fills the holes of images of any size: pad, predict, crop, keep the known pixels."""

from typing import Dict

import numpy as np
import tensorflow as tf

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.inference import model_store
from z2i_tf.inference.checks import check_pair
from z2i_tf.inference.windows import fill_order
from z2i_tf.models.zoom_inpainter import ZoomInpainter

# Longest side, at high resolution, of a window of a large image: attention's matrix is then 9216 x 9216,
_WINDOW_SIDE_HR = 768
# but a window is never smaller than the paper's images, at low resolution (at scale 4: 16384 x 16384).
_MIN_WINDOW_SIDE = 256
_MARGIN_SHARE = 6  # A margin is this part of a window's side.


class Inpainter:
  """Fills holes with a trained model.

  An image of no more pixels than a window is seen whole. A larger one is filled window by window, only
  where it has holes (see `windows.fill_order`), so memory does not grow with the image.
  """

  def __init__(self, model: ZoomInpainter):
    """Wraps a generator that has its weights."""
    self._model = model
    scale = model.model_config.scale
    multiple = conventions.SIZE_MULTIPLE
    self._window_side = max(_MIN_WINDOW_SIDE, _WINDOW_SIDE_HR // scale // multiple * multiple)
    self._predict = tf.function(model, input_signature=[{
        conventions.IMAGE_LR: tf.TensorSpec([None, None, None, 3], tf.float32),
        conventions.MASK_LR: tf.TensorSpec([None, None, None, 1], tf.float32)}])

  @classmethod
  def load(cls, model: str = model_store.DEFAULT) -> "Inpainter":
    """Loads a bundled model by name, or a folder with `model.npz`; raises InputError if it cannot."""
    return cls(model_store.load_model(model))

  def __call__(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fills the hole.

    Args:
      image: (H, W, 3) uint8; what is under the hole is not looked at.
      mask: (H, W) or (H, W, 1), hole = anything but 0, known = 0; bool, 0/1 or 0/255.
    Returns: (H, W, 3) uint8; known pixels are those of `image`, bit for bit.
    Raises: InputError if shapes or types are others, or the mask has no hole or no known pixel.
    """
    image, hole = np.asarray(image), check_pair(image, mask)
    if self.sees_whole(*hole.shape):
      return self._fill(image, hole)
    filled, open_hole = image.copy(), hole.copy()
    for window in fill_order(hole, self._window_side, self._window_side // _MARGIN_SHARE):
      result = self._fill(filled[window.crop], open_hole[window.crop])
      core = tuple(slice(core.start - crop.start, core.stop - crop.start)
                   for core, crop in zip(window.core, window.crop))
      filled[window.core] = result[core]
      open_hole[window.core] = False
    return filled

  def sees_whole(self, height: int, width: int) -> bool:
    """Returns whether an image of this size (pixels) is seen whole, not window by window."""
    padded = [-(-side // conventions.SIZE_MULTIPLE) * conventions.SIZE_MULTIPLE for side in (height, width)]
    return padded[0] * padded[1] <= self._window_side**2

  def stages(self, image: np.ndarray, mask: np.ndarray) -> Dict[str, np.ndarray]:
    """Returns every stage for an image seen whole, whatever its size.

    Args: as `__call__`.
    Returns: float32 arrays by stage name, (H, W, 3) or, at high resolution, (H*scale, W*scale, 3).
    Raises: as `__call__`. Cost: memory grows with the square of the number of pixels.
    """
    return self._stages(np.asarray(image), check_pair(image, mask))

  def _fill(self, image, hole):
    return image_ops.fill_hole(image, hole, self._stages(image, hole)[conventions.RESULT])

  def _stages(self, image, hole):
    height, width = hole.shape
    padded_image, padded_mask = (
        image_ops.pad_to_multiple(array, conventions.SIZE_MULTIPLE)
        for array in (image.astype(np.float32) / 255.0, hole.astype(np.float32)[..., np.newaxis]))
    stages = self._predict({conventions.IMAGE_LR: padded_image[np.newaxis],
                            conventions.MASK_LR: padded_mask[np.newaxis]})
    scale = self._model.model_config.scale
    zooms = {conventions.ZOOMED: scale, conventions.REFINED: scale}
    return {name: stage[0, :height * zooms.get(name, 1), :width * zooms.get(name, 1)].numpy()
            for name, stage in stages.items()}

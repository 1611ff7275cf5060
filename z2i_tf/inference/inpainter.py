"""Fills the holes of images of any size: plan, pad, predict, crop, keep the known pixels."""

from typing import Dict, Optional, Sequence

import numpy as np
import tensorflow as tf

from z2i_tf import image_ops
from z2i_tf import memory
from z2i_tf.errors import InputError
from z2i_tf.inference import model_store
from z2i_tf.inference import plan as plans
from z2i_tf.inference.checks import check_pair
from z2i_tf.inference.footprint import Footprint

# Enough for the paper's networks on crops of 800x800; a laptop has it.
DEFAULT_MAX_MEMORY = 3 * 10**9
_OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)
# What a process with TensorFlow has, where the system does not say what this one has.
_USUAL_RESIDENT_BYTES = 600 * 10**6


class Inpainter:
  """Fills holes with a trained model.

  What is done is planned first (see `plan`): the image is seen whole, or in crops around its holes, so that a bound of
  memory is kept.
  """

  def __init__(self, predictor, max_memory: int = DEFAULT_MAX_MEMORY):
    """Wraps a `Predictor`, or anything with its methods and attributes.

    Args:
      predictor: runs the networks; its `max_scores` are those of `Limits`.
      max_memory: bound of this process' resident memory, bytes.
    """
    self._predictor = predictor
    self._max_memory = max_memory
    self._footprint = Footprint(predictor.model_config, predictor.precision, predictor.max_scores)
    # What later runs leave in the process is used again, and must not change the plans.
    self._resident = memory.resident_bytes() or _USUAL_RESIDENT_BYTES

  @classmethod
  def load(cls, model: str = model_store.DEFAULT, precision: Optional[str] = None,
           max_memory: int = DEFAULT_MAX_MEMORY) -> "Inpainter":
    """Loads a model.

    Args:
      model: a bundled model's name, or a folder with `model.npz` or a SavedModel of `z2i export`.
      precision: "float32" or "bfloat16" (faster on processors that have it); None: float32, or a SavedModel's own.
      max_memory: bound of this process' resident memory, bytes.
    Raises: InputError if it cannot.
    """
    return cls(model_store.load_predictor(model, precision), max_memory)

  def plan(self, image: np.ndarray, mask: np.ndarray) -> plans.Plan:
    """Returns how an image will be filled; arguments and errors as `__call__`."""
    return self._plan(np.asarray(image), check_pair(image, mask), self._max_memory)

  def __call__(self, image: np.ndarray, mask: np.ndarray, plan: Optional[plans.Plan] = None) -> np.ndarray:
    """Fills the hole.

    Args:
      image: (H, W, 3) uint8 or uint16; what is under the hole is not looked at.
      mask: (H, W) or (H, W, 1), hole = anything but 0, known = 0; bool, 0/1 or 0/255.
      plan: what `plan` returned for them, if it was called.
    Returns: (H, W, 3) of the image's type; known pixels are those of `image`, bit for bit.
    Raises: InputError if shapes or types are others, the mask has no hole or no known pixel, or memory does not
      suffice.
    """
    image, hole = np.asarray(image), check_pair(image, mask)
    plan = plan or self._plan(image, hole, self._max_memory)
    try:
      return self._fill_planned(image, hole, plan)
    except _OUT_OF_MEMORY:
      pass  # Once more with less; outside of this block, so that nothing of the first try is kept.
    smaller_bound = (plan.peak_bytes + self._resident) // 2
    try:
      smaller = self._plan(image, hole, smaller_bound)
    except InputError as error:
      raise InputError(f"out of memory at --max_memory={memory.format_size(self._max_memory)}, and there is no plan "
                       f"that takes less than {memory.format_size(smaller_bound)}: close other programs") from error
    try:
      return self._fill_planned(image, hole, smaller)
    except _OUT_OF_MEMORY as error:
      raise InputError(f"out of memory at --max_memory={memory.format_size(self._max_memory)}, and again at "
                       f"{memory.format_size(smaller.peak_bytes)}: close other programs, or give a lower --max_memory"
                       ) from error

  def fill_batch(self, images: np.ndarray, masks: np.ndarray,
                 chosen: Optional[Sequence[plans.Plan]] = None) -> np.ndarray:
    """Fills several images of one size, together if each is seen whole and all fit the memory.

    Args: as `__call__`, with a first axis; `chosen` are their plans.
    Returns: (N, H, W, 3) of the images' type.
    Raises: as `__call__`.
    """
    if not len(images) or len(images) != len(masks):
      raise InputError(f"there must be a mask for each image, and an image: not {len(masks)} for {len(images)}")
    holes = np.stack([check_pair(image, mask) for image, mask in zip(images, masks)])
    chosen = chosen or [self._plan(image, hole, self._max_memory) for image, hole in zip(images, holes)]
    needed = chosen[0].peak_bytes + (len(holes) - 1) * self._footprint.working_bytes(holes[0].size)
    if len(holes) > 1 and all(plan.is_whole for plan in chosen) and needed <= self._max_memory:
      try:
        return _with_known(images, holes, self._predictor.fill(_as_float(images), holes, chosen[0].max_scores))
      except _OUT_OF_MEMORY:
        pass
    return np.stack([self(*parts) for parts in zip(images, holes, chosen)])

  def fill_whole(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fills the hole of an image seen whole, even where crops would do; arguments, result and errors as `__call__`."""
    image, hole = np.asarray(image), check_pair(image, mask)
    predicted = self._seen_whole(self._predictor.fill, image, hole)
    return image_ops.fill_hole(image, hole, predicted[0])

  def stages(self, image: np.ndarray, mask: np.ndarray) -> Dict[str, np.ndarray]:
    """Returns every stage for an image seen whole.

    Args: as `__call__`.
    Returns: float32 arrays by stage name, (H, W, 3) or, at high resolution, (H*scale, W*scale, 3); and
      "attention_sources" as of `Generator.stages`.
    Raises: as `__call__`; InputError if the whole image does not fit the memory.
    """
    image, hole = np.asarray(image), check_pair(image, mask)
    stages = self._seen_whole(self._predictor.stages, image, hole)
    return {name: stage[0] for name, stage in stages.items()}

  def _seen_whole(self, method, image, hole):
    size = memory.format_size(self._max_memory)
    needed = self._needed_for_all(image)
    if needed > self._max_memory:
      raise InputError(f"an image of {hole.shape[0]}x{hole.shape[1]} seen whole takes about "
                       f"{memory.format_size(needed)}, more than --max_memory={size}")
    try:
      return method(_as_float(image)[np.newaxis], hole[np.newaxis], self._footprint.max_scores)
    except _OUT_OF_MEMORY as error:
      raise InputError(f"out of memory at --max_memory={size}: an image of {hole.shape[0]}x{hole.shape[1]} cannot be "
                       "seen whole; close other programs, or give a smaller one") from error

  def fits_whole(self, image: np.ndarray) -> bool:
    """Returns whether an image (H, W, 3) can be seen whole within the bound of the memory, as `stages` sees it."""
    return self._needed_for_all(np.asarray(image)) <= self._max_memory

  def _needed_for_all(self, image):
    pixels = image.shape[0] * image.shape[1]
    return (self._resident + self._footprint.idle_bytes + self._footprint.image_bytes(image.nbytes, pixels)
            + self._footprint.working_bytes(pixels))

  def _plan(self, image, hole, max_memory):
    return plans.make_plan(hole, self._footprint, max_memory, self._resident, image.nbytes)

  def _fill_planned(self, image, hole, plan):
    canvas = _Canvas(image, hole, plan.blend_px)
    for window in plan.windows:
      if canvas.hole[window.core].any():  # A crop before may have filled it.
        predicted = self._predictor.fill(
            _as_float(canvas.image[window.crop])[np.newaxis], canvas.hole[window.crop][np.newaxis], plan.max_scores)
        canvas.paste(window, predicted[0])
    return canvas.image


class _Canvas:
  """An image whose hole is closed window by window.

  Where two windows of one hole meet, the second one's pixels go over into what the first has found beyond its core.
  """

  def __init__(self, image, hole, blend_px):
    self.image, self.hole = image.copy(), hole.copy()
    self._blend_px = blend_px
    # Sums of colours times weights, and of weights. The system gives memory for what is written.
    self._beyond = np.zeros(image.shape, np.float32) if blend_px else None
    self._weights = np.zeros(hole.shape, np.float32) if blend_px else None

  def paste(self, window, predicted):
    """Takes the core's hole pixels from (h, w, 3) floats, those of the window's crop."""
    filling = predicted[window.core_in_crop]
    if self._blend_px:
      filling = self._beyond[window.core] + (1.0 - self._weights[window.core][..., np.newaxis]) * filling
    self.image[window.core] = image_ops.fill_hole(self.image[window.core], self.hole[window.core], filling)
    self.hole[window.core] = False
    if self._blend_px:
      self._keep_beyond(window, predicted)

  def _keep_beyond(self, window, predicted):
    distances = [np.maximum(0, np.maximum(core.start - line, line - core.stop + 1))
                 for core, line in zip(window.core, (np.arange(crop.start, crop.stop) for crop in window.crop))]
    weights = 1.0 - np.maximum(distances[0][:, np.newaxis], distances[1]) / (self._blend_px + 1)
    # Under the layers of the windows before: they fade out, and so does the border between any two of them.
    weights = np.where(self.hole[window.crop], weights, 0.0) * (1.0 - self._weights[window.crop])
    weights = np.maximum(0.0, weights).astype(np.float32)
    strip = weights > 0  # Elsewhere nothing is written, so that no memory is taken.
    self._beyond[window.crop][strip] += weights[strip, np.newaxis] * predicted[strip]
    self._weights[window.crop][strip] += weights[strip]


def _as_float(image):
  """uint8 or uint16 of any shape to float32 in [0, 1]."""
  return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def _with_known(images, holes, predicted):
  return np.stack([image_ops.fill_hole(*parts) for parts in zip(images, holes, predicted)])

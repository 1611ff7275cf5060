"""Fills a painted mask as `z2i inpaint` does, at a cost that depends on the mask, not on the photograph."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from z2i_tf.app import shapes
from z2i_tf.app.filler import Job
from z2i_tf.app.shapes import BoxMask
from z2i_tf.images import mask_files
from z2i_tf.images.mask_files import MaskReading
from z2i_tf.inference.crop_fill import DETAILS
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.inference.inpainter import Patch
from z2i_tf.web.application import Refusal

MAX_DILATE_PX = 1000
_WHITE = 255
_NUMBERS, _TOO_MANY_DIGITS = ("dilate", "feather", "mask_threshold"), 10
_RING_PX = 2  # Known pixels around a hole, so that distances in its box equal those in the photograph.
_WARM_SIDE_PX, _WARM_HOLES_PX = 400, (40, 120)  # The second hole is halved first and needs another graph.


@dataclasses.dataclass(frozen=True)
class Options:
  """How to fill a hole, as the flags of `z2i inpaint` say.

  Attributes:
    detail: texture of the fill, one of `crop_fill.DETAILS`.
    dilate_px: growth of the mask, pixels.
    feather_px: width over which the fill fades in at the edge of the grown hole, pixels; at most `dilate_px`.
  """

  detail: str = "auto"
  dilate_px: int = 0
  feather_px: int = 0

  @classmethod
  def parse(cls, fields: Mapping[str, Any]) -> "Options":
    """Reads the options from a JSON object; raises Refusal if a value is not valid."""
    options = cls(fields.get("detail", "auto"), fields.get("dilate", 0), fields.get("feather", 0))
    if options.detail not in DETAILS:
      raise Refusal(400, f'"detail" must be one of {", ".join(DETAILS)}.')
    for name, value in (("dilate", options.dilate_px), ("feather", options.feather_px)):
      if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_DILATE_PX:
        raise Refusal(400, f'"{name}" must be a whole number of pixels from 0 to {MAX_DILATE_PX}.')
    if options.feather_px > options.dilate_px:
      raise Refusal(400, '"feather" must not be larger than "dilate": only the pixels that "dilate" adds can blend.')
    return options


def parse_mask_reading(fields: Mapping[str, Any]) -> MaskReading:
  """Reads the options of mask reading from a form's fields; raises Refusal if a value is not valid."""
  invert, mask_from = fields.get("invert_mask", "false"), fields.get("mask_from", "auto")
  if invert not in ("true", "false") or mask_from not in mask_files.MASK_CHANNELS:
    raise Refusal(400, '"invert_mask" must be true or false; "mask_from" must be auto, luma or alpha.')
  threshold = fields.get("mask_threshold")
  if threshold is not None and not (isinstance(threshold, int) and 1 <= threshold <= _WHITE):
    raise Refusal(400, f'"mask_threshold" must be a whole number from 1 to {_WHITE}.')
  return MaskReading(invert == "true", mask_from, threshold)


def fill(
  inpainter: Inpainter, pixels: np.ndarray, mask: BoxMask, options: Options, job: Job, is_own_mask: bool = False
) -> tuple[list[Patch], str]:
  """Fills the painted mask.

  Args:
    inpainter: the model.
    pixels: photograph, (H, W, 3) or (H, W, 4) with alpha, uint8 or uint16; not changed.
    mask: the hole, before it grows.
    options: how to fill.
    job: job that counts the steps.
    is_own_mask: see `mask_files.was_erased`.
  Returns: the filled rectangles, with alpha if `pixels` have it; and a remark for the user, or "".
  Raises: InputError if no known pixel would be left; Cancelled.
  """
  size = (pixels.shape[0], pixels.shape[1])
  mask = shapes.pad_box(mask, options.dilate_px + _RING_PX, size)
  grown = mask_files.dilate(mask.mask, options.dilate_px)
  hole = np.zeros(size, bool)
  hole[mask.box] = grown != 0
  pixels, alpha = pixels[..., :3], pixels[..., 3] if pixels.shape[2] > 3 else None
  plan = inpainter.plan(pixels, hole)
  job.begin(inpainter.count_steps(plan))
  patches = inpainter.patches(pixels, hole, options.detail, plan, job.advance)
  if options.feather_px:
    weights = np.zeros(size, np.float32)
    weights[mask.box] = mask_files.feather_weights(mask.mask, grown, options.feather_px)
    patches = [
      Patch(patch.box, mask_files.feathered(patch.pixels, pixels[patch.box], weights[patch.box])) for patch in patches
    ]
  remarks = [inpainter.remark(hole, plan, options.detail)]
  if alpha is not None:
    if mask_files.was_erased(alpha[mask.box], mask.mask, is_own_mask):
      alpha = mask_files.made_opaque(alpha, hole)
      remarks.insert(0, mask_files.NOW_OPAQUE)
    patches = [Patch(patch.box, np.dstack([patch.pixels, alpha[patch.box]])) for patch in patches]
  return patches, "; ".join(filter(None, remarks))


def warm(inpainter: Inpainter) -> None:
  """Fills two holes of a random picture, so that TensorFlow builds its graphs before the first user waits."""
  picture = np.random.default_rng(0).integers(0, 256, (_WARM_SIDE_PX, _WARM_SIDE_PX, 3), np.uint8)
  for side in _WARM_HOLES_PX:
    hole = np.zeros(picture.shape[:2], bool)
    hole[100 : 100 + side, 100 : 100 + side] = True
    inpainter.patches(picture, hole)


def as_fields(form: Mapping[str, str]) -> dict[str, Any]:
  """Returns a form's fields with numbers converted from text, as `Options.parse` takes them."""
  return {
    name: int(value) if name in _NUMBERS and value.isdecimal() and len(value) < _TOO_MANY_DIGITS else value
    for name, value in form.items()
  }

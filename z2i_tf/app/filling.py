"""Fills a painted mask as `z2i inpaint` does, at a cost that depends on the mask, not on the photograph."""

import dataclasses
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from z2i_tf import mask_io
from z2i_tf.app import shapes
from z2i_tf.app.filler import Job
from z2i_tf.app.shapes import BoxMask
from z2i_tf.inference.inpainter import DETAILS
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.inference.inpainter import Patch
from z2i_tf.web.application import Refusal

MAX_DILATE_PX = 1000
_RING_PX = 2  # Known pixels around a hole: distances in its box are then those in the photograph.
_WARM_SIDE_PX, _WARM_HOLES_PX = 400, (40, 120)  # The second is halved first, and takes another graph of the networks.


@dataclasses.dataclass(frozen=True)
class Options:
  """How a hole is filled, as by the flags of `z2i inpaint`.

  Attributes:
    detail: of `Inpainter`.
    dilate_px: by how much the mask is grown.
    feather_px: over how many of these pixels the fill fades in.
  """
  detail: str = "auto"
  dilate_px: int = 0
  feather_px: int = 0

  @classmethod
  def parse(cls, fields: Mapping[str, Any]) -> "Options":
    """Returns the options in a JSON object; raises Refusal if one cannot be used."""
    options = cls(fields.get("detail", "auto"), fields.get("dilate", 0), fields.get("feather", 0))
    if options.detail not in DETAILS:
      raise Refusal(400, f"\"detail\" is one of {', '.join(DETAILS)}.")
    for name, value in (("dilate", options.dilate_px), ("feather", options.feather_px)):
      if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_DILATE_PX:
        raise Refusal(400, f"\"{name}\" is a whole number of pixels from 0 to {MAX_DILATE_PX}.")
    if options.feather_px > options.dilate_px:
      raise Refusal(400, "Only what \"dilate\" adds can blend: \"feather\" must not be larger.")
    return options


def fill(inpainter: Inpainter, pixels: np.ndarray, mask: BoxMask, options: Options, job: Job
         ) -> Tuple[List[Patch], str]:
  """Fills what was painted.

  Args:
    inpainter: with the model.
    pixels: (H, W, 3) uint8 or uint16, the photograph; stays as it is.
    mask: the hole, before it is grown.
    options: how to fill.
    job: is told the steps.
  Returns: the filled rectangles; a remark for the user, or "".
  Raises: InputError if nothing known would be left; Cancelled.
  """
  size = pixels.shape[:2]
  mask = shapes.grown(mask, options.dilate_px + _RING_PX, size)
  grown = mask_io.dilate(mask.mask, options.dilate_px)
  hole = np.zeros(size, bool)
  hole[mask.box] = grown != 0
  plan = inpainter.plan(pixels, hole)
  job.begin(inpainter.count_steps(plan))
  patches = inpainter.patches(pixels, hole, options.detail, plan, job.advance)
  if options.feather_px:
    weights = np.zeros(size, np.float32)
    weights[mask.box] = mask_io.feather_weights(mask.mask, grown, options.feather_px)
    patches = [Patch(patch.box, mask_io.feathered(patch.pixels, pixels[patch.box], weights[patch.box]))
               for patch in patches]
  return patches, inpainter.remark(hole, plan) if options.detail != "none" else ""


def warm(inpainter: Inpainter) -> None:
  """Fills two holes of a made-up picture, so that the first user need not wait for TensorFlow to build its graphs."""
  picture = np.random.default_rng(0).integers(0, 256, (_WARM_SIDE_PX, _WARM_SIDE_PX, 3), np.uint8)
  for side in _WARM_HOLES_PX:
    hole = np.zeros(picture.shape[:2], bool)
    hole[100:100 + side, 100:100 + side] = True
    inpainter.patches(picture, hole)


def as_fields(form: Mapping[str, str]) -> Dict[str, Any]:
  """Returns the fields of a form as `Options.parse` takes them: numbers as numbers."""
  return {name: int(value) if name in ("dilate", "feather") and value.isdecimal() else value
          for name, value in form.items()}

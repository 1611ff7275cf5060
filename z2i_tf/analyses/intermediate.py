"""What every stage of the model makes of photographs (paper's Figures 2 and 16)."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import numpy as np

from z2i_tf import conventions
from z2i_tf.analyses import comparison_sheet
from z2i_tf.analyses import picture_rows
from z2i_tf.analyses.analysis_folder import write_analysis
from z2i_tf.analyses.tables import Table
from z2i_tf.images import image_files
from z2i_tf.metrics import image_scores

ANALYSIS = "intermediate"
_PICTURE = "intermediate.png"
# The refined picture zoomed out again, pasted into the known pixels, is the result.
STAGES = (conventions.COARSE, conventions.ZOOMED, conventions.REFINED, conventions.RESULT)
_COMPARED = (conventions.COARSE, conventions.RESULT)
_REFINED_NOTE = (
  "The refined picture is shown as the network gives it: outside the hole, where the result has the "
  "known pixels, it is neither trained nor used."
)


@dataclasses.dataclass(frozen=True)
class Example:
  """A photograph with what the model made of it.

  Attributes:
    name: of the photograph.
    original: (H, W, 3) uint8.
    mask: (H, W) uint8, 1 = hole.
    stages: each of `STAGES` by name, uint8: (H, W, 3), or (H * scale, W * scale, 3) between zooming in and out.
  """

  name: str
  original: np.ndarray
  mask: np.ndarray
  stages: Mapping[str, np.ndarray]


def draw(examples: Sequence[Example], scale: int, zoom_crop: str) -> np.ndarray:
  """Returns a sheet with a photograph a row: input, every stage, original; PSNR under those of the original's size.

  With `zoom_crop` "auto" a second row has crops around the largest hole, enlarged to one size: a pixel of the stages at
  high resolution is then smaller there than one of the others. The first row shows these stages shrunk.
  """
  rows, captions, labels = [], [], []
  for example in examples:
    pictures = [
      comparison_sheet.paint_hole(example.original, example.mask),
      *(example.stages[stage] for stage in STAGES),
      example.original,
    ]
    of_image = picture_rows.rows_of(pictures, example.mask, zoom_crop)
    rows += of_image
    psnr = _psnr(example)
    captions += [()] * (len(of_image) - 1) + [
      ("", *(f"{psnr[stage]:.2f} dB" if stage in psnr else "" for stage in STAGES), "")
    ]
    labels += [f"{example.name}, hole {100 * example.mask.mean():.1f}%"] + [""] * (len(of_image) - 1)
  titles = ("input", "coarse", f"zoomed in (x{scale})", f"refined (x{scale})", "zoomed out: result", "original")
  return comparison_sheet.draw_sheet(titles, rows, captions, labels)


def write(
  folder: str, examples: Sequence[Example], scale: int, zoom_crop: str, settings: Mapping[str, Any]
) -> list[Table]:
  """Writes record, table and sheet; returns the table.

  Args:
    folder: exists.
    examples: what is shown.
    scale: the model's.
    zoom_crop: see `draw`.
    settings: what else decides about the result.
  """
  psnr = [_psnr(example) for example in examples]
  table = Table(
    "PSNR of stages against the original, dB",
    ("image", "hole", *_COMPARED),
    [
      (example.name, f"{100 * example.mask.mean():.2f}%", *(f"{of[stage]:.2f}" for stage in _COMPARED))
      for example, of in zip(examples, psnr)
    ],
    (_REFINED_NOTE,),
  )
  image_files.write_rgb(os.path.join(folder, _PICTURE), draw(examples, scale, zoom_crop))
  images = [
    {"name": example.name, "hole_ratio": example.mask.mean(), "PSNR": of} for example, of in zip(examples, psnr)
  ]
  write_analysis(folder, ANALYSIS, {"zoom_crop": zoom_crop, **settings}, {"images": images}, [table], [_PICTURE])
  return [table]


def _psnr(example):
  return {stage: image_scores.psnr(example.stages[stage], example.original) for stage in _COMPARED}

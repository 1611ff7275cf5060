"""Draws the outputs of a model's networks for photographs (the paper's Figures 2 and 16), and writes them as files."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import numpy as np

from z2i_tf import conventions
from z2i_tf import image_ops
from z2i_tf.analyses import picture_sheets
from z2i_tf.analyses.records import AnalysisResult
from z2i_tf.analyses.tables import Table
from z2i_tf.images import image_files
from z2i_tf.inference.generator import ATTENTION_SOURCES
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.metrics import image_scores
from z2i_tf.metrics.scoring import without_hole

ANALYSIS = "intermediate"
_PICTURE = "intermediate.png"
# The result is the refined picture zoomed out, with the known pixels of the photograph.
OUTPUTS = (conventions.COARSE, conventions.ZOOMED, conventions.REFINED, conventions.RESULT)
_COMPARED = (conventions.COARSE, conventions.RESULT)
_REFINED_NOTE = (
  "The refined picture is the network's output. Outside the hole, the network is neither trained nor used: the result "
  "has the known pixels there."
)
_INPUT, _MASK, _POSITIONS, _COPIES, _SHEET = "input", "mask", "attention_positions", "attention_copies", "contact_sheet"
# Every file that a dump may contain.
DUMP_FILES = tuple(f"{name}.png" for name in (_INPUT, _MASK, *conventions.OUTPUTS, _POSITIONS, _COPIES, _SHEET))
# Share of the photograph in the known pixels of the picture of positions.
_PHOTO_SHARE = 0.5
_KEY_PX = 8  # Side of an attention key in pixels of the high resolution.


@dataclasses.dataclass(frozen=True)
class Example:
  """A photograph with the outputs of the networks.

  Attributes:
    name: of the photograph.
    original: (H, W, 3) uint8.
    mask: (H, W) uint8, 1 = hole.
    outputs: uint8 picture for each of `OUTPUTS`: (H, W, 3), or (H * scale, W * scale, 3) between zooming in and out.
  """

  name: str
  original: np.ndarray
  mask: np.ndarray
  outputs: Mapping[str, np.ndarray]


def fill_example(inpainter: Inpainter, name: str, image: np.ndarray, mask: np.ndarray) -> Example:
  """Runs the networks on a photograph; the model never sees the hole's pixels.

  Args:
    inpainter: with the model.
    name: of the photograph.
    image: (H, W, 3) uint8.
    mask: (H, W) uint8, 1 = hole.
  """
  masked = without_hole(image, mask)
  outputs = inpainter.outputs(masked, mask)
  pictures = {output: image_ops.to_levels(outputs[output]) for output in OUTPUTS}
  for output in _COMPARED:  # Known pixels stay exact, as in the files that users get.
    pictures[output] = image_ops.fill_hole(masked, mask, outputs[output])
  return Example(name, image, mask, pictures)


def draw(examples: Sequence[Example], scale: int, zoom_crop: str) -> np.ndarray:
  """Draws a sheet with a photograph per row: input, every output, original; PSNR under outputs of the original's size.

  With `zoom_crop` "auto", a second row shows crops around the largest hole, all enlarged to one size: pixels of the
  high-resolution outputs are smaller there. The first row shows these outputs shrunk.

  Args:
    examples: to show.
    scale: of the model.
    zoom_crop: "auto" or "none".
  Returns: (H, W, 3) uint8.
  """
  rows, captions, labels = [], [], []
  for example in examples:
    pictures = [
      picture_sheets.paint_hole(example.original, example.mask),
      *(example.outputs[output] for output in OUTPUTS),
      example.original,
    ]
    of_image = picture_sheets.photo_rows(pictures, example.mask, zoom_crop)
    rows += of_image
    psnr = _psnr(example)
    captions += [()] * (len(of_image) - 1) + [
      ("", *(f"{psnr[output]:.2f} dB" if output in psnr else "" for output in OUTPUTS), "")
    ]
    labels += [f"{example.name}, hole {100 * example.mask.mean():.1f}%"] + [""] * (len(of_image) - 1)
  titles = ("input", "coarse", f"zoomed in (x{scale})", f"refined (x{scale})", "zoomed out: result", "original")
  return picture_sheets.draw_sheet(titles, rows, captions, labels)


def write(
  folder: str, examples: Sequence[Example], scale: int, zoom_crop: str, settings: Mapping[str, Any]
) -> Sequence[Table]:
  """Writes record, table and sheet to an existing folder; returns the table.

  Args:
    folder: existing.
    examples: to show.
    scale: of the model.
    zoom_crop: see `draw`.
    settings: everything else that decides the result.
  """
  psnr = [_psnr(example) for example in examples]
  table = Table(
    "PSNR of the outputs against the original, dB",
    ("image", "hole", *_COMPARED),
    [
      (example.name, f"{100 * example.mask.mean():.2f}%", *(f"{of[output]:.2f}" for output in _COMPARED))
      for example, of in zip(examples, psnr)
    ],
    (_REFINED_NOTE,),
  )
  image_files.write_rgb(os.path.join(folder, _PICTURE), draw(examples, scale, zoom_crop))
  images = [
    {"name": example.name, "hole_ratio": example.mask.mean(), "PSNR": of} for example, of in zip(examples, psnr)
  ]
  AnalysisResult(ANALYSIS, {"zoom_crop": zoom_crop, **settings}, {"images": images}, [table], [_PICTURE]).write(folder)
  return [table]


def _psnr(example: Example) -> dict[str, float]:
  return {output: image_scores.psnr(example.outputs[output], example.original) for output in _COMPARED}


def write_dump(folder: str, inpainter: Inpainter, image: np.ndarray, mask: np.ndarray) -> None:
  """Writes PNG files of input, mask, every output and attention, and a contact sheet of them.

  `attention_positions` colours pixels by position: known pixels by their own, mixed with the photograph, and pixels of
  the hole by the position that attention weighted most. `attention_copies` shows the pixels at these positions, white
  where a copied block reaches into the hole. A SavedModel has no attention output, so its dump lacks both.

  Args:
    folder: existing.
    inpainter: with the model; its networks see the whole image.
    image: (H, W, 3) uint8.
    mask: (H, W) uint8, 1 = hole.
  Raises: InputError if memory is short or a file cannot be written.
  """
  outputs = inpainter.outputs(image, mask)
  pictures = {_INPUT: picture_sheets.paint_hole(image, mask), _MASK: picture_sheets.mask_picture(mask)}
  pictures.update((name, image_ops.to_levels(outputs[name])) for name in conventions.OUTPUTS if name in outputs)
  if ATTENTION_SOURCES in outputs:
    scale = pictures[conventions.ZOOMED].shape[0] // image.shape[0]
    pictures.update(_attention_pictures(pictures[_INPUT], mask, outputs[ATTENTION_SOURCES], scale))
  for name, picture in pictures.items():
    image_files.write_rgb(os.path.join(folder, name + ".png"), picture)
  row = [_subsample(picture, image.shape) for picture in pictures.values()]
  image_files.write_rgb(os.path.join(folder, _SHEET + ".png"), picture_sheets.draw_sheet(list(pictures), [row]))


def _attention_pictures(image: np.ndarray, hole: np.ndarray, sources: np.ndarray, scale: int) -> dict[str, np.ndarray]:
  """Returns (H, W, 3) uint8 pictures of the key numbers `sources` (h, w); -1 marks keys that copy nothing."""
  height, width = hole.shape
  key_rows, key_columns = np.divmod(sources, sources.shape[1])
  # Look up each pixel at high resolution, then scale back to the image.
  rows, columns = np.mgrid[:height, :width] * scale
  is_copied = (sources[rows // _KEY_PX, columns // _KEY_PX] >= 0) & (hole != 0)
  from_rows, from_columns = (
    np.where(is_copied, keys[rows // _KEY_PX, columns // _KEY_PX] * _KEY_PX + place % _KEY_PX, place) // scale
    for keys, place in ((key_rows, rows), (key_columns, columns))
  )
  from_rows, from_columns = np.minimum(from_rows, height - 1), np.minimum(from_columns, width - 1)
  positions = np.stack([from_rows / height, from_columns / width, np.full(hole.shape, 0.5)], axis=-1)
  mixed = _PHOTO_SHARE * image / 255.0 + (1.0 - _PHOTO_SHARE) * positions
  return {
    _POSITIONS: image_ops.to_levels(np.where(hole[..., np.newaxis] != 0, positions, mixed)),
    _COPIES: np.where(is_copied[..., np.newaxis], image[from_rows, from_columns], image),
  }


def _subsample(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """Reduces a high-resolution output to the image's size by keeping every n-th pixel."""
  return picture[:: picture.shape[0] // shape[0], :: picture.shape[1] // shape[1]]

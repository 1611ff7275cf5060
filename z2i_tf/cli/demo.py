"""Inpaints the sample photographs and draws one comparison sheet.

Columns: input with its hole, OpenCV's Telea (radius 5), the networks' own result, the result with texture and
blending, the original. Prints the PSNR of Telea, networks and result for each photograph.
"""

import os

from absl import flags

from z2i_tf.cli import messages
from z2i_tf.cli.flags import filling_flags
from z2i_tf.errors import InputError

_SHEET = "comparison.png"
_TITLES = ("input", "Telea", "networks", "result", "original")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image_dir", os.path.join("data", "images"), "Folder of photographs.", flag_values=values)
  flags.DEFINE_string(
    "mask_dir", os.path.join("data", "masks"), "Folder of masks of the same names, white = hole.", flag_values=values
  )
  flags.DEFINE_string("output_dir", "demo_output", "Folder for the pictures, created if missing.", flag_values=values)
  filling_flags.define_model_choice_flag(values)


def run(values: flags.FlagValues) -> bool:
  """Returns whether a photograph failed."""
  from z2i_tf.images import image_files
  from z2i_tf.images import photo_files
  from z2i_tf.inference import pairs

  folder = pairs.FolderPairs(values.image_dir, values.mask_dir, values.output_dir)
  image_files.create_folder(values.output_dir)

  from z2i_tf.analyses import picture_sheets
  from z2i_tf.inference.inpainter import Inpainter

  inpainter = Inpainter.load(values.model)
  print(f"{'PSNR, dB':<16}" + "".join(f"{title:>9}" for title in _TITLES[1:4]))
  rows, failures = [], []
  for path in folder.images:
    try:
      photo, mask, _ = folder.read(path)
      row = _row(inpainter, path, photo_files.to_8_bits(photo.rgb), mask)
      image_files.write_rgb(folder.result_path(path), row[_TITLES.index("result")])
      rows.append(row)
    except InputError as error:
      failures.append(str(error))
  if rows:
    sheet = os.path.join(values.output_dir, _SHEET)
    image_files.write_rgb(sheet, picture_sheets.draw_sheet(_TITLES, rows))
    print(sheet)
  return messages.print_outcome(failures, len(folder.images), left_out=folder.left_out)


def _row(inpainter, path, image, mask):
  """Fills one photograph in three ways; prints their PSNR; returns the pictures in the order of the titles."""
  from z2i_tf.analyses import picture_sheets
  from z2i_tf.evaluation import baselines
  from z2i_tf.images import image_files
  from z2i_tf.metrics import image_scores
  from z2i_tf.metrics import scoring

  masked = scoring.without_hole(image, mask)
  fills = [baselines.telea(masked, mask), inpainter(masked, mask, native=True), inpainter(masked, mask)]
  scores = [image_scores.score_image(fill, image, mask)[image_scores.PSNR] for fill in fills]
  print(f"{image_files.stem(path):<16}" + "".join(f"{score:9.2f}" for score in scores))
  return [picture_sheets.paint_hole(image, mask), *fills, image]

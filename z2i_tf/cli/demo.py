"""Inpaints the sample photographs and draws one comparison sheet.

Columns: input with its hole, OpenCV's Telea (radius 5), the coarse network's fill, the result, the
original. Prints the PSNR of Telea, coarse fill and result for each photograph.
"""

import os

from absl import flags

from z2i_tf.cli import flag_groups

_TITLES = ("input", "Telea", "coarse", "result", "original")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image_dir", os.path.join("data", "images"), "Folder of photographs.",
                      flag_values=values)
  flags.DEFINE_string("mask_dir", os.path.join("data", "masks"), "Folder of masks of the same names, "
                      "white = hole.", flag_values=values)
  flags.DEFINE_string("output_dir", "demo_output", "Folder for the pictures, created if missing.",
                      flag_values=values)
  flag_groups.define_model_choice_flag(values)


def run(values: flags.FlagValues) -> None:
  from z2i_tf import image_io
  images = image_io.list_images(values.image_dir)
  os.makedirs(values.output_dir, exist_ok=True)
  image_io.check_writable_folder(values.output_dir)

  from z2i_tf import conventions
  from z2i_tf.evaluation import baselines
  from z2i_tf.evaluation import comparison_sheet
  from z2i_tf.evaluation import evaluate
  from z2i_tf.inference.inpainter import Inpainter
  inpainter = Inpainter.load(values.model)
  print(f"{'PSNR, dB':<16}" + "".join(f"{title:>9}" for title in _TITLES[1:4]))
  rows = []
  for path in images:
    name = os.path.splitext(os.path.basename(path))[0]
    image = image_io.read_rgb(path)
    mask = image_io.read_mask(os.path.join(values.mask_dir, name + ".png"))
    masked = image * (1 - mask[..., None])
    coarse = image_io.to_uint8(inpainter.stages(masked, mask)[conventions.COARSE])
    fills = [baselines.telea(masked, mask), coarse, inpainter(masked, mask)]
    image_io.write_rgb(os.path.join(values.output_dir, name + ".png"), fills[-1])
    rows.append([comparison_sheet.paint_hole(image, mask), *fills, image])
    print(f"{name:<16}" + "".join(f"{evaluate.score(fill, image)['PSNR']:9.2f}" for fill in fills))
  sheet = os.path.join(values.output_dir, "comparison.png")
  image_io.write_rgb(sheet, comparison_sheet.draw_sheet(_TITLES, rows))
  print(sheet)

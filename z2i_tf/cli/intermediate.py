"""Draws every output of a model's networks for photographs (the paper's Figures 2 and 16).

Each photograph has a row: input with its hole, coarse fill, zoomed in, refined, zoomed out (the result), original. A
second row shows crops around the largest hole; there, outputs at high resolution keep their own, smaller pixels. The
refined picture is the network's own; outside the hole it is neither trained nor used. Takes whole photographs, in the
order of their names. Also writes tables.md and intermediate.json.
"""

import os

from absl import flags

from z2i_tf.cli.flags import analysis_flags
from z2i_tf.cli.flags import filling_flags
from z2i_tf.cli.flags import flag_readers


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image_dir", None, "Folder of photographs.", flag_values=values)
  flags.DEFINE_string("mask_dir", None, "Folder of their masks, of the same names; white = hole.", flag_values=values)
  flags.DEFINE_integer("count", 4, "Number of photographs.", lower_bound=1, flag_values=values)
  analysis_flags.define_zoom_crop_flag(values)
  filling_flags.define_model_choice_flag(values)
  filling_flags.define_precision_flag(values)
  analysis_flags.define_analysis_folder_flag(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "image_dir", "mask_dir", "output_dir")
  from z2i_tf.analyses import records
  from z2i_tf.analyses import tables
  from z2i_tf.images import image_files
  from z2i_tf.images import photo_files
  from z2i_tf.inference import pairs

  folder = pairs.FolderPairs(values.image_dir, values.mask_dir, values.output_dir)
  paths = folder.images[: values.count]
  read = [folder.read(path) for path in paths]
  image_files.create_folder(values.output_dir)

  from z2i_tf.analyses import intermediate
  from z2i_tf.inference import model_store
  from z2i_tf.inference.inpainter import Inpainter

  records.check_folder_is_free(values.output_dir, intermediate.ANALYSIS)
  predictor = model_store.load_predictor(values.model, values.precision)
  inpainter = Inpainter(predictor)
  examples = [
    intermediate.fill_example(inpainter, image_files.stem(path), photo_files.to_8_bits(photo.rgb), mask)
    for path, (photo, mask, _) in zip(paths, read)
  ]
  settings = {
    "model": model_store.content_hash(values.model),
    "precision": predictor.precision,
    "images": {os.path.basename(path): records.sha256(path) for path in paths},
    "masks": {os.path.basename(folder.mask_path(path)): records.sha256(folder.mask_path(path)) for path in paths},
  }
  scale = predictor.scale
  for table in intermediate.write(values.output_dir, examples, scale, values.zoom_crop, settings):
    print(tables.to_text(table) + "\n")
  print(values.output_dir)

"""Writes random masks as PNG files: mask_00000.png and so on, 255 = hole, 0 = known.

The same seed gives the same files; mask i does not depend on --count.
"""

import os

from absl import flags

from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags
from z2i_tf.cli.flags import seed_and_size_flags
from z2i_tf.errors import InputError


def define_flags(values: flags.FlagValues) -> None:
  mask_flags.define_mask_kind_flag(values, "kind")
  flags.DEFINE_integer("count", 100, "Number of masks.", lower_bound=1, flag_values=values)
  seed_and_size_flags.define_size_flag(values)
  seed_and_size_flags.define_seed_flag(values)
  flags.DEFINE_string("output_dir", None, "Folder for the masks, created if missing.", flag_values=values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output_dir")
  height, width = seed_and_size_flags.size(values)

  import numpy as np

  from z2i_tf.images import image_files

  mixture = mask_flags.mask_mixture(values.kind, "kind")
  folder = image_files.create_folder(values.output_dir)
  ratios = []
  for index in range(values.count):
    try:
      mask = mixture.draw(height, width, np.random.default_rng([values.seed, index]))
    except ValueError as error:
      raise InputError(f"--size={values.size}: {error}") from error
    ratios.append(mask.mean())
    image_files.write_mask(os.path.join(values.output_dir, f"mask_{index:05d}.png"), mask)
  print(
    f"{values.count} masks of {height}x{width} in {folder}: "
    f"hole {100 * np.mean(ratios):.2f}% on average, {100 * np.max(ratios):.2f}% at most"
  )

"""Writes a test set for z2i evaluate: centre crops of a data set's images, each with a fixed mask of every kind.

The paper takes 100 images of each of Places2's validation and test splits (--source=places365_small
--split=validation,test), and 100 of DIV2K's validation split (--source=div2k --split=validation), at 256x256. The
folder gets images/, masks/KIND/ and testset.json, which lists the origin of every image and the hashes of all files.
The same flags give the same files.
"""

import shlex

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli.flags import data_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags
from z2i_tf.cli.flags import seed_and_size_flags


def define_flags(values: flags.FlagValues) -> None:
  data_flags.define_source_flags(values)
  flags.DEFINE_integer(
    "count",
    100,
    "Number of images of each split, drawn at random by --seed; 0 = all.",
    lower_bound=0,
    flag_values=values,
  )
  flags.DEFINE_integer("crop_size", 256, "Side of the images, pixels.", lower_bound=16, flag_values=values)
  flags.DEFINE_integer(
    "shrink",
    1,
    "Side of the centre crop divided by --crop_size; the crop is then shrunk (bicubic, antialiased). 1 = paper.",
    lower_bound=1,
    flag_values=values,
  )
  mask_flags.define_kinds_flag(values)
  seed_and_size_flags.define_seed_flag(values)
  data_flags.define_bad_image_flag(values)
  flags.DEFINE_string("output_dir", None, "New folder for the test set.", flag_values=values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output_dir", "kinds")
  folder = flag_readers.new_folder(values, "output_dir")
  kinds = {kind: mask_flags.mask_mixture(kind, "kinds") for kind in mask_flags.mask_kinds(values)}
  sources = data_flags.open_sources(values, conventions.DEFAULT_SCALE)
  from z2i_tf.cli.progress import progress
  from z2i_tf.evaluation import test_sets

  with progress(sum(values.count or len(source) for source in sources), "image") as advance:
    images = test_sets.write_test_set(
      sources,
      folder,
      kinds,
      values.count,
      values.crop_size,
      values.shrink,
      values.seed,
      data_flags.bad_images(values),
      {"source": values.source, "split": data_flags.split(values)},
      advance,
    )
  for kind in kinds:
    ratios = [image["hole_ratios"][kind] for image in images]
    print(f"{kind} masks: hole {100 * sum(ratios) / len(ratios):.2f}% on average, {100 * max(ratios):.2f}% at most")
  print(
    f"{len(images)} images of {values.crop_size}x{values.crop_size} in {values.output_dir}; "
    f"z2i evaluate --testset={shlex.quote(values.output_dir)} --output_dir=DIR"
  )

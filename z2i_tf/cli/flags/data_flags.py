"""Flags of data sets and training examples, and the objects built from them."""

from typing import TYPE_CHECKING

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli import messages
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags
from z2i_tf.cli.flags import seed_and_size_flags
from z2i_tf.datasets import open_source as kinds_of_sources
from z2i_tf.datasets.open_source import TENSORFLOW_DATASETS
from z2i_tf.datasets.open_source import TILED_RECORDS

if TYPE_CHECKING:
  from z2i_tf.datasets.examples import ExampleConfig
  from z2i_tf.datasets.sources import BadImages
  from z2i_tf.datasets.sources import ImageSource

_DEFAULT_SPLIT = "train"


def define_source_flags(values: flags.FlagValues, with_prepared: bool = True) -> None:
  """Defines the flags of the data set; `with_prepared`: whether it may be a folder of z2i prepare."""
  kinds = [kind for kind in kinds_of_sources.KINDS if with_prepared or kind != TILED_RECORDS]
  prepared_help = f"{TILED_RECORDS}: a folder that z2i prepare wrote; " if with_prepared else ""
  flags.DEFINE_enum(
    "source",
    "folder",
    kinds,
    "Kind of data set. folder: a folder of images, searched recursively, or a list of files; "
    f"{prepared_help}places365_small (Places2) and div2k: TensorFlow Datasets.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of images, list of files (a text file, one path per line), "
    "or the prepared folder. For a TensorFlow Dataset: the folder that holds it; default: "
    "$TFDS_DATA_DIR, or ~/tensorflow_datasets.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "split",
    None,
    f"Split of a TensorFlow Dataset, such as train or train[:90%]. Default: {_DEFAULT_SPLIT}.",
    flag_values=values,
  )


def open_source(values: flags.FlagValues, scale: int) -> "ImageSource":
  """Opens the ImageSource of the source flags; raises InputError if it is not there, or a flag does not apply."""
  kinds_of_sources.check_settings(values.source, values.data_dir, values.split)
  return kinds_of_sources.open_source(values.source, values.data_dir, split(values), scale)


def open_sources(values: flags.FlagValues, scale: int) -> list["ImageSource"]:
  """Opens one ImageSource for each comma-separated split in --split; raises as `open_source`."""
  kinds_of_sources.check_settings(values.source, values.data_dir, values.split)
  names = split(values)
  splits = [part.strip() for part in names.split(",")] if names else [None]
  return [kinds_of_sources.open_source(values.source, values.data_dir, part, scale) for part in splits]


def split(values: flags.FlagValues) -> str | None:
  """Returns the split to read, or None if the kind of data set has no splits."""
  return (values.split or _DEFAULT_SPLIT) if values.source in TENSORFLOW_DATASETS else None


def define_bad_image_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "on_bad_image",
    "skip",
    ["skip", "fail"],
    "Treatment of an image that is damaged or smaller than the crop: skip and report it, or fail.",
    flag_values=values,
  )


def bad_images(values: flags.FlagValues) -> "BadImages":
  """Returns the BadImages of the flag."""
  from z2i_tf.datasets.sources import BadImages

  return BadImages(values.on_bad_image == "fail", messages.warn)


def define_crop_size_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_integer(
    "crop_size",
    256,
    "Side of the low-resolution crop, pixels, a multiple of 8; the high-resolution crop is crop_size * scale.",
    lower_bound=1,
    flag_values=values,
  )


def define_scale_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_integer(
    "scale",
    conventions.DEFAULT_SCALE,
    "Zoom factor: side of the high-resolution crop divided by --crop_size.",
    lower_bound=1,
    flag_values=values,
  )


def define_example_flags(values: flags.FlagValues) -> None:
  """Defines the flags of the size and the masks of examples."""
  define_crop_size_flag(values)
  mask_flags.define_training_mask_flags(values)


def define_choice_flags(values: flags.FlagValues) -> None:
  """Defines the flags of crops, and the seed of all random choices."""
  flags.DEFINE_integer(
    "crops_per_image",
    1,
    "Number N of crops cut from an image each time it is decoded, at most 32. Crops of one image are more than 128 // "
    "N examples apart. Needs memory for about 600 crops of side crop_size * scale. 1 = paper.",
    flag_values=values,
  )
  flags.DEFINE_enum(
    "flips",
    "none",
    ["none", "horizontal", "both"],
    "Directions in which crops are mirrored at random; none = paper.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "crop_scales",
    ["1"],
    "Whole factors, such as 1,2,3. A training crop is cut larger by one of them, drawn among those that fit its image, "
    "and reduced by averaging. 1 = paper.",
    flag_values=values,
  )
  seed_and_size_flags.define_seed_flag(values)


def example_config(values: flags.FlagValues, scale: int) -> "ExampleConfig":
  """Returns the ExampleConfig of the example flags; reads the masks of --train_mask_dir.

  Raises: InputError for values that do not go together.
  """
  from z2i_tf.datasets.examples import make_config

  names = ("crop_size", "mask_kind", "train_mask_dir", "mask_reference_size", "seed", "crops_per_image", "flips")
  settings = {name: getattr(values, name) for name in names}
  return make_config(scale=scale, crop_scales=flag_readers.numbers(values, "crop_scales", int), **settings)


def define_validation_flags(values: flags.FlagValues) -> None:
  """Defines the flags of the images to measure on during training."""
  flags.DEFINE_string(
    "validation_dir",
    None,
    "Validation images, given as in --data_dir. Without them, nothing is measured and TensorBoard shows training "
    "images.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "validation_split", None, "Split of a TensorFlow Dataset to measure on, such as validation.", flag_values=values
  )

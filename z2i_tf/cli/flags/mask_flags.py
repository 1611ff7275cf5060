"""Defines the flags for drawing masks and for reading mask files, and builds the settings from them."""

from typing import TYPE_CHECKING

from absl import flags

from z2i_tf.cli.flags import flag_readers
from z2i_tf.errors import InputError

if TYPE_CHECKING:
  from z2i_tf.inference.pairs import MaskOptions
  from z2i_tf.masks.mixture import MaskMixture


def define_mask_kind_flag(values: flags.FlagValues, name: str = "mask_kind", own: str = "") -> None:
  """Defines the flag of the kind of masks; `own`: words on the user's own masks, added to the help."""
  flags.DEFINE_string(
    name,
    "small",
    f"Kind of masks: small or large (the paper's), rect (a rectangle), object (blobs; the border cuts a quarter of "
    f"them){own}, or shares of several kinds, such as small:0.7,large:0.3.",
    flag_values=values,
  )


def define_training_mask_flags(values: flags.FlagValues) -> None:
  """Defines the flags of the masks of training examples."""
  define_mask_kind_flag(values, own=", folder (your own masks: --train_mask_dir)")
  flags.DEFINE_string(
    "train_mask_dir",
    None,
    "Folder of your own masks for the kind folder, white = hole. Each is scaled to cover the crop, then cropped at "
    "random.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "mask_reference_size",
    None,
    "Draw masks as squares of this side, pixels, and cut a random part of the crop's size. Strokes in small crops then "
    "have the proportions that they have at test time. Default: the size of the crop.",
    lower_bound=1,
    flag_values=values,
  )


def mask_mixture(text: str, flag_name: str, reference_size: int | None = None) -> "MaskMixture":
  """Returns the MaskMixture that a flag's text describes; raises InputError naming the flag."""
  from z2i_tf.masks.mixture import MaskMixture

  try:
    return MaskMixture.parse(text, reference_size)
  except ValueError as error:
    raise InputError(f"--{flag_name}={text}: {error}") from error


def define_mask_reading_flags(values: flags.FlagValues) -> None:
  """Defines the flags of reading, growing and blending masks."""
  flags.DEFINE_bool(
    "invert_mask", False, "Read black (or transparent) as the hole instead of white (or opaque).", flag_values=values
  )
  flags.DEFINE_enum(
    "mask_from",
    "auto",
    ["auto", "luma", "alpha"],
    "Channel of a mask file to read: luma (white = hole) or alpha (opaque = hole). auto reads the one that varies; if "
    "both vary, they must show the same hole.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "mask_threshold",
    None,
    "Lowest level of a hole pixel, 1 to 255. Default: 128, together with the soft edges of strokes that reach it; a "
    "mask with separate areas below 128 is an error.",
    lower_bound=1,
    upper_bound=255,
    flag_values=values,
  )
  define_max_pixels_flag(values)
  flags.DEFINE_integer(
    "dilate", 0, "Number of pixels by which to grow the hole before filling it.", lower_bound=0, flag_values=values
  )
  flags.DEFINE_integer(
    "feather",
    0,
    "Width in pixels of the blend between fill and photograph at the edge of the dilated hole; at most --dilate.",
    lower_bound=0,
    flag_values=values,
  )


def define_mask_suffix_flag(values: flags.FlagValues) -> None:
  """Defines the flag that pairs masks with images by name."""
  flags.DEFINE_string(
    "mask_suffix",
    None,
    "Suffix of a mask's name after its image's name: --mask_suffix=_hole pairs a.jpg with a_hole.png. Default: none, "
    "_mask, or _mask and a number.",
    flag_values=values,
  )


def define_max_pixels_flag(values: flags.FlagValues) -> None:
  """Defines the limit of pixels per file."""
  flags.DEFINE_integer(
    "max_pixels",
    None,
    "Maximum number of pixels of an image or mask file. Default: Pillow's limit, 89,478,485.",
    lower_bound=1,
    flag_values=values,
  )


def mask_options(values: flags.FlagValues) -> "MaskOptions":
  """Returns the MaskOptions of the flags of masks; raises InputError if they contradict each other."""
  from z2i_tf.images.mask_files import MaskReading
  from z2i_tf.inference.pairs import MaskOptions

  reading = MaskReading(values.invert_mask, values.mask_from, values.mask_threshold)
  return MaskOptions(reading, values.max_pixels, values.dilate, values.feather)


def define_kinds_flag(values: flags.FlagValues) -> None:
  """Defines the flag of several kinds of masks."""
  flags.DEFINE_list(
    "kinds",
    ["small", "large"],
    "Kinds of masks: small and large (the paper's), rect (a rectangle), object (blobs).",
    flag_values=values,
  )


def mask_kinds(values: flags.FlagValues) -> list[str]:
  """Returns the kinds of --kinds; raises InputError for an unknown one, or one that is given twice."""
  flag_readers.require(values, "kinds")
  from z2i_tf.masks.specs import SPECS

  for kind in values.kinds:
    if values.kinds.count(kind) > 1:
      raise InputError(f"--kinds={','.join(values.kinds)}: {kind} is given twice")
    if kind not in SPECS:
      raise InputError(f"--kinds={','.join(values.kinds)}: unknown kind of mask {kind!r}; known are {', '.join(SPECS)}")
  return values.kinds

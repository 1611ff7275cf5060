"""Defines the flags of analyses and of the pictures of an evaluation."""

from absl import flags


def define_analysis_folder_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "output_dir", None, "Folder for the record (JSON), tables.md and pictures; created if missing.", flag_values=values
  )


def define_zoom_crop_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "zoom_crop",
    "auto",
    ["auto", "none"],
    "auto: draw below each image an enlarged crop around its largest hole.",
    flag_values=values,
  )


def define_run_flags(values: flags.FlagValues) -> None:
  """Defines which part of an evaluation to draw, and where."""
  flags.DEFINE_string(
    "run", None, "Folder of z2i evaluate, with its pictures; or the record in it.", flag_values=values
  )
  flags.DEFINE_list(
    "methods", [], "Methods of the evaluation, in the order of the columns. Default: all.", flag_values=values
  )
  flags.DEFINE_list("test_sets", [], "Test sets of the evaluation. Default: all.", flag_values=values)
  flags.DEFINE_integer("count", 8, "Number of images of each test set.", lower_bound=1, flag_values=values)
  define_zoom_crop_flag(values)
  define_analysis_folder_flag(values)

"""The flags that analyses share: what is shown of an evaluation, and where pictures, tables and records go."""

from absl import flags


def define_analysis_folder_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for the record (JSON), tables.md and the pictures; created if missing.",
    flag_values=values,
  )


def define_zoom_crop_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "zoom_crop",
    "auto",
    ["auto", "none"],
    "auto: below each image an enlarged crop around its largest hole.",
    flag_values=values,
  )


def define_run_flags(values: flags.FlagValues) -> None:
  """What is shown of a run of `z2i evaluate`, and where that goes."""
  flags.DEFINE_string(
    "run", None, "Folder of a run of z2i evaluate, with its pictures; or the record in it.", flag_values=values
  )
  flags.DEFINE_list("methods", [], "Methods of the run, in the order of the columns. Default: all.", flag_values=values)
  flags.DEFINE_list("test_sets", [], "Test sets of the run. Default: all.", flag_values=values)
  flags.DEFINE_integer("count", 8, "How many images of each test set.", lower_bound=1, flag_values=values)
  define_zoom_crop_flag(values)
  define_analysis_folder_flag(values)

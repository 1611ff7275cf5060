"""Defines the flags of random numbers and of image sizes, and reads the size."""

import re

from absl import flags

from z2i_tf.errors import InputError

# Of --size: a mask is drawn in memory; this is a quarter of a gigabyte.
_MAX_PIXELS = 2**28


def define_seed_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_integer(
    "seed", 0, "Seed of all random numbers.", lower_bound=0, upper_bound=2**32 - 1, flag_values=values
  )


def define_size_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_string("size", "256x256", "Height x width in pixels.", flag_values=values)


def size(values: flags.FlagValues) -> tuple[int, int]:
  """Returns height and width of --size; raises InputError naming it."""
  match = re.fullmatch(r"(\d+)x(\d+)", values.size)
  if not match or not all(map(int, match.groups())):
    raise InputError(f"--size={values.size}: give height x width in pixels, as 256x256")
  height, width = map(int, match.groups())
  if height * width > _MAX_PIXELS:
    raise InputError(f"--size={values.size}: more than {_MAX_PIXELS:,} pixels")
  return height, width

"""Decodes every image of a data set, on all cores, and says what is in it: sizes, pixel formats, damaged files,
and whether the crop fits.

Exit code 0 when every image is usable, 1 when some are not, 2 when none is.
"""

import time

from absl import flags

from z2i_tf.cli import data_flags
from z2i_tf.errors import InputError


def define_flags(values: flags.FlagValues) -> None:
  data_flags.define_source_flags(values)
  data_flags.define_crop_size_flag(values)
  data_flags.define_scale_flag(values)
  flags.DEFINE_bool("quick", False, "Read headers only; images damaged behind their header go unnoticed.",
                    flag_values=values)


def run(values: flags.FlagValues) -> bool:
  """Returns whether some images are unusable."""
  source = data_flags.open_source(values, values.scale)
  from z2i_tf.cli.progress import progress
  from z2i_tf.datasets.survey import survey
  side = values.crop_size * values.scale
  started = time.monotonic()
  with progress(len(source), "image") as advance:
    found = survey(source, side, not values.quick, advance)
  seconds = time.monotonic() - started

  for message in (*found.bad, *found.too_small):
    print(f"unusable: {message}")
  for message in found.dark:
    print(f"warning: {message}")
  left_out = getattr(source, "left_out", "")
  if left_out:
    print(left_out)
  if found.sizes:
    heights, widths = (sorted(size[axis] for size in found.sizes.elements()) for axis in (0, 1))
    print(f"heights {_range(heights)}, widths {_range(widths)} pixels (least, median, largest)")
    print("pixel formats: " + ", ".join(f"{mode} {count}" for mode, count in found.modes.most_common())
          + f"; turned by EXIF: {found.turned}")
  print(f"{found.images} images {'by their headers' if values.quick else 'decoded'} in {seconds:.1f} s, "
        f"{found.images / seconds:.1f} per second: {found.usable} usable, {len(found.bad)} damaged, "
        f"{len(found.too_small)} smaller than the crop of {side}x{side}")
  if not found.usable:
    raise InputError(f"nothing usable in --source={values.source}"
                     + (f" --data_dir={values.data_dir}" if values.data_dir else ""))
  return found.usable < found.images


def _range(numbers):
  return f"{numbers[0]}, {numbers[len(numbers) // 2]}, {numbers[-1]}"

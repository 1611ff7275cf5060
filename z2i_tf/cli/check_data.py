"""Checks every image of a data set: sizes, pixel formats, damaged files, and whether the crop fits.

Decodes the images on all cores. Prints one line for each kind of fault, and the largest crop that fits all images;
--verbose names every faulty image. Exit code 0: every image is usable; 1: some are not; 2: none is.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import re
import time

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli.flags import data_flags
from z2i_tf.errors import InputError

# Maximum number of names printed for each kind of fault.
_MAX_NAMES = 3


def define_flags(values: flags.FlagValues) -> None:
  data_flags.define_source_flags(values)
  data_flags.define_crop_size_flag(values)
  data_flags.define_scale_flag(values)
  flags.DEFINE_bool("quick", False, "Read headers only; does not find damaged pixels.", flag_values=values)
  flags.DEFINE_bool(
    "verbose", False, "Name every image that is unusable, not only the first of each kind.", flag_values=values
  )


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

  for line in (
    *_bad_lines(found.bad, values.verbose),
    *_too_small_lines(found, values),
    *_dark_lines(found.dark, values.verbose),
  ):
    print(line)
  left_out = getattr(source, "left_out", "")
  if left_out:
    print(left_out)
  if found.sizes:
    heights, widths = (sorted(size[axis] for size in found.sizes.elements()) for axis in (0, 1))
    print(f"heights {_range(heights)}, widths {_range(widths)} pixels (smallest, median, largest)")
    print(
      "pixel formats: "
      + ", ".join(f"{mode} {count}" for mode, count in found.modes.most_common())
      + f"; turned by EXIF: {found.turned}"
    )
  print(
    f"{found.images} images {'by their headers' if values.quick else 'decoded'} in {seconds:.1f} s, "
    f"{found.images / seconds:.1f} per second: {found.usable} usable, {len(found.bad)} damaged, "
    f"{len(found.too_small)} smaller than the crop of {side}x{side}"
  )
  if not found.usable:
    raise InputError(
      f"nothing usable in --source={values.source}" + (f" --data_dir={values.data_dir}" if values.data_dir else "")
    )
  return found.usable < found.images


def _bad_lines(bad: Sequence[tuple[str, str]], verbose: bool) -> Iterator[str]:
  """Yields a line for each kind of damage; reasons that differ only in numbers are one kind."""
  kinds: dict[str, list[tuple[str, str]]] = {}
  for name, reason in bad:
    kinds.setdefault(name if verbose else re.sub(r"\d+", "", reason), []).append((name, reason))
  for members in kinds.values():
    names = [name for name, _ in members]
    yield f"unusable: {_images(names)}: {members[0][1]}"


def _too_small_lines(found, values) -> Iterator[str]:
  """Yields a line on images smaller than the crop, and the largest crop that fits all readable images."""
  if not found.too_small:
    return
  side = values.crop_size * values.scale
  if values.verbose:
    yield from (f"too small: {name}: {height}x{width} pixels" for name, (height, width) in found.too_small)
  height, width = min((size for _, size in found.too_small), key=min)
  fitting = min(height, width) // values.scale // conventions.SIZE_MULTIPLE * conventions.SIZE_MULTIPLE
  names = [name for name, _ in found.too_small]
  if len(names) == 1:
    what = f"{names[0]}: {height}x{width} pixels, smaller than the crop of {side}x{side}"
  else:
    what = f"{_images(names)}: smaller than the crop of {side}x{side}, down to {height}x{width} pixels"
  yield f"unusable: {what}; leave {'it' if len(names) == 1 else 'them'} out, or take smaller crops: " + (
    f"--crop_size={fitting} fits all" if fitting else f"none fits all with --scale={values.scale}"
  )


def _dark_lines(dark: list[str], verbose: bool) -> Iterator[str]:
  if verbose or len(dark) == 1:
    yield from (f"warning: {message}" for message in dark)
  elif dark:
    yield f"warning: {len(dark)} images use a small part of their range, such as {dark[0]}"


def _images(names: Sequence[str]) -> str:
  """Returns the one name, or the number of names and the first few."""
  if len(names) == 1:
    return names[0]
  more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
  return f"{len(names)} images ({', '.join(names[:_MAX_NAMES])}{more})"


def _range(numbers):
  return f"{numbers[0]}, {numbers[len(numbers) // 2]}, {numbers[-1]}"

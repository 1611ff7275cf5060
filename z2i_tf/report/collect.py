"""Finds the records of analyses, and their pictures, below a folder."""

import os

from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.report.document import Picture
from z2i_tf.report.document import Run
from z2i_tf.system import input_files

# What a file begins with -> what a browser calls it.
_MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
# Kinds of records that are no analyses.
_NOT_REPORTED = (records.TESTSET,)


def gather(folder: str) -> tuple[list[Run], list[str]]:
  """Returns the runs below a folder in order of their paths, and a line for all that had to be left out.

  Raises: InputError if the folder is none, or there is nothing in it to report.
  """
  found, left_out = records.scan_records(folder, tuple(record_schema.SCHEMAS))
  runs = []
  for path, record in found:
    if record["analysis"] in _NOT_REPORTED:
      continue
    problem = record_schema.problem_of(record)
    if problem:
      left_out.append(f"{path}: {problem}")
      continue
    pictures = []
    for name in record["pictures"]:
      picture, problem = _read_picture(os.path.dirname(path), name)
      if picture:
        pictures.append(picture)
      else:
        left_out.append(f"{path}: its picture {name!r} {problem}")
    runs.append(Run(os.path.relpath(path, folder).replace(os.sep, "/"), record, pictures))
  if not runs:
    raise InputError(
      f"{folder}: no analysis in it that can be shown"
      + (f"; {left_out[0]}" if left_out else f"; z2i evaluate --output_dir={os.path.join(folder, 'NAME')} makes one")
    )
  return runs, left_out


def _read_picture(folder: str, name: str) -> tuple[Picture | None, str]:
  """Returns the picture, or None and why there is none."""
  if name != os.path.basename(name):
    return None, "is not the name of a file beside it"
  path = os.path.join(folder, name)
  try:
    encoded = input_files.read_bytes(path)
    media_type = next((kind for start, kind in _MEDIA_TYPES.items() if encoded.startswith(start)), None)
    if media_type is None:
      return None, "is neither PNG nor JPEG"
    header = image_files.read_header(path, encoded)
  except InputError as error:
    return None, f"cannot be shown ({error})"
  return Picture(name, encoded, media_type, header.height, header.width), ""

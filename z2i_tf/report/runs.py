"""Finds the records of analyses below a folder with their pictures, and describes them in words."""

from collections.abc import Mapping
import json
import os
import re
from typing import Any

from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.analyses import score_tables
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.report.document import Picture
from z2i_tf.report.document import Run
from z2i_tf.system import input_files

# First bytes of a file -> media type.
_MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
# A SHA-256 and the number of digits shown; the manifest has all.
_HASH, _HASH_DIGITS = re.compile("[0-9a-f]{64}"), 12
# Entry of a method -> text.
_METHOD_TEXTS = {
  "zoom": "zoom {}",
  "scale": "scale {}",
  "width": "width {}",
  "precision": "{}",
  "radius_px": "radius {} px",
  "adapter": "adapter {}",
}
# Key of `records.versions` -> name shown.
_VERSION_TEXTS = {"z2i_tf": "z2i_tf", "tensorflow": "TensorFlow", "machine": ""}
# Entries of a record that describe how it was made.
_MANIFEST_ENTRIES = ("format", "analysis", "manifest", "methods", "measured_on")


def gather(folder: str) -> tuple[list[Run], list[str]]:
  """Finds the runs below a folder.

  Returns: the runs in order of their paths, and a line for each file that cannot be used.
  Raises: InputError if there is no such folder or it contains no usable run.
  """
  found, left_out = records.scan_records(folder, tuple(record_schema.SCHEMAS))
  runs = []
  for path, record in found:
    if record["analysis"] == records.TESTSET:
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
      f"{folder}: contains no analysis to report"
      + (f"; {left_out[0]}" if left_out else f"; z2i evaluate --output_dir={os.path.join(folder, 'NAME')} makes one")
    )
  return runs, left_out


def _read_picture(folder: str, name: str) -> tuple[Picture | None, str]:
  """Returns the picture, or None and the problem."""
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


def source_of_test_set(run: Run, test_set: str, metric: str | None = None) -> str:
  """Describes the source of the scores on a test set, including the network of the metric, if it has one."""
  made_as = run.record["manifest"].get("test_set")
  settings = made_as.get("settings", {}) if isinstance(made_as, dict) else {}
  source = ""
  if isinstance(settings, dict) and "source" in settings:
    source = f"source {settings['source']} {settings.get('split') or ''}".rstrip()
  return _source(
    run,
    run.record["manifest"].get("metrics", {}).get(metric),
    score_tables.measured_on(run.record, test_set),
    source,
    f"test set {run.record['test_sets'][test_set]['hash'][:_HASH_DIGITS]}",
  )


def source_of_settings(run: Run) -> str:
  """Describes the settings of an analysis."""
  settings = (
    f"{name} {_setting_text(name, value)}"
    for name, value in run.record["manifest"]["settings"].items()
    if not isinstance(value, dict)
  )  # The manifest has the lists of files.
  return _source(run, *settings)


def describe_method(name: str, entry: Mapping[str, Any]) -> str:
  """Describes a method of z2i evaluate."""
  parts = [entry["kind"]]
  parts += [text.format(entry[key]) for key, text in _METHOD_TEXTS.items() if entry.get(key) is not None]
  if "parameters" in entry:
    parts.append(f"{score_tables.format_parameters(entry)} parameters")
  if "hash" in entry:
    parts.append(f"sha256 {entry['hash'][:_HASH_DIGITS]}")
  return f"{name}: {', '.join(parts)}"


def caption(run: Run, picture: Picture) -> str:
  """Returns a caption made of the picture's file name and its run."""
  stem = picture.name.rpartition(".")[0] or picture.name
  return f"{stem.replace('_', ' ')} (this run: {run.folder})"


def notes(run: Run) -> list[str]:
  """Describes the methods of a run, and repeats the notes of its record."""
  methods = run.record.get("methods", {})
  return [describe_method(name, entry) for name, entry in methods.items()] + list(run.record.get("notes", []))


def manifest(run: Run) -> str:
  """Returns the conditions of a run as indented JSON, without its lists of images."""
  shown = {name: run.record[name] for name in _MANIFEST_ENTRIES if name in run.record}
  if "test_sets" in run.record:
    shown["test_sets"] = {
      name: {"hash": entry["hash"], "images": len(entry["images"])} for name, entry in run.record["test_sets"].items()
    }
  return json.dumps(shown, indent=1, ensure_ascii=False)


def _source(run: Run, *parts: str | None) -> str:
  versions = run.record["manifest"]["versions"]
  made_with = " ".join(f"{name} {versions[key]}".strip() for key, name in _VERSION_TEXTS.items() if key in versions)
  return "; ".join([f"this run ({run.folder})", *filter(None, parts), made_with])


def _setting_text(name: str, value: Any) -> str:
  if isinstance(value, list):
    return ("x" if name == "size" else ", ").join(map(str, value))
  is_hash = isinstance(value, str) and _HASH.fullmatch(value)
  return value[:_HASH_DIGITS] if is_hash else str(value)

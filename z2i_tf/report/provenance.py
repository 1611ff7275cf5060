"""What cells were measured on, and of what, in words."""

from collections.abc import Mapping
import re
from typing import Any

from z2i_tf.analyses import score_tables
from z2i_tf.report.document import Run

# A SHA-256, and how many of its digits are shown; the manifest has all.
_HASH, _HASH_DIGITS = re.compile("[0-9a-f]{64}"), 12
# Of a method's entry -> how it is said.
_SAID = {"zoom": "zoom {}", "scale": "scale {}", "width": "width {}", "precision": "{}", "radius_px": "radius {} px"}
# As records.versions() names them -> how it is said.
_VERSIONS = {"z2i_tf": "z2i_tf", "tensorflow": "TensorFlow", "machine": ""}


def of_test_set(run: Run, test_set: str, metric: str | None = None) -> str:
  """Returns what the scores of a test set are of; with a metric also the network that it is measured with, if any."""
  made_as = run.record["manifest"].get("test_set")
  settings = made_as.get("settings", {}) if isinstance(made_as, dict) else {}
  source = ""
  if isinstance(settings, dict) and "source" in settings:
    source = f"source {settings['source']} {settings.get('split') or ''}".rstrip()
  return _joined(
    run,
    run.record["manifest"].get("metrics", {}).get(metric),
    score_tables.measured_on(run.record, test_set),
    source,
    f"test set {run.record['test_sets'][test_set]['hash'][:_HASH_DIGITS]}",
  )


def of_settings(run: Run) -> str:
  """Returns what an analysis was asked for."""
  settings = (
    f"{name} {_value(name, value)}"
    for name, value in run.record["manifest"]["settings"].items()
    if not isinstance(value, dict)
  )  # Those that list files are in the manifest.
  return _joined(run, *settings)


def of_method(name: str, entry: Mapping[str, Any]) -> str:
  """Returns what a method of z2i evaluate is."""
  parts = [entry["kind"]]
  parts += [text.format(entry[key]) for key, text in _SAID.items() if entry.get(key) is not None]
  if "parameters" in entry:
    parts.append(f"{score_tables.format_parameters(entry)} parameters")
  if "hash" in entry:
    parts.append(f"sha256 {entry['hash'][:_HASH_DIGITS]}")
  return f"{name}: {', '.join(parts)}"


def _joined(run, *parts) -> str:
  versions = run.record["manifest"]["versions"]
  made_with = " ".join(f"{name} {versions[key]}".strip() for key, name in _VERSIONS.items() if key in versions)
  return "; ".join([f"this run ({run.folder})", *filter(None, parts), made_with])


def _value(name, value) -> str:
  if isinstance(value, list):
    return ("x" if name == "size" else ", ").join(map(str, value))
  is_hash = isinstance(value, str) and _HASH.fullmatch(value)
  return value[:_HASH_DIGITS] if is_hash else str(value)

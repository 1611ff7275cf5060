"""What a report says in words, whatever it is written as."""

import json

from z2i_tf.report import provenance
from z2i_tf.report.document import Picture
from z2i_tf.report.document import Report
from z2i_tf.report.document import Run

TITLE = "Zoom-to-Inpaint: report of analyses"
MISSING = "No run of this analysis was found; only the paper's numbers are shown. This makes one:"
# Of a record, what says how it was made; of lists of files only what is short.
_MANIFEST_ENTRIES = ("format", "analysis", "manifest", "methods", "measured_on")


def introduction(report: Report) -> list[str]:
  """Returns paragraphs."""
  runs = sum(len(section.runs) for section in report.sections)
  return [
    f"{runs} run{'s' if runs != 1 else ''}, gathered by z2i_tf {report.version}, beside the numbers of the paper "
    '"Zoom-to-Inpaint: Image Inpainting with High-Frequency Details" (Kim et al.).',
    "What each cell was measured on is said by the numbers in brackets at the end of its row, and in full when the "
    "pointer rests on it. The paper's rows were measured on other images and masks than ours unless both say the "
    "same: they stand beside each other for orientation, and differences between them prove nothing by themselves.",
  ]


def caption(run: Run, picture: Picture) -> str:
  """Returns what a picture shows, as its file's name says it, and which run it is of."""
  stem = picture.name.rpartition(".")[0] or picture.name
  return f"{stem.replace('_', ' ')} ({run.folder}, {picture.name})"


def notes(run: Run) -> list[str]:
  """Returns what the methods of a run are, and what was noted when it was made."""
  methods = run.record.get("methods", {})
  return [provenance.of_method(name, entry) for name, entry in methods.items()] + list(run.record.get("notes", []))


def manifest(run: Run) -> str:
  """Returns how a run was made, as indented JSON."""
  shown = {name: run.record[name] for name in _MANIFEST_ENTRIES if name in run.record}
  if "test_sets" in run.record:
    shown["test_sets"] = {
      name: {"hash": entry["hash"], "images": len(entry["images"])} for name, entry in run.record["test_sets"].items()
    }
  return json.dumps(shown, indent=1, ensure_ascii=False)

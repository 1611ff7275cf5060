"""Gathers the analyses below a folder into one HTML page and a Markdown file, beside the paper's numbers.

Finds the records of z2i evaluate (comparison, ablation, frequency, scale_study), mask-stats, complexity, intermediate,
side-by-side, failures and study --summary. --output_dir gets report.html, which needs nothing else, and report.md
with its pictures in report_files/. Each cell states its source. Names unusable records; the exit code is then 1.
"""

import os
import sys

from absl import flags

from z2i_tf.cli.flags import flag_readers
from z2i_tf.errors import InputError

_HTML, _MARKDOWN, _FILES = "report.html", "report.md", "report_files"
# A report has its title within this number of characters.
_TITLE_WITHIN = 1000


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("runs", None, "Folder of analyses; includes those in its sub-folders.", flag_values=values)
  flags.DEFINE_string(
    "output_dir", None, "Folder for the report, created if missing. Default: report in --runs.", flag_values=values
  )


def run(values: flags.FlagValues) -> bool:
  """Returns whether a record was left out."""
  flag_readers.require(values, "runs")
  from z2i_tf.images import image_files
  from z2i_tf.report import pages
  from z2i_tf.report import runs
  from z2i_tf.report import sections
  from z2i_tf.system.atomic_files import atomic_folder
  from z2i_tf.system.atomic_files import atomic_write

  found, left_out = runs.gather(values.runs)
  report = sections.build(found, left_out)
  folder = values.output_dir or os.path.join(values.runs, "report")
  _check_files_are_a_reports(folder)
  image_files.create_folder(folder)
  pictures = report.picture_files()
  with atomic_folder(os.path.join(folder, _FILES)) as files:
    for name, picture in pictures.items():
      with open(os.path.join(files, name), "wb") as file:
        file.write(picture.encoded)
  texts = {_MARKDOWN: pages.render_markdown(report, pictures, _FILES), _HTML: pages.render_html(report)}
  for name, text in texts.items():
    with atomic_write(os.path.join(folder, name)) as file:
      file.write(text.encode("utf-8", "backslashreplace"))  # Names of files need not be UTF-8.
  for line in left_out:
    print(f"left out: {line}", file=sys.stderr)
  print(os.path.join(folder, _HTML))
  return bool(left_out)


def _check_files_are_a_reports(folder) -> None:
  """Raises InputError if report_files/ would be replaced but is not empty and has no report beside it."""
  from z2i_tf.report import pages

  files = os.path.join(folder, _FILES)
  if not os.path.lexists(files) or (os.path.isdir(files) and not os.listdir(files)):
    return
  for name in (_HTML, _MARKDOWN):
    try:
      with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
        if pages.TITLE in file.read(_TITLE_WITHIN):
          return
    except OSError:  # The other file may have the title.
      pass
  raise InputError(
    f"--output_dir={folder}: {_FILES} was not written by z2i report, and would be replaced; move it, "
    "or give another folder"
  )

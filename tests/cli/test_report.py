import importlib
import os
import re

from absl import flags
import pytest

from tests.report import report_records
from z2i_tf.cli.main import COMMANDS
from z2i_tf.cli.main import main
from z2i_tf.report import sections


@pytest.fixture(name="runs")
def _runs(tmp_path):
  record = report_records.scores_record({"telea": {"kind": "baseline"}})
  report_records.write_scores(tmp_path / "a", "comparison", record, ["p.png"])
  report_records.write_study(str(tmp_path / "study"), {"small": {"telea": {"ours": 8, "other": 2}}})
  return tmp_path


def test_report_of_a_folder_repeats_and_reports_of_reports_do_not_grow(runs, capsys):
  assert main(["report", f"--runs={runs}"]) == 0
  assert capsys.readouterr().out.strip() == str(runs / "report" / "report.html")

  def read():
    return {
      os.path.relpath(os.path.join(parent, name), runs): open(os.path.join(parent, name), "rb").read()
      for parent, _, names in os.walk(runs / "report")
      for name in names
    }

  first = read()
  assert sorted(first) == ["report/report.html", "report/report.md", "report/report_files/1_comparison.png"]
  assert first["report/report_files/1_comparison.png"] == (runs / "a" / "p.png").read_bytes()
  assert main(["report", f"--runs={runs}"]) == 0
  assert read() == first
  # Wilson's interval of 8 of 10.
  assert b"80.00% [49.02, 94.33]" in first["report/report.html"]


def test_what_cannot_be_used_is_said_in_the_report_and_by_the_exit_code(runs, capsys):
  (runs / "a" / "p.png").unlink()
  (runs / "b").mkdir()
  (runs / "b" / "ablation.json").write_text("{")
  assert main(["report", f"--runs={runs}", f"--output_dir={runs / 'out'}"]) == 1
  errors = capsys.readouterr().err.splitlines()
  assert len(errors) == 2 and all(line.startswith("left out: ") for line in errors)
  for name in ("report.html", "report.md"):
    text = (runs / "out" / name).read_text()
    assert "ablation.json" in text and "p.png" in text and "Left out" in text
  assert not list((runs / "out" / "report_files").iterdir())


def test_nothing_readable_is_bad_input_and_leaves_nothing(tmp_path, capsys):
  (tmp_path / "comparison.json").write_text("{")
  assert main(["report", f"--runs={tmp_path}"]) == 2
  assert main(["report", f"--runs={tmp_path / 'none'}"]) == 2
  assert main(["report"]) == 2
  errors = capsys.readouterr().err.splitlines()
  assert len(errors) == 3 and "comparison.json" in errors[0] and "no such folder" in errors[1] and "--runs" in errors[2]
  assert [path.name for path in tmp_path.iterdir()] == ["comparison.json"]


def test_a_folder_that_cannot_be_written_is_bad_input(runs, capsys):
  assert main(["report", f"--runs={runs}", f"--output_dir={runs / 'no' / 'such'}"]) == 2
  assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_not_of_a_report_stay(runs, capsys):
  output = runs / "out"
  (output / "report_files").mkdir(parents=True)
  (output / "report_files" / "theirs.png").write_text("theirs")
  (output / "report.html").write_text("another program's")
  assert main(["report", f"--runs={runs}", f"--output_dir={output}"]) == 2
  error = capsys.readouterr().err
  assert f"--output_dir={output}: report_files was not written by z2i report" in error and error.count("\n") == 1
  assert [path.name for path in (output / "report_files").iterdir()] == ["theirs.png"] and not list(output.glob("*.md"))
  (output / "report_files" / "theirs.png").unlink()
  assert main(["report", f"--runs={runs}", f"--output_dir={output}"]) == 0  # An empty folder is nobody's.
  for name in ("report.html", "report.md"):  # Either says whose the files are.
    (output / name).unlink()
    assert main(["report", f"--runs={runs}", f"--output_dir={output}"]) == 0


def test_commands_that_the_report_prints_have_these_flags():
  commands = [
    found
    for section in sections.build([], []).sections
    for found in re.findall(r"z2i ([\w-]+)((?: --[^\s]+)*)", section.command)
  ]
  assert len(commands) == 11  # One per section, and a second one of the study.
  for name, arguments in commands:
    values = flags.FlagValues()
    importlib.import_module(f"z2i_tf.cli.{COMMANDS[name][0]}").define_flags(values)
    given = [argument.rstrip(",") for argument in arguments.split()]
    assert given and values([name, *given]) == [name]
    for argument in given:  # absl takes beginnings of flags, too; what is printed is whole.
      assert argument[2:].partition("=")[0] in values, argument

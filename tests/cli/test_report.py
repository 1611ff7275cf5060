import os

import pytest

from tests.reports import report_records
from z2i_tf.cli.main import main


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
    return {os.path.relpath(os.path.join(parent, name), runs): open(os.path.join(parent, name), "rb").read()
            for parent, _, names in os.walk(runs / "report") for name in names}
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

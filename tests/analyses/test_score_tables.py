"""Tables of records whose scores are known by hand: signs of differences, and columns."""

import pytest

from tests.report import report_records
from z2i_tf.analyses import score_tables
from z2i_tf.analyses import tables


def test_frequency_differences_are_the_others_minus_the_first():
  record = report_records.scores_record({name: {"kind": "results"} for name in ("base", "better", "worse")}, ("small",))
  means = {"base": (0.90, 0.80, 0.70), "better": (0.95, 0.81, 0.7002), "worse": (0.85, 0.79, 0.6998)}
  for method, values in means.items():
    for (metric, _), value in zip(score_tables.BANDS, values):
      record["scores"]["small"][method][metric] = [value] * 4
  table = score_tables.tables_of("frequency", record)[0]
  assert table.columns[-2:] == ["better - base", "worse - base"]
  expected = {
    "Low frequency": ["0.0500", "-0.0500"],
    "Mid frequency": ["0.0100", "-0.0100"],
    "High frequency": ["0.0002", "-0.0002"],
  }
  assert {row[0]: row[-2:] for row in table.rows} == expected
  lines = tables.to_text(table).splitlines()
  for heading, cells in expected.items():
    (line,) = [line for line in lines if line.startswith(heading)]
    assert line.split()[-2:] == cells


@pytest.mark.parametrize("analysis", ["ablation", "scale_study"])
def test_wide_tables_add_the_perceptual_metrics_that_were_measured(analysis):
  record = report_records.scores_record({name: {"kind": "results"} for name in "ab"}, ("small", "large"))
  for number, method in enumerate("ab"):
    for test_set in ("small", "large"):
      scores = record["scores"][test_set][method]
      for metric in [name for name in scores if "LPIPS" in name]:
        del scores[metric]
    record["scores"]["large"][method]["ST-LPIPS alex"] = [0.25 + number] * 4
  table = score_tables.tables_of(analysis, record)[0]
  (added,) = [column for column in table.columns if "LPIPS" in column]
  assert added == "large: ST-LPIPS alex"
  assert [row[table.columns.index(added)] for row in table.rows] == ["0.2500", "1.2500"]

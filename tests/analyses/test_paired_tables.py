"""Two records compared image by image: signs of differences, and which values are better."""

import pytest

from tests.report import report_records
from z2i_tf.analyses import paired_tables


@pytest.mark.parametrize(
  "metric, better, digits",
  [("PSNR", "25%", 2), ("SSIM", "25%", 4), ("L1", "75%", 5), ("LPIPS", "75%", 4), ("hole L1", "75%", 5)],
)
def test_better_is_higher_but_lower_for_distances(metric, better, digits):
  record = report_records.scores_record({name: {"kind": "results"} for name in "ab"}, ("small",))
  record["scores"]["small"]["a"][metric] = [0.5, 0.6, 0.7, 0.8]
  record["scores"]["small"]["b"][metric] = [0.4, 0.5, 0.6, 0.9]  # Lower for three of the four images.
  (table,) = paired_tables.paired_tables([record, record], ["a", "b"], [metric], 0.95, 100, 0)
  row = dict(zip(table.columns, table.rows[0]))
  assert row["B better"] == better and row["B - A"] == f"{-0.05:.{digits}f}"

"""The paper's numbers against sums of what it prints, made apart from our tables, and against what its text says."""

from decimal import Decimal

import pytest

from z2i_tf.analyses import paper

# Of every column as the paper prints it: the sum of place (1 for the first row) times value. A wrong digit changes it,
# two that are swapped within a row or a column do, too.
_SUMS_1 = {
  (paper.SMALL, paper.PLACES2): "509.49 14.5730 14.7537 0.06652",
  (paper.SMALL, paper.DIV2K): "498.54 14.6133 14.7783 0.06384",
  (paper.LARGE, paper.PLACES2): "406.58 13.7083 14.0097 0.22092",
  (paper.LARGE, paper.DIV2K): "396.51 13.5187 13.8716 0.24691",
}
_SUMS_10 = {
  (paper.SMALL, paper.PLACES2): "0.2895 376.55",
  (paper.SMALL, paper.DIV2K): "0.2631 364.84",
  (paper.LARGE, paper.PLACES2): "0.9365 632.87",
  (paper.LARGE, paper.DIV2K): "1.0101 800.41",
}
_SUMS_6 = {paper.SMALL: "698.48 20.4881 20.6843 0.07960", paper.LARGE: "557.20 18.9952 19.4662 0.33341"}
_SUMS_12 = {paper.SMALL: "303.39 9.4175 9.6368 0.08997", paper.LARGE: "240.72 8.2662 8.6741 0.28777"}
_SUMS_7, _SUMS_7_DIFFERENCES = "5.8340 5.8533 5.8613 5.8722", "0.0193 0.0273 0.0382"
_PERCENTAGES = {paper.SMALL: "75.49 89.13 69.23 64.21 74.51", paper.LARGE: "63.38 71.38 30.67 34.4 49.96"}  # Table 2.


def _sums(rows):
  """Returns the sums of the columns of rows, which are heading -> text."""
  rows = list(rows)
  return " ".join(str(sum(place * Decimal(row[heading]) for place, row in enumerate(rows, 1))) for heading in rows[0])


def test_columns_add_up_to_what_the_paper_prints():
  assert {key: _sums(rows.values()) for key, rows in paper.TABLE_1.items()} == _SUMS_1
  assert {key: _sums(rows.values()) for key, rows in paper.TABLE_10.items()} == _SUMS_10
  for table, sums in ((paper.TABLE_6, _SUMS_6), (paper.TABLE_12, _SUMS_12)):
    assert {masks: _sums(scores[masks] for scores in table.values()) for masks in sums} == sums
  assert _sums([{"parameters": text.removesuffix("M")} for text in paper.PARAMETERS_6.values()]) == "95.11"
  assert _sums(paper.TABLE_7.values()) == _SUMS_7 and _sums(paper.TABLE_7_DIFFERENCES.values()) == _SUMS_7_DIFFERENCES
  copied = " ".join(text for scores in paper.TABLE_8_COPIED.values() for text in scores.values())
  assert copied == "- - 0.8840 0.05439 - - - - - - - 0.09100 27.95 0.9200 - 0.01500"
  assert " ".join(found.parameters for found in paper.TABLE_5.values()) == "2.7M 6M 4.1M 21.53M 4.5M"
  assert " ".join(found.time for found in paper.TABLE_5.values()) == "127 ms 37 ms 71 ms 21 ms 293 ms"
  assert paper.TABLE_4 == {"small": ("5.61", "19.16"), "large": ("15.12", "50.24")}


def test_tables_of_scores_repeat_one_another():
  ours = {masks: paper.TABLE_1[masks, paper.DIV2K]["Ours"] for masks in paper.MASKS}
  assert paper.TABLE_6["SR zoom+", "64"] == ours
  for table in (paper.TABLE_1, paper.TABLE_10):
    assert set(table) == {(masks, images) for masks in paper.MASKS for images in paper.IMAGES}
    assert len({tuple(rows) for rows in table.values()}) == 1 and all(len(rows) == 5 for rows in table.values())
  # "with at most 0.97 dB PSNR and 0.0055 MS-SSIM gain over the next best method"
  gains = {
    metric: [
      float(rows["Ours"][metric]) - max(float(rows[name][metric]) for name in list(rows)[:-1])
      for rows in paper.TABLE_1.values()
    ]
    for metric in ("PSNR", "SSIM", "MS-SSIM")
  }
  assert max(gains["PSNR"]) == pytest.approx(0.97) and max(gains["MS-SSIM"]) == pytest.approx(0.0055)
  assert min(map(min, gains.values())) > 0
  # "our model outperforms all other methods for masks, and is 2nd or 3rd best for large masks" (LPIPS; the paper's FID
  # on DIV2K is 3rd.)
  for (masks, _), rows in paper.TABLE_10.items():
    for metric in ("LPIPS", "FID"):
      place = 1 + sum(float(row[metric]) < float(rows["Ours"][metric]) for row in rows.values())
      assert place == 1 if masks == paper.SMALL else place in (2, 3)


def test_percentages_of_table_2_follow_from_the_counts_of_table_11():
  for masks, by_opponent in paper.TABLE_11.items():
    totals = tuple(map(sum, zip(*by_opponent.values())))
    assert sum(totals) == paper.PARTICIPANTS[masks] * paper.PAIRS
    assert len(_PERCENTAGES[masks].split()) == len(by_opponent) + 1
    for (other, ours), percentage in zip([*by_opponent.values(), totals], _PERCENTAGES[masks].split()):
      assert f"{100 * ours / (ours + other):.{len(percentage.partition('.')[2])}f}" == percentage


def test_differences_of_table_7_follow_from_its_values():
  for band, differences in paper.TABLE_7_DIFFERENCES.items():
    values = paper.TABLE_7[band]
    assert {model: f"{float(values[model]) - float(values['No zoom']):.4f}" for model in differences} == differences


def test_best_scales_are_those_that_the_paper_names():
  for masks, scale in ((paper.SMALL, "2"), (paper.LARGE, "3")):
    values = {key: float(scores[masks]["PSNR"]) for key, scores in paper.TABLE_12.items()}
    assert max(values, key=values.get) == ("SR zoom", scale)
    no_zoom = paper.TABLE_12["No zoom", "1"][masks]
    for key, scores in paper.TABLE_12.items():
      assert float(scores[masks]["SSIM"]) >= float(no_zoom["SSIM"]), key
      assert float(scores[masks]["L1"]) <= float(no_zoom["L1"]), key


def test_numbers_of_parameters_are_those_of_our_networks():
  counts = {"No zoom, 64": 4_034_502, "No zoom, 70": 4_824_756, "SR zoom, 64": 4_481_161}
  for key, count in counts.items():
    assert paper.PARAMETERS_6[tuple(key.split(", "))] == f"{count / 1e6:.2f}M"


def test_a_line_with_a_cell_too_few_is_refused():
  with pytest.raises(ValueError, match="not a row"):
    paper._rows(("a", "b"), "x | 1")

"""Counts, preferences and their intervals."""

import pytest

from tests.study import stand_ins
from z2i_tf.study import store
from z2i_tf.study import summary


# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I,
# method 3 (Wilson's score without correction).
@pytest.mark.parametrize(
  "chosen, total, low, high",
  [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_the_published_ones(chosen, total, low, high):
  found = summary.preference(summary.Count(ours=chosen, other=total - chosen))
  assert found.share == chosen / total
  assert (round(found.low, 4), round(found.high, 4)) == (low, high)
  mirrored = summary.preference(summary.Count(ours=total - chosen, other=chosen))
  assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))
  assert 0 <= mirrored.low <= mirrored.share <= mirrored.high <= 1


def test_the_papers_tables_from_the_papers_counts():
  counts = {
    "small": {
      "HiFill": summary.Count(736, 239),
      "Pluralistic": summary.Count(869, 106),
      "DeepFill-v2": summary.Count(675, 300),
      "EdgeConnect": summary.Count(626, 349),
    },
    "large": dict.fromkeys(("HiFill", "Pluralistic", "DeepFill-v2", "EdgeConnect"), summary.Count()),
  }
  preferences, raw = summary.tables(summary.Summary("Ours", counts, 13, 13))
  assert (
    preferences.columns
    == raw.columns
    == ["masks", "HiFill vs. Ours", "Pluralistic vs. Ours", "DeepFill-v2 vs. Ours", "EdgeConnect vs. Ours", "total"]
  )
  small, large = preferences.rows
  assert [cell.split("%")[0] for cell in small] == ["small", "75.49", "89.13", "69.23", "64.21", "74.51"]
  assert small[1] == "75.49% [72.69, 78.08]"
  assert raw.rows[0] == ("small", "239 vs. 736", "106 vs. 869", "300 vs. 675", "349 vs. 626", "994 vs. 2906")
  assert large == ("large",) + 5 * ("-",) and raw.rows[1] == ("large",) + 5 * ("0 vs. 0",)
  assert preferences.notes[0] == "Participants who chose: 13; with all pairs: 13."


def test_what_was_chosen_is_what_is_counted(tmp_path):
  study = store.Store(stand_ins.make_study(tmp_path, pairs=0))  # 16: each image with each opponent.
  stand_ins.answer(study, "anna", lambda pair: pair.opponent == "hifillus")
  stand_ins.answer(study, "ben", lambda pair: pair.kind == "hugeholes" or pair.image == "photograph1")
  study.join("never chose")
  token = study.join("chose once").token
  first = study.manifest.pairs[study.showing(token, 0).pair]
  study.choose(token, 0, study.showing(token, 0).ours_is_a)
  found = summary.summarize(study)
  expected = {
    "tinyholes": {"hifillus": (4 + 1, 3), "pluralus": (1, 4 + 3)},
    "hugeholes": {"hifillus": (4 + 4, 0), "pluralus": (4, 4)},
  }
  expected[first.kind][first.opponent] = (
    expected[first.kind][first.opponent][0] + 1,
    expected[first.kind][first.opponent][1],
  )
  assert found.counts == {
    kind: {opponent: summary.Count(*count) for opponent, count in row.items()} for kind, row in expected.items()
  }
  assert (found.participants, found.finished) == (3, 2)
  content = summary.content(found)
  assert (
    content["kinds"]["tinyholes"]["pluralus"] == dict(zip(("ours", "other"), expected["tinyholes"]["pluralus"]))
    and content["participants"] == 3
  )
  assert content["choices"] == 2 * 16 + 1 and "remark" not in content
  study.close()

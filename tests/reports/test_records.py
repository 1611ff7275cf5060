"""Records and tables of analyses."""

import json

import numpy as np
import pytest

from z2i_tf.errors import InputError
from z2i_tf.reports import records
from z2i_tf.reports import tables


def test_record_is_read_back_and_repeats(tmp_path):
  content = {"manifest": {"b": 1, "a": None}, "values": np.array([1 / 3, np.inf, -np.inf, np.nan]),
             "nested": [np.float32(0.1), np.int64(7), np.True_, "é"]}
  path = records.write_record(str(tmp_path), "kind", content)
  first = open(path, "rb").read()
  record = records.read_record(path)
  assert record["analysis"] == "kind" and list(record["manifest"]) == ["b", "a"]
  assert record["nested"] == [pytest.approx(0.1), 7, True, "é"]
  np.testing.assert_array_equal(records.numbers(record["values"]), [0.333333333, np.inf, -np.inf, np.nan])
  records.write_record(str(tmp_path), "kind", content)
  assert open(path, "rb").read() == first


@pytest.mark.parametrize("text", ["no json", "[1]", json.dumps({"format": "another"})])
def test_what_is_no_record_is_refused(tmp_path, text):
  path = tmp_path / "x.json"
  path.write_text(text)
  with pytest.raises(InputError, match="x.json: not a record"):
    records.read_record(str(path))
  assert records.scan_records(str(tmp_path), ()) == ([], [])
  assert len(records.scan_records(str(tmp_path), ["x"])[1]) == 1


def test_records_are_found_below_a_folder(tmp_path):
  for name in ("b", "a"):
    (tmp_path / name).mkdir()
    records.write_record(str(tmp_path / name), "kind", {"name": name, records.SCORES: {}})
  (tmp_path / "a" / "other.json").write_text("{}")
  found, problems = records.scan_records(str(tmp_path), ())
  assert [record["name"] for _, record in found] == ["a", "b"] and not problems
  assert records.scores_file(str(tmp_path / "a")) == str(tmp_path / "a" / "kind.json")
  with pytest.raises(InputError, match="kind.json: an analysis that this version does not know"):
    records.read_scores(str(tmp_path / "a" / "kind.json"))
  with pytest.raises(InputError, match="0 records of z2i evaluate"):
    records.scores_file(str(tmp_path))


def test_tables():
  table = tables.Table("Title", ["Method", "PSNR"], [["a|b", "1.25"], ["longer", "10.5"]], ["Note."])
  assert tables.to_text(table) == "Title\nMethod  PSNR\na|b     1.25\nlonger  10.5\nNote."
  assert tables.to_markdown(table) == (
      "### Title\n\n| Method | PSNR |\n|---|---:|\n| a\\|b | 1.25 |\n| longer | 10.5 |\n\nNote.")
  odd = tables.Table("<i>*a*</i>", ["`b`"], [["[c](d)"], ["_e_ f_g"]], ["<b>h\ni", "# j"])
  assert tables.to_markdown(odd) == (
      "### \\<i\\>\\*a\\*\\</i\\>\n\n| \\`b\\` |\n|---|\n| \\[c\\](d) |\n| \\_e\\_ f_g |\n\n\\<b\\>h i\n\n\\# j")
  with pytest.raises(ValueError, match="1 cells for 2 columns"):
    tables.Table("Title", ["a", "b"], [["1"]])

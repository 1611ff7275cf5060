"""Records and tables of analyses."""

import json
import os

import numpy as np
import pytest

from tests.report import report_records
from z2i_tf.analyses import records
from z2i_tf.analyses import tables
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError


def test_record_is_read_back_and_repeats(tmp_path):
  content = {
    "manifest": {"b": 1, "a": None},
    "values": np.array([1 / 3, np.inf, -np.inf, np.nan]),
    "nested": [np.float32(0.1), np.int64(7), np.True_, "é"],
  }
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
  with pytest.raises(InputError, match="kind.json: .*does not know.*kind"):
    records.read_scores(str(tmp_path / "a" / "kind.json"))
  with pytest.raises(InputError, match=" 0 records"):
    records.scores_file(str(tmp_path))


def test_tables():
  table = tables.Table("Title", ["Method", "PSNR"], [["a|b", "1.25"], ["longer", "10.5"]], ["Note."])
  assert tables.to_text(table) == "Title\nMethod  PSNR\na|b     1.25\nlonger  10.5\nNote."
  assert tables.to_markdown(table) == (
    "### Title\n\n| Method | PSNR |\n|---|---:|\n| a\\|b | 1.25 |\n| longer | 10.5 |\n\nNote."
  )
  odd = tables.Table("<i>*a*</i>", ["`b`"], [["[c](d)"], ["_e_ f_g"]], ["<b>h\ni", "# j"])
  assert tables.to_markdown(odd) == (
    "### \\<i\\>\\*a\\*\\</i\\>\n\n| \\`b\\` |\n|---|\n| \\[c\\](d) |\n| \\_e\\_ f_g |\n\n\\<b\\>h i\n\n\\# j"
  )
  with pytest.raises(ValueError, match="1 cells for 2 columns"):
    tables.Table("Title", ["a", "b"], [["1"]])


@pytest.mark.parametrize(
  "text",
  [
    '{"format": "z2i_tf record 1", "x": ' + "[" * 200_000,
    "{" * 200_000,
    "[" * 99_999 + "]" * 99_999,
    '{"format": "z2i_tf record 1", "x": NaN}',
    '{"x": 1' + "0" * 5000 + "}",
  ],
)
def test_json_that_python_stumbles_over_is_refused(tmp_path, text):
  path = tmp_path / "x.json"
  path.write_text(text)
  with pytest.raises(InputError, match="x.json: not a record"):
    records.read_record(str(path))
  assert len(records.scan_records(str(tmp_path), ["x"])[1]) == 1


def test_pipes_below_a_folder_are_not_waited_for(tmp_path):
  for name in ("comparison.json", "other.json"):
    os.mkfifo(tmp_path / name)
  found, problems = records.scan_records(str(tmp_path), ["comparison"])
  assert not found and len(problems) == 1 and "comparison.json: cannot be read (No such file" in problems[0]
  with pytest.raises(InputError, match="other.json: cannot be read"):
    records.sha256(str(tmp_path / "other.json"))


@pytest.mark.parametrize("value", ["nan", "inf", -0.1, 1.5, 10**400, None, True, [0.1]])
def test_hole_ratios_are_shares(tmp_path, value):
  content = report_records.scores_record({"telea": {"kind": "baseline"}})
  content["test_sets"]["small"]["images"][1]["hole_ratio"] = value
  path = tmp_path / "comparison.json"
  path.write_text(json.dumps({"format": records.FORMAT, "analysis": "comparison", **content}))
  for command in (["compare", str(path), str(path)], ["report", f"--runs={tmp_path}"]):
    assert main(command) == 2
  with pytest.raises(InputError, match=r"\['hole_ratio'\] .*share from 0 to 1"):
    records.read_scores(str(path))


@pytest.mark.parametrize("value", [7, None, "div2k", [], {"source": 7}])
def test_settings_of_test_sets_may_be_anything(tmp_path, value):
  content = report_records.scores_record({"telea": {"kind": "baseline"}})
  content["manifest"]["test_set"]["settings"] = value
  report_records.write_scores(str(tmp_path), "comparison", content)
  assert main(["report", f"--runs={tmp_path}"]) == 0


@pytest.mark.parametrize(
  "value, message", [(10**400, "number"), (1e308, "number"), ("many", "number"), ("nan", None), ("-inf", None)]
)
def test_scores_are_numbers_that_can_be_added(tmp_path, value, message):
  content = report_records.scores_record({"telea": {"kind": "baseline"}})
  content["scores"]["small"]["telea"]["SSIM"][0] = value
  path = tmp_path / "comparison.json"
  path.write_text(json.dumps({"format": records.FORMAT, "analysis": "comparison", **content}))
  if message:
    with pytest.raises(InputError, match=message):
      records.read_scores(str(path))
  else:
    assert records.read_scores(str(path))["scores"]["small"]["telea"]["SSIM"][0] == value

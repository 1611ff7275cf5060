import json
import re

import pytest

from tests.report import report_records
from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.errors import InputError
from z2i_tf.report import runs as run_files


def _scores():
  return report_records.scores_record({"telea": {"kind": "baseline"}})


def test_other_json_files_and_test_sets_are_no_analyses(tmp_path):
  path = report_records.write_scores(tmp_path / "a" / "b", "comparison", _scores(), ["p.png"])
  records.write_record(str(tmp_path), records.TESTSET, {"images": []})
  (tmp_path / "config.json").write_text('{"step": 3}')
  (tmp_path / "broken.json").write_text('{"step": ')
  runs, left_out = run_files.gather(str(tmp_path))
  assert [run.name for run in runs] == ["a/b/comparison.json"] and not left_out
  (picture,) = runs[0].pictures
  assert runs[0].folder == "a/b" and picture.encoded == open(path.replace("comparison.json", "p.png"), "rb").read()
  assert (picture.height, picture.width) == (6, 9)


def _change(path, change):
  record = json.loads(open(path, encoding="utf-8").read())
  change(record)
  with open(path, "w", encoding="utf-8") as file:
    json.dump(record, file)


_DAMAGES = {
  "no scores": (lambda record: record.pop("scores"), "has no 'scores'"),
  "a text": (
    lambda record: record["scores"]["small"]["telea"]["PSNR"].__setitem__(1, "many"),
    r"\['PSNR'\]\[1\] .*number",
  ),
  "too few": (
    lambda record: record["scores"]["small"]["telea"]["SSIM"].pop(),
    "SSIM of 'telea' has 3 values for the 4",
  ),
  "no metric": (lambda record: record["scores"]["small"]["telea"].pop("PSNR"), "no PSNR of 'telea'"),
  "no method": (
    lambda record: record["scores"]["large"].__setitem__("other", record["scores"]["large"].pop("telea")),
    "no scores of 'telea' for the test set 'large'",
  ),
  "no images": (lambda record: record["test_sets"]["small"].update(images=[]), "'small' has no images"),
  "no methods": (lambda record: record.update(methods={}), r"\['methods'\] is empty"),
  "a list": (lambda record: record.update(test_sets=[]), r"\['test_sets'\] .*dictionary"),
  "a number": (lambda record: record.update(notes=3), r"\['notes'\] .*list"),
  "a flag": (lambda record: record["methods"]["telea"].update(scale=True), "'scale'.* .*type int"),
  "unknown": (lambda record: record.update(analysis="horoscope"), r"does not know.*horoscope"),
  "nothing": (lambda record: record.pop("analysis"), "without the name"),
  "version": (lambda record: record.update(format="z2i_tf record 9"), "z2i_tf record 1"),
}


@pytest.mark.parametrize("damage", list(_DAMAGES))
def test_a_damaged_record_is_named_and_the_others_are_shown(tmp_path, damage):
  report_records.write_scores(tmp_path / "good", "comparison", _scores())
  path = report_records.write_scores(tmp_path / "bad", "comparison", _scores())
  change, message = _DAMAGES[damage]
  _change(path, change)
  runs, left_out = run_files.gather(str(tmp_path))
  assert [run.folder for run in runs] == ["good"]
  (line,) = left_out
  assert line.startswith(f"{path}: ") and "\n" not in line
  assert re.search(message, line), line


def test_a_record_cut_short_is_named_whatever_it_is_called(tmp_path):
  report_records.write_scores(tmp_path / "good", "comparison", _scores())
  for name in ("comparison.json", "renamed.json"):
    (tmp_path / name).write_text('{\n "format": "z2i_tf record 1",\n "analysis": "compar')
  (tmp_path / "study.json").write_text("")
  _, left_out = run_files.gather(str(tmp_path))
  assert len(left_out) == 3 and all("not JSON" in line for line in left_out)


@pytest.mark.parametrize(
  "name, content, message",
  [
    ("p.png", None, "no such file"),
    ("p.png", b"GIF89a", "neither PNG nor JPEG"),
    ("../p.png", None, "beside it"),
    ("p.png", b"\x89PNG\r\n\x1a\n cut", "cannot be shown"),
  ],
)
def test_a_picture_that_cannot_be_shown_is_named(tmp_path, name, content, message):
  path = report_records.write_scores(tmp_path / "a", "comparison", _scores())
  _change(path, lambda record: record.update(pictures=[name]))
  if content is not None:
    (tmp_path / "a" / name).write_bytes(content)
  runs, left_out = run_files.gather(str(tmp_path))
  assert len(runs) == 1 and not runs[0].pictures
  (line,) = left_out
  assert name in line and message in line


def test_nothing_to_report_is_an_error(tmp_path):
  with pytest.raises(InputError, match="no such folder"):
    run_files.gather(str(tmp_path / "none"))
  with pytest.raises(InputError, match="no analysis"):
    run_files.gather(str(tmp_path))
  (tmp_path / "comparison.json").write_text("{}")
  with pytest.raises(InputError, match="no analysis.*comparison.json"):
    run_files.gather(str(tmp_path))


@pytest.mark.parametrize(
  "analysis, content, message",
  [
    ("study", {"kinds": {"small": {"telea": {"ours": 1}}}, "participants": 1}, "has no 'other'"),
    ("mask_statistics", {"masks": {}, "tables": []}, "is empty"),
    (
      "failures",
      {"tables": [{"title": "t", "columns": ["a"], "rows": [["1", "2"]], "notes": []}]},
      "more or fewer cells",
    ),
  ],
)
def test_records_of_other_analyses_are_checked(analysis, content, message):
  record = {"analysis": analysis, "manifest": {"versions": {"a": "1"}, "settings": {}}, "pictures": [], **content}
  assert message in record_schema.problem_of(record)

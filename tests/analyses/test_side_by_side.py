import os

import numpy as np
import pytest

from tests.analyses import stand_ins
from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.analyses import side_by_side
from z2i_tf.analyses.side_by_side import RunFolder
from z2i_tf.cli.main import main
from z2i_tf.images import image_files


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("run")
  stand_ins.write_run(folder)
  return str(folder)


def _levels(sheet):
  """Gray levels of which pictures are full, row by row."""
  is_gray = (sheet == sheet[..., :1]).all(axis=-1)
  values, counts = np.unique(sheet[is_gray][:, 0], return_counts=True)
  full = [value for value, count in zip(values, counts) if count > 5000 and value not in (0, 255)]
  middles = {value: np.median(np.argwhere(is_gray & (sheet[..., 0] == value)), axis=0).tolist() for value in full}
  return sorted(full, key=middles.get)


def test_random_images_follow_from_the_seed_alone(run, tmp_path, capsys):
  for name, seed in (("a", 0), ("b", 0), ("c", 1)):
    assert main(["side-by-side", f"--run={run}", "--count=2", f"--seed={seed}", f"--output_dir={tmp_path / name}"]) == 0
  first, again, other = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc")
  assert first == again != other
  assert set(first) == {"side_by_side.json", "tables.md", "side_by_side_small.png", "side_by_side_large.png"}
  assert "images drawn at random" in capsys.readouterr().out
  evaluated = RunFolder(run)
  drawn = {tuple(side_by_side.random_images(evaluated, "small", 2, seed)) for seed in range(40)}
  assert len(drawn) == 10  # Of five, every pair.


def test_named_images_and_methods_are_shown_in_their_order(run, tmp_path):
  output = str(tmp_path / "out")
  assert (
    main(
      [
        "side-by-side",
        f"--run={run}/",
        "--names=photo3,photo1",
        "--methods=second,first",
        "--test_sets=small",
        "--zoom_crop=none",
        f"--output_dir={output}",
      ]
    )
    == 0
  )
  sheet = image_files.read_rgb(os.path.join(output, "side_by_side_small.png"))
  assert _levels(sheet) == [stand_ins.level_of(method, number) for number in (3, 1) for method in ("second", "first")]
  record = records.read_record(os.path.join(output, "side_by_side.json"))
  assert record_schema.problem_of(record) is None
  entries = record["images"]["small"]
  assert [entry["name"] for entry in entries] == ["photo3", "photo1"]
  assert entries[0]["scores"] == {"first": {"PSNR": 23, "hole PSNR": 13}, "second": {"PSNR": 24, "hole PSNR": 14}}
  assert record["manifest"]["settings"]["run"] == records.sha256(os.path.join(run, "comparison.json"))
  assert str(tmp_path) not in open(os.path.join(output, "side_by_side.json"), encoding="utf-8").read()


def test_failures_are_the_images_with_the_largest_holes(run, tmp_path, capsys):
  assert main(["failures", f"--run={run}", "--count=2", "--test_sets=large", f"--output_dir={tmp_path / 'out'}"]) == 0
  printed = capsys.readouterr().out
  table = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith("photo")}
  assert list(table) == ["photo4", "photo3"]
  assert table["photo3"] == ["32.47%", "23.00", "13.00", "24.00", "14.00"]  # 11 rows of 17 pixels, of 24x24.
  assert "mean of these" in printed and "mean of all 5" in printed
  assert set(os.listdir(tmp_path / "out")) == {"failures.json", "tables.md", "failures_large.png"}
  record = records.read_record(str(tmp_path / "out" / "failures.json"))
  assert record_schema.problem_of(record) is None
  assert record["pictures"] == ["failures_large.png"] and set(record["images"]) == {"large"}


def test_what_is_infinite_stays_so(run):
  evaluated = RunFolder(run)
  table = side_by_side.make_table(evaluated, "small", [2], ["second"], "one")
  assert table.rows[0][2:] == ("inf", "13.00")
  assert side_by_side.draw(evaluated, "small", [2], ["second"], "auto").ndim == 3


def test_what_is_infinite_or_undefined_is_in_no_mean_and_is_counted(tmp_path):
  path = stand_ins.write_run(tmp_path)
  record = records.read_record(path)
  record["scores"]["small"]["first"]["hole PSNR"][0] = "nan"
  records.write_record(str(tmp_path), "comparison", record)
  table = side_by_side.make_table(RunFolder(str(tmp_path)), "small", [0, 2, 4], ["first", "second"], "three")
  assert table.columns[2:] == ("first PSNR", "first hole PSNR", "second PSNR", "second hole PSNR")
  rows = {row[0]: row[2:] for row in table.rows}
  assert rows["photo0"] == ("20.00", "-", "21.00", "11.00") and rows["photo2"][2] == "inf"
  assert rows["mean of these"] == ("22.00", "13.00", "23.00", "13.00")  # (21 + 25) / 2: without photo2's.
  assert rows["mean of all 5"] == ("22.00", "12.50", "23.00", "13.00")
  undefined, infinite = (note for note in table.notes if "means leave out" in note)
  assert undefined.startswith("first hole PSNR: ") and "undefined" in undefined
  assert infinite.startswith("second PSNR: ") and "infinite" in infinite
  assert all("1 of these and 1 of all" in note for note in (undefined, infinite))
  (only,) = [
    row
    for row in side_by_side.make_table(RunFolder(str(tmp_path)), "small", [2], ["second"], "one").rows
    if row[0] == "mean of these"
  ]
  assert only[2] == "-"


def test_methods_whose_headings_are_the_same_keep_their_columns(tmp_path):
  record = records.read_record(stand_ins.write_run(tmp_path))
  record["methods"]["first hole"] = {"kind": "results"}
  for scores in record["scores"].values():
    scores["first hole"] = {"PSNR": [1.0] * stand_ins.COUNT, "hole PSNR": [2.0] * stand_ins.COUNT}
  records.write_record(str(tmp_path), "comparison", record)
  table = side_by_side.make_table(RunFolder(str(tmp_path)), "small", [0], ["first", "first hole"], "one")
  assert table.rows[0][2:] == ("20.00", "10.00", "1.00", "2.00")


def test_a_record_may_be_given_and_a_damaged_one_is_one_line(run, tmp_path, capsys):
  path = os.path.join(run, "comparison.json")
  whole, of_file = RunFolder(run), RunFolder(path)
  assert (of_file.hash, of_file.methods) == (whole.hash, whole.methods)
  assert of_file.original("small", "photo0").shape == (stand_ins.SIDE, stand_ins.SIDE, 3)
  record = records.read_record(path)
  del record["methods"]
  records.write_record(str(tmp_path), "comparison", record)
  for given in (tmp_path, tmp_path / "comparison.json"):
    assert main(["failures", f"--run={given}", f"--output_dir={tmp_path / 'out'}"]) == 2
    error = capsys.readouterr().err
    assert "comparison.json: the record has no 'methods'" in error and error.count("\n") == 1
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command, other", [("failures", "side_by_side"), ("side-by-side", "failures")])
def test_a_folder_of_another_analysis_stays_as_it_is(run, tmp_path, capsys, command, other):
  (tmp_path / "tables.md").write_text("theirs")
  records.write_record(str(tmp_path), other, {})
  assert main([command, f"--run={run}", f"--output_dir={tmp_path}"]) == 2
  error = capsys.readouterr().err
  assert f"--output_dir={tmp_path} holds a record of {other} ({other}.json)" in error
  assert sorted(os.listdir(tmp_path)) == [f"{other}.json", "tables.md"]
  assert (tmp_path / "tables.md").read_text() == "theirs"


@pytest.mark.parametrize(
  "command, flags, message",
  [
    ("failures", ["--methods=third"], "--methods: third is not in"),
    ("failures", ["--test_sets=huge"], "--test_sets: huge is not in"),
    ("side-by-side", ["--names=photo9"], "--names: photo9 is not in the test set"),
    ("failures", ["--methods=first,first"], "--methods=first,first: first is given twice"),
    ("failures", ["--test_sets=small,large,small"], "small is given twice"),
    ("side-by-side", ["--methods=second,first,second"], "second is given twice"),
    ("side-by-side", ["--names=photo1,photo1"], "--names=photo1,photo1: photo1 is given twice"),
    ("side-by-side", ["--names=photo1", "--seed=3"], "leave out --count and --seed"),
    ("side-by-side", ["--run="], "--run is missing"),
  ],
)
def test_bad_input_is_one_line(run, tmp_path, capsys, command, flags, message):
  assert main([command, f"--run={run}", f"--output_dir={tmp_path / 'out'}", *flags]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_and_a_missing_picture(run, tmp_path, capsys):
  command = ["failures", f"--output_dir={tmp_path / 'out'}"]
  assert main([*command, f"--run={tmp_path}"]) == 2
  assert " 0 records" in capsys.readouterr().err
  record = stand_ins.write_run(tmp_path / "run")
  os.unlink(tmp_path / "run" / "results" / "second" / "large" / "photo0.png")
  assert main([*command, f"--run={tmp_path / 'run'}"]) == 2
  assert "photo0.png: no such file" in capsys.readouterr().err and not os.listdir(tmp_path / "out")
  os.rename(tmp_path / "run" / "results", tmp_path / "elsewhere")
  assert main([*command, f"--run={tmp_path / 'run'}"]) == 2
  assert "--save_results" in capsys.readouterr().err
  os.rename(record, tmp_path / "elsewhere" / "comparison.json")
  assert main([*command, f"--run={tmp_path}"]) == 2
  assert " 0 records" in capsys.readouterr().err

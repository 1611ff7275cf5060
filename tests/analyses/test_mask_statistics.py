import numpy as np
import pytest

from z2i_tf.analyses import mask_statistics
from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.cli.main import main
from z2i_tf.images import image_files
from z2i_tf.images import mask_files

_FILES = {"mask_statistics.json", "tables.md", "mask_examples.png", "hole_ratio.png"}


def _run(folder, *flags):
  return main(
    ["mask-stats", "--kinds=small,rect", "--count=20", "--size=48x64", "--seed=3", f"--output_dir={folder}", *flags]
  )


def test_figures_are_those_of_the_masks_that_z2i_masks_writes(tmp_path, capsys):
  assert _run(tmp_path / "a") == 0
  printed = capsys.readouterr().out
  (tmp_path / "masks").mkdir()
  assert (
    main(["masks", "--kind=small", "--count=20", "--size=48x64", "--seed=3", f"--output_dir={tmp_path}/masks"]) == 0
  )
  ratios = [mask_files.read_binary_mask(path).mean() for path in image_files.list_images(str(tmp_path / "masks"))]
  record = records.read_record(str(tmp_path / "a" / "mask_statistics.json"))
  assert record_schema.problem_of(record) is None
  found = record["masks"]["small"]["hole_ratio"]
  assert found["mean"] == pytest.approx(np.mean(ratios)) and found["max"] == pytest.approx(np.max(ratios))
  assert found["percentiles"]["50"] == pytest.approx(np.median(ratios))
  assert found["masks_per_percent"][int(100 * max(ratios))] and sum(found["masks_per_percent"]) == 20
  assert f"{100 * np.mean(ratios):.2f}% / {100 * np.max(ratios):.2f}%" in printed and "5.61% / 19.16%" in printed
  assert {path.name for path in (tmp_path / "a").iterdir()} == _FILES
  assert set(record["pictures"]) < _FILES


def test_two_runs_leave_the_same_bytes(tmp_path):
  for name in "ab":
    assert _run(tmp_path / name) == 0
  for name in _FILES:
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_tables_count_by_hand():
  ratios = np.array([0.05, 0.1, 0.15, 0.5])
  parameters, percentiles, shares = mask_statistics.make_tables({"large": mask_statistics.Drawn(ratios, [])}, 256, 256)
  assert parameters.rows[0][1:5] == ("U[1, 3]", "U[4, 11]", "N(d/8, floor(d/16)) within [0, d/4]", "U[12, 39]")
  assert parameters.rows[0][-2:] == ("20.00% / 50.00%", "15.12% / 50.24%")
  assert percentiles.rows[0][1] == "5.00" and percentiles.rows[0][5] == "12.50"
  assert shares.rows[0][1:] == ("25.00%", "50.00%", "0.00%", "0.00%", "0.00%", "25.00%")


@pytest.mark.parametrize(
  "flag, message",
  [
    ("--kinds=small,tiny", "'tiny'"),
    ("--kinds=small,small", "twice"),
    ("--size=1x1", "--size=1x1"),
    ("--size=9", "--size=9"),
    ("--output_dir=nowhere/at/all", "nowhere"),
  ],
)
def test_bad_input_is_one_line(tmp_path, capsys, flag, message):
  assert _run(tmp_path / "a", flag) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not list(tmp_path.glob("a/*"))

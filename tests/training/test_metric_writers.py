"""CSV rows and TensorBoard's grid, read back from their files."""

import csv

import numpy as np
import pytest

from tests.training import stand_ins
from tests.training.test_loop import read_pictures
from z2i_tf.errors import InputError
from z2i_tf.training.csv_log import CsvLog
from z2i_tf.training.metric_writers import example_grid
from z2i_tf.training.metric_writers import MetricWriter
from z2i_tf.training.reporters import LineReporter


def _rows(path):
  with open(path, newline="", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def test_scalars_become_columns_and_new_ones_further_columns(tmp_path):
  log = CsvLog(str(tmp_path / "log.csv"), 0)
  log.write(1, {"loss/a": 0.5})
  log.write(2, {"loss/a": 0.25, "validation/b": 3.0})
  log.write(3, {"loss/a": float("nan")})
  assert _rows(tmp_path / "log.csv") == [
    {"step": "1", "loss/a": "0.5", "validation/b": ""},
    {"step": "2", "loss/a": "0.25", "validation/b": "3"},
    {"step": "3", "loss/a": "nan", "validation/b": ""},
  ]


def test_a_continued_run_drops_what_came_after_its_checkpoint(tmp_path):
  log = CsvLog(str(tmp_path / "log.csv"), 0)
  for step in (1, 2, 3):
    log.write(step, {"a": float(step)})
  with open(tmp_path / "log.csv", "a", encoding="utf-8") as file:
    file.write("1")  # Killed, or the disk full, in the middle of a line.
  again = CsvLog(str(tmp_path / "log.csv"), 2)
  again.write(3, {"a": 30.0})
  assert [(row["step"], row["a"]) for row in _rows(tmp_path / "log.csv")] == [("1", "1"), ("2", "2"), ("3", "30")]


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"name,value\n1,2\n"])
def test_a_file_of_something_else_is_left_alone(tmp_path, content):
  (tmp_path / "log.csv").write_bytes(content)
  with pytest.raises(InputError, match="log.csv: not a table of a run: .*; move it away"):
    CsvLog(str(tmp_path / "log.csv"), 0)
  assert (tmp_path / "log.csv").read_bytes() == content


def test_a_full_disk_gets_one_line_and_loses_no_row(tmp_path):
  log = CsvLog(str(tmp_path / "log.csv"), 0)
  log.write(1, {"a": 1.0})
  for scalars in ({"a": 2.0}, {"a": 2.0, "b": 3.0}):  # A row; a row and a column.
    with stand_ins.full_disk(), pytest.raises(InputError, match="log.csv: cannot be read or written: File too large$"):
      log.write(2, scalars)
    assert [row["a"] for row in _rows(tmp_path / "log.csv")] == ["1"]
  assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_examples_are_one_picture_with_a_column_per_entry_and_a_row_per_example(tmp_path):
  columns = {title: np.full([2, 64, 96, 3], level) for title, level in (("masked", 0.2), ("coarse", 0.6), ("rest", 9))}
  columns["coarse"][1] = 0.4
  writer = MetricWriter(str(tmp_path), {}, 0, LineReporter())
  writer.write_examples(7, columns)
  writer.flush()
  ((tag, step, picture),) = read_pictures(tmp_path / "events")
  assert (tag, step) == ("examples", 7)
  np.testing.assert_array_equal(picture, example_grid(columns))
  # Columns of 96 pixels are enlarged twice; a title of 20 pixels above them, gaps of 4 between.
  assert picture.shape == (20 + 2 * (128 + 4), 3 * 192 + 2 * 4, 3)
  for row, values in enumerate(((51, 153, 255), (51, 102, 255))):
    for column, value in enumerate(values):
      top, left = 20 + row * 132, column * 196
      assert (picture[top : top + 128, left : left + 192] == value).all()
  titles = picture[:20].astype(int)
  assert all(titles[:, column * 196 : column * 196 + 192].max() > 200 for column in range(3))

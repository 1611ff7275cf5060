import matplotlib
import numpy as np
from PIL import Image
import pytest

from z2i_tf.analyses import charts
from z2i_tf.errors import InputError


def _draw_all(folder):
  charts.bar_chart(
    f"{folder}/bars.png", "bars", ["a", "b"], {"x": [1, 2], "y": [3, float("nan")]}, "y", "{:.1f}", lowest=0.5
  )
  charts.bar_chart(f"{folder}/across.png", "across", ["a", "b"], {"x": [float("inf"), -2]}, "y", horizontal=True)
  charts.line_chart(f"{folder}/lines.png", "lines", [1, 2, 4], {"x": [1, 2, 3], "y": [3, 2, 1]}, "x", "y")
  charts.histogram(f"{folder}/histogram.png", "histogram", [0, 1, 2], {"x": [1, 2], "y": [2, 1]}, "x", "y")
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_charts_are_pictures_and_repeat_byte_for_byte_whatever_the_user_has_set(tmp_path):
  folders = [tmp_path / name for name in "ab"]
  for folder in folders:
    folder.mkdir()
  first = _draw_all(folders[0])
  with matplotlib.rc_context({"figure.facecolor": "red", "font.size": 20}):
    assert _draw_all(folders[1]) == first
  assert len(first) == 4
  for name in first:
    pixels = np.asarray(Image.open(folders[0] / name))
    assert pixels.shape[:2] == (495, 880) and pixels[0, 0].tolist()[:3] == [255] * 3
    assert len(np.unique(pixels)) > 20


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch, tmp_path):
  monkeypatch.setattr(charts.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(InputError, match=r"pip install 'z2i_tf\[evaluation\]'"):
    charts.bar_chart(str(tmp_path / "a.png"), "", ["a"], {"x": [1]}, "")
  assert not list(tmp_path.iterdir())


def test_a_name_with_an_underscore_is_in_the_legend(tmp_path):
  pixels = []
  for name in ("_y", "__"):
    charts.line_chart(str(tmp_path / "lines.png"), "", [1, 2], {"x": [1, 2], name: [2, 1]}, "", "")
    pixels.append(np.asarray(Image.open(tmp_path / "lines.png")).tobytes())
  assert pixels[0] != pixels[1]

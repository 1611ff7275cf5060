import matplotlib
import numpy as np
from PIL import Image
import pytest

from tests.report import report_records
from z2i_tf.analyses import charts
from z2i_tf.analyses.charts import Estimate
from z2i_tf.errors import InputError


def _dots(*values):
  return {name: Estimate(value, value - 0.2, value + 0.3) for name, value in zip("abc", values)}


def _draw_all(folder):
  charts.dot_chart(f"{folder}/dots.png", "dots", {"x": _dots(1, 2), "y": _dots(3, float("nan"))}, "dB", "{:.1f}")
  charts.dot_chart(f"{folder}/log.png", "log", {"x": _dots(1, 200)}, "ms", "{:.1f}", is_logarithmic=True)
  charts.line_chart(f"{folder}/lines.png", "lines", [1, 2], {"x": list(_dots(1, 2).values())}, "scale")
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
    assert pixels.shape[1] == 880 and pixels[0, 0].tolist()[:3] == [255] * 3
    assert len(np.unique(pixels)) > 20


def _first_dot_column(path):
  """Returns the share of the width at which the first row's dot, in the first colour, is centred."""
  pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
  columns = np.flatnonzero((abs(pixels - (0, 0x72, 0xB2)).sum(axis=-1) < 8).any(axis=0))
  return columns.mean() / pixels.shape[1]


def test_small_differences_of_large_values_are_visible(tmp_path):
  places = []
  for value in (30.0, 30.2):
    estimates = {"a": Estimate(value, value, value), "b": Estimate(30.1, 30.1, 30.1)}
    charts.dot_chart(str(tmp_path / "dots.png"), "", {"": estimates}, "dB", "{:.2f}")
    places.append(_first_dot_column(tmp_path / "dots.png"))
  assert places[1] - places[0] > 0.5


def test_intervals_hold_the_mean_and_follow_from_the_scores(monkeypatch):
  record = report_records.scores_record({"telea": {"kind": "baseline"}}, ("small",), count=30)
  record["scores"]["small"]["telea"]["PSNR"][3] = "inf"
  drawn = _Charts(monkeypatch)
  charts.score_charts("comparison", record, "f")
  ((_, panels, *_),) = [args for name, args in drawn.drawn.items() if name == "comparison_psnr.png"]
  (estimate,) = [estimates["telea"] for estimates in panels.values()]
  scores = [score for score in record["scores"]["small"]["telea"]["PSNR"] if score != "inf"]
  assert estimate.value == pytest.approx(np.mean(scores))
  assert estimate.low < estimate.value < estimate.high
  error = np.std(scores) / len(scores) ** 0.5  # 95% lie within 1.96 of these.
  assert (estimate.high - estimate.low) / error == pytest.approx(2 * 1.96, rel=0.15)


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch, tmp_path):
  monkeypatch.setattr(charts.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(InputError, match=r"pip install 'z2i_tf\[evaluation\]'"):
    charts.dot_chart(str(tmp_path / "a.png"), "", {"": _dots(1)}, "", "")
  assert not list(tmp_path.iterdir())


def test_a_name_with_an_underscore_is_in_the_legend(tmp_path):
  pixels = []
  for name in ("_y", "__"):
    charts.histogram(str(tmp_path / "areas.png"), "", [1, 2], {"x": [1], name: [2]}, "", "")
    pixels.append(np.asarray(Image.open(tmp_path / "areas.png")).tobytes())
  assert pixels[0] != pixels[1]


class _Charts:
  """Keeps what would be drawn."""

  def __init__(self, monkeypatch):
    self.drawn = {}
    for name in ("dot_chart", "line_chart"):
      monkeypatch.setattr(charts, name, lambda path, *args, **_: self.drawn.update({path.rpartition("/")[2]: args}))


def test_improvements_are_over_the_first_method_in_every_band(monkeypatch):
  record = report_records.scores_record(report_records.model_entries())
  drawn = _Charts(monkeypatch)
  assert charts.score_charts("frequency", record, "f") == ["frequency_small.png", "frequency_large.png"]
  title, panels, *_ = drawn.drawn["frequency_small.png"]
  assert "over No zoom" in title and list(panels) == ["Low frequency", "Mid frequency", "High frequency"]
  scores = record["scores"]["small"]
  for method in ("Bicubic zoom", "SR zoom"):
    assert [estimates[method].value for estimates in panels.values()] == pytest.approx(
      [
        (sum(scores[method][metric]) - sum(scores["No zoom"][metric])) / 4
        for metric in ("SSIM low", "SSIM mid", "SSIM high")
      ]
    )
  assert list(panels["Low frequency"]) == ["Bicubic zoom", "SR zoom"]


def test_scales_are_in_their_order(monkeypatch):
  entry = report_records.model_entries()["SR zoom"]
  record = report_records.scores_record(
    {f"x{scale}": {**entry, "scale": scale} for scale in (3, 1, 4)} | {"telea": {"kind": "baseline"}}, ("large",)
  )
  record["scores"]["large"]["x3"]["MS-SSIM"] = ["nan"] * 4
  drawn = _Charts(monkeypatch)
  assert charts.score_charts("scale_study", record, "f") == ["scale_study_large.png"]
  _, scales, panels, *_ = drawn.drawn["scale_study_large.png"]
  assert scales == [1, 3, 4] and panels["SSIM"][0].value == pytest.approx(
    sum(record["scores"]["large"]["x1"]["SSIM"]) / 4
  )
  assert np.isnan(panels["MS-SSIM"][1].value)


def test_nothing_is_drawn_of_nothing(monkeypatch):
  record = report_records.scores_record({"telea": {"kind": "baseline"}}, ("small",))
  record["scores"]["small"]["telea"]["PSNR"] = ["inf"] * 4
  drawn = _Charts(monkeypatch)
  assert not charts.score_charts("frequency", record, "f") and not charts.score_charts("scale_study", record, "f")
  assert charts.score_charts("ablation", record, "f") == ["ablation_hole_psnr.png"] == list(drawn.drawn)


def test_charts_are_files_and_names_are_no_formulas(tmp_path):
  record = report_records.scores_record({r"$\nonsense$": {"kind": "baseline"}, "telea": {"kind": "baseline"}})
  names = charts.score_charts("comparison", record, str(tmp_path))
  assert names == ["comparison_psnr.png", "comparison_hole_psnr.png"]
  assert {path.name for path in tmp_path.iterdir()} == set(names)

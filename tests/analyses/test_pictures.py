import pytest

from tests.report import report_records
from z2i_tf.analyses import charts
from z2i_tf.analyses import pictures


class _Charts:
  """Keeps what would be drawn."""

  def __init__(self, monkeypatch):
    self.drawn = {}
    for name in ("bar_chart", "line_chart"):
      monkeypatch.setattr(charts, name, lambda path, *args: self.drawn.update({path.rpartition("/")[2]: args}))


def test_improvements_are_over_the_first_method_in_every_band(monkeypatch):
  record = report_records.scores_record(report_records.model_entries())
  drawn = _Charts(monkeypatch)
  assert pictures.pictures_of("frequency", record, "f") == ["frequency_small.png", "frequency_large.png"]
  title, bands, series, *_ = drawn.drawn["frequency_small.png"]
  assert "over No zoom" in title and bands == ["Low frequency", "Mid frequency", "High frequency"]
  scores = record["scores"]["small"]
  for method in ("Bicubic zoom", "SR zoom"):
    assert series[method] == pytest.approx(
      [
        (sum(scores[method][metric]) - sum(scores["No zoom"][metric])) / 4
        for metric in ("SSIM low", "SSIM mid", "SSIM high")
      ]
    )
  assert list(series) == ["Bicubic zoom", "SR zoom"]


def test_scales_are_in_their_order(monkeypatch):
  entry = report_records.model_entries()["SR zoom"]
  record = report_records.scores_record(
    {f"x{scale}": {**entry, "scale": scale} for scale in (3, 1, 4)} | {"telea": {"kind": "baseline"}}, ("large",)
  )
  record["scores"]["large"]["x3"]["MS-SSIM"] = ["nan"] * 4
  drawn = _Charts(monkeypatch)
  assert pictures.pictures_of("scale_study", record, "f") == ["scale_study_large.png"]
  _, scales, series, *_ = drawn.drawn["scale_study_large.png"]
  assert scales == [1, 3, 4] and series["SSIM"][0] == pytest.approx(sum(record["scores"]["large"]["x1"]["SSIM"]) / 4)
  assert series["MS-SSIM"][1] != series["MS-SSIM"][1]


def test_nothing_is_drawn_of_nothing(monkeypatch):
  record = report_records.scores_record({"telea": {"kind": "baseline"}}, ("small",))
  record["scores"]["small"]["telea"]["PSNR"] = ["inf"] * 4
  drawn = _Charts(monkeypatch)
  assert not pictures.pictures_of("frequency", record, "f") and not pictures.pictures_of("scale_study", record, "f")
  assert pictures.pictures_of("ablation", record, "f") == ["ablation_hole_psnr.png"] == list(drawn.drawn)


def test_charts_are_files_and_names_are_no_formulas(tmp_path):
  record = report_records.scores_record({r"$\nonsense$": {"kind": "baseline"}, "telea": {"kind": "baseline"}})
  names = pictures.pictures_of("comparison", record, str(tmp_path))
  assert names == ["comparison_psnr.png", "comparison_hole_psnr.png"]
  assert {path.name for path in tmp_path.iterdir()} == set(names)

import json

import numpy as np
import pytest

from z2i_tf.analyses import complexity
from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.models.architecture import ModelConfig


def test_methods_are_timed_one_after_the_other_and_never_see_the_hole():
  log, time = [], [0.0]

  def method(name, seconds):
    def fill(image, mask):
      assert not image[mask == 1].any() and image[mask == 0].all()
      log.append(name)
      time[0] += seconds
      return image

    return fill

  methods = {"slow": method("slow", 2.0), "quick": method("quick", 0.5)}
  examples = [(np.full((4, 4, 3), 9, np.uint8), np.eye(4, dtype=np.uint8))] * 3
  complexity.warm_up(methods, examples)
  assert log == ["slow"] * 2 + ["quick"] * 2
  advanced = []
  seconds = complexity.measure(methods, examples, lambda: advanced.append(len(log)), lambda: time[0])
  assert seconds == {"slow": [2.0] * 3, "quick": [0.5] * 3}
  assert log[4:] == ["slow", "quick"] * 3 and advanced == [6, 8, 10]


def test_tables_have_statistics_and_a_dash_where_a_network_is_missing(tmp_path):
  models = {
    "ours": {
      "parameters": {"total": 4_480_000, "coarse": 480_000, "sr": 4_000_000},
      "flops": {"total": 3e9, "coarse": 1e9, "sr": 2e9},
    },
    "ablation": {"parameters": {"total": 10_000, "coarse": 10_000}, "flops": {"total": 1e9, "coarse": 1e9}},
  }
  seconds = {"ours, float32": [0.1, 0.2, 0.6], "telea": [0.01, 0.01, 0.01]}
  sizes, times = complexity.write(str(tmp_path), models, seconds, (8, 16), {}, {"device": "CPU", "cores": "2"})
  assert sizes.rows == [
    ("ours", "4.48M", "0.480M", "4.00M", "3.0", "1.0", "2.0"),
    ("ablation", "0.010M", "0.010M", "-", "1.0", "1.0", "-"),
  ]
  assert times.rows[0] == ("ours, float32", "300.0", "200.0", "520.0")
  assert "Measured on device: CPU, cores: 2." in times.notes
  record = records.read_record(str(tmp_path / "complexity.json"))
  assert record_schema.problem_of(record) is None
  assert record["latency"]["telea"]["p90_ms"] == 10 and record["measured_on"] == {"device": "CPU", "cores": "2"}
  assert (tmp_path / record["pictures"][0]).is_file()


def test_centre_crops(tmp_path):
  image = np.random.default_rng(0).integers(0, 256, (11, 20, 3), np.uint8)
  image_files.write_rgb(str(tmp_path / "a.png"), image)
  (crop,) = complexity.centre_crops([str(tmp_path / "a.png")], 8, 10)
  np.testing.assert_array_equal(crop, image[1:9, 5:15])
  with pytest.raises(InputError, match="a.png: 11x20 .*12x10"):
    complexity.centre_crops([str(tmp_path / "a.png")], 12, 10)


def test_a_configuration_is_measured_with_random_weights(tmp_path, capsys, monkeypatch):
  predictors = []

  def inpainter(predictor):
    predictors.append(predictor)
    return lambda image, mask, native: image

  monkeypatch.setattr("z2i_tf.analyses.measured_models.Inpainter", inpainter)  # Making its graph takes seconds.
  (tmp_path / "images").mkdir()
  for name in "ab":
    image_files.write_rgb(str(tmp_path / "images" / f"{name}.png"), np.full((20, 24, 3), 99, np.uint8))
  assert (
    main(
      [
        "complexity",
        "--width=2",
        "--zoom=none",
        "--size=12x20",
        f"--image_dir={tmp_path}/images",
        "--count=3",
        "--precision=bfloat16",
        "--mask_kind=rect",
        f"--output_dir={tmp_path}/out",
      ]
    )
    == 0
  )
  printed = capsys.readouterr().out
  record = json.loads((tmp_path / "out" / "complexity.json").read_text())
  name = "random weights, width 2, zoom none"
  assert sorted(record["latency"]) == ["mean", "navier_stokes", f"{name}, bfloat16", f"{name}, float32", "telea"]
  assert [predictor.precision for predictor in predictors] == ["float32", "bfloat16"]
  assert predictors[0].model_config == ModelConfig(zoom="none", scale=1, width=2)
  of_model = record["models"][name]
  for counts in (of_model["parameters"], of_model["flops"]):
    assert set(counts) == {"total", "coarse", "refine"} and counts["total"] == counts["coarse"] + counts["refine"]
  assert all(len(times["milliseconds"]) == 3 and min(times["milliseconds"]) > 0 for times in record["latency"].values())
  assert record["manifest"]["settings"]["images"] == {
    f"{name}.png": records.sha256(str(tmp_path / "images" / f"{name}.png")) for name in "ab"
  }
  assert str(tmp_path) not in (tmp_path / "out" / "complexity.json").read_text()
  assert f"{name}, float32" in printed and "usable cores" in printed


@pytest.mark.parametrize(
  "flags, message",
  [
    (["--model=nowhere"], "nowhere: no such folder"),
    (["--model=a=x,a=y"], "twice"),
    (["--model=a=nowhere"], "nowhere: no such folder"),
    (["--width=3"], "even"),
    (["--size=1x1"], "--size=1x1"),
    (["--image_dir=nowhere"], "nowhere"),
  ],
)
def test_bad_input_is_one_line(tmp_path, capsys, flags, message):
  assert main(["complexity", f"--output_dir={tmp_path}/out", "--count=1", "--size=16x16", *flags]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not list(tmp_path.glob("out/*"))

import numpy as np
import pytest

from z2i_tf.analyses import intermediate
from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.cli.main import main
from z2i_tf.images import image_files
from z2i_tf.inference import model_store


class _Predictor:
  """Stages of one gray level each."""

  scale, precision, max_thickness_px = 2, "float32", 56.0
  levels = {"coarse": 50, "zoomed": 100, "refined": 150, "result": 200}

  def outputs(self, images, holes):
    assert not images[holes].any()
    _, height, width, _ = images.shape
    factors = {"zoomed": 2, "refined": 2}
    shapes = {name: (1, height * factors.get(name, 1), width * factors.get(name, 1), 3) for name in self.levels}
    return {name: np.full(shapes[name], level / 255.0, np.float32) for name, level in self.levels.items()}


@pytest.fixture(name="folders")
def _folders(tmp_path):
  mask = np.zeros((20, 30), np.uint8)
  mask[5:9, 10:16] = 1
  for kind in ("images", "masks"):
    (tmp_path / kind).mkdir()
  for number in range(3):
    image_files.write_rgb(str(tmp_path / "images" / f"{number}.png"), np.full((20, 30, 3), 10 * number, np.uint8))
    image_files.write_mask(str(tmp_path / "masks" / f"{number}.png"), mask)
  return tmp_path


def _run(folders, *flags):
  return main(
    [
      "intermediate",
      f"--image_dir={folders}/images",
      f"--mask_dir={folders}/masks",
      "--count=2",
      f"--output_dir={folders}/out",
      *flags,
    ]
  )


def test_every_stage_is_drawn_and_measured(folders, monkeypatch, capsys):
  monkeypatch.setattr(model_store, "load_predictor", lambda model, precision: _Predictor())
  assert _run(folders) == 0
  printed = capsys.readouterr().out
  record = records.read_record(str(folders / "out" / "intermediate.json"))
  assert record_schema.problem_of(record) is None
  assert [image["name"] for image in record["images"]] == ["0", "1"]
  share = 4 * 6 / (20 * 30)
  for number, image in enumerate(record["images"]):
    for stage in ("coarse", "result"):
      expected = -10 * np.log10(share * ((_Predictor.levels[stage] - 10 * number) / 255) ** 2)
      assert image["PSNR"][stage] == pytest.approx(expected, abs=1e-4)
      assert f"{expected:.2f}" in printed
  sheet = image_files.read_rgb(str(folders / "out" / "intermediate.png"))
  in_gray = np.unique(sheet[(sheet == sheet[..., :1]).all(axis=-1)][:, 0], return_counts=True)
  many = {value for value, count in zip(*in_gray) if count > 2000}
  assert many >= set(_Predictor.levels.values()) | {0, 10, 255} and 20 not in many
  assert record["manifest"]["settings"]["model"] == model_store.content_hash("compact")
  assert str(folders) not in (folders / "out" / "intermediate.json").read_text()


def test_the_sheet_has_a_row_of_crops_only_if_asked_for():
  example = intermediate.Example(
    "a",
    np.zeros((32, 32, 3), np.uint8),
    np.eye(32, dtype=np.uint8),
    {
      "coarse": np.zeros((32, 32, 3), np.uint8),
      "zoomed": np.zeros((64, 64, 3), np.uint8),
      "refined": np.zeros((64, 64, 3), np.uint8),
      "result": np.zeros((32, 32, 3), np.uint8),
    },
  )
  assert len(intermediate.draw([example], 2, "auto")) > len(intermediate.draw([example], 2, "none")) + 60


@pytest.mark.parametrize(
  "flags, message",
  [(["--mask_dir=nowhere"], "nowhere"), (["--model=nowhere"], "nowhere"), (["--precision=x"], "--precision")],
)
def test_bad_input_is_one_line(folders, capsys, flags, message):
  assert _run(folders, *flags) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not list(folders.glob("out/*"))

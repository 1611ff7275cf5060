"""`z2i beam-evaluate`: the folder of `z2i evaluate`, byte for byte."""

import types

import numpy as np
import pytest

pytest.importorskip("apache_beam")

from z2i_tf.beam import evaluate as beam_evaluate
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.evaluation import evaluation
from z2i_tf.evaluation.config import EvaluationConfig
from z2i_tf.evaluation.scorer import load_scorer
from z2i_tf.evaluation.scorer import Scored
from z2i_tf.images import image_files
from z2i_tf.metrics import fid
from z2i_tf.metrics import scoring


def test_the_folder_is_that_of_evaluate(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  rng = np.random.default_rng(0)
  for kind in ("images", "small", "large", "others/small", "others/large"):
    (tmp_path / kind).mkdir(parents=True)
  for number in range(5):
    shape = (20 + number, 22, 3)
    name = f"{number}.png"
    image_files.write_rgb(f"images/{name}", rng.integers(0, 256, shape, np.uint8))
    for kind, side in (("small", 4), ("large", 9)):
      mask = np.zeros(shape[:2], np.uint8)
      mask[3 : 3 + side, 4 : 4 + side] = 1
      image_files.write_mask(f"{kind}/{name}", mask)
      image_files.write_rgb(f"others/{kind}/{name}", rng.integers(0, 256, shape, np.uint8))
  inputs = ["--image_dir=images", "--mask_dir=small,large"]
  settings = [*inputs, "--model=", "--baseline=telea,mean", "--result_dir=o=others"]
  assert main(["evaluate", *settings, "--output_dir=expected"]) == 0
  expected = capsys.readouterr().out
  assert main(["beam-evaluate", *settings, "--output_dir=found"]) == 0
  assert capsys.readouterr().out == expected.replace("expected", "found")
  contents = [
    {
      path.relative_to(tmp_path / folder): path.read_bytes()
      for path in (tmp_path / folder).rglob("*")
      if path.is_file()
    }
    for folder in ("expected", "found")
  ]
  assert contents[1] == contents[0] and len(contents[0]) > 50
  assert "known pixels of 10 results differ" in (tmp_path / "found" / "comparison.json").read_text()

  assert main(["beam-evaluate", *inputs, "--model=", "--baseline=", "--output_dir=none"]) == 2
  assert "nothing to evaluate" in capsys.readouterr().err


def test_a_worker_that_finds_other_inputs_fails(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for folder in ("images", "masks", "others"):
    (tmp_path / folder).mkdir()
  black, gray = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 9, np.uint8)
  image_files.write_rgb("images/a.png", black)
  image_files.write_rgb("others/a.png", black)
  image_files.write_mask("masks/a.png", np.eye(8, dtype=np.uint8))
  monkeypatch.setattr(fid, "InceptionFeatures", lambda path: types.SimpleNamespace(description="the graph"))
  config = EvaluationConfig(
    "out",
    image_dir="images",
    mask_dir={"thin": "masks"},
    result_dir={"other": "others"},
    baseline=["mean"],
    inception_graph="inception.pb",
    save_results=False,
  )
  seen = {}

  def score_all(scorer, tasks, folder):
    del tasks, folder
    seen.update(scorer.describe())
    raise InputError("enough")

  with pytest.raises(InputError, match="enough"):
    evaluation.evaluate(config, score_all=score_all)
  assert sorted(seen) == ["FID", "method mean", "method other", "test set thin"]
  load_scorer(config, "out", seen)
  for kind, name in (("others", "method other"), ("images", "test set thin")):
    image_files.write_rgb(f"{kind}/a.png", gray)
    with pytest.raises(InputError, match=f"{name} differs between a worker and"):
      load_scorer(config, "out", seen)
    image_files.write_rgb(f"{kind}/a.png", black)

  def missing(path):
    raise InputError(f"{path}: no such file")

  monkeypatch.setattr(fid, "InceptionFeatures", missing)
  with pytest.raises(InputError, match=r"FID differs between a worker and .* [(]FID: inception.pb: no such file[)]"):
    load_scorer(config, "out", seen)


def test_scores_pass_through_a_file_exactly(tmp_path):
  features = {None: np.float32([0.1, 1e-30]), "mean": np.float32([1 / 3, 7])}
  scores = scoring.ExampleScores("thin", {"mean": {"PSNR": 0.1 + 0.2, "LPIPS": float("nan")}}, features)
  line = beam_evaluate._to_json(0, Scored(scores, "\udcff", ["mean"]))
  (tmp_path / "scores-0").write_text(line + "\n")
  (read,) = beam_evaluate._read(str(tmp_path), 1)
  assert repr(read.scores.values) == repr(scores.values) and (read.name, read.changed) == ("\udcff", ["mean"])
  assert list(read.scores.features) == list(features)
  for of, array in features.items():
    assert read.scores.features[of].dtype == array.dtype and np.array_equal(read.scores.features[of], array)
  with pytest.raises(InputError, match="scored only 1 of 2 images"):
    beam_evaluate._read(str(tmp_path), 2)


def test_workers_get_absolute_paths(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  config = EvaluationConfig("out", testset="sets", model={"a": "compact", "b": "runs/b", "c": "lama:c.onnx"})
  found = beam_evaluate._absolute(config)
  assert found.testset == f"{tmp_path}/sets" and found.image_dir is None and found.lpips_linear == "default"
  assert found.model == {"a": "compact", "b": f"{tmp_path}/runs/b", "c": f"lama:{tmp_path}/c.onnx"}

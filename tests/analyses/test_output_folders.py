"""Analyses do not write to each other's folders."""

import os

import numpy as np
import pytest

from z2i_tf.analyses import records
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.images import image_files


def test_another_analysis_record_is_refused_and_nothing_else(tmp_path):
  folder = str(tmp_path)
  (tmp_path / "config.json").write_text("{}")
  (tmp_path / "broken.json").write_text("{")
  (tmp_path / "below").mkdir()
  records.write_record(str(tmp_path / "below"), "complexity", {})
  records.write_record(folder, records.TESTSET, {})
  records.write_record(folder, "failures", {})
  records.check_folder_is_free(folder, "failures")
  os.rename(tmp_path / "failures.json", tmp_path / "renamed.json")
  with pytest.raises(InputError, match=r"`output_dir`=.*record of failures \(renamed.json\)"):
    records.check_folder_is_free(folder, "side_by_side")


@pytest.fixture(name="inputs")
def _inputs(tmp_path):
  for kind in ("images", "masks"):
    (tmp_path / kind).mkdir()
  image_files.write_rgb(str(tmp_path / "images" / "a.png"), np.full((16, 16, 3), 9, np.uint8))
  image_files.write_mask(str(tmp_path / "masks" / "a.png"), np.eye(16, dtype=np.uint8))
  return tmp_path


_COMMANDS = {
  "mask-stats": (["--count=1", "--size=16x16"], "z2i_tf.analyses.mask_statistics.draw"),
  "complexity": (["--count=1", "--size=16x16", "--image_dir={}/images"], "z2i_tf.analyses.measured_models.measured_on"),
  "intermediate": (["--image_dir={}/images", "--mask_dir={}/masks"], "z2i_tf.inference.model_store.load_predictor"),
}


def _nothing_starts(*_):
  raise AssertionError("what takes long began")


@pytest.mark.parametrize("command", _COMMANDS)
def test_it_is_refused_before_anything_long(inputs, capsys, monkeypatch, command):
  arguments, first_step = _COMMANDS[command]
  monkeypatch.setattr(first_step, _nothing_starts)
  arguments = [argument.format(inputs) for argument in arguments]
  (inputs / "out").mkdir()
  records.write_record(str(inputs / "out"), "comparison", {})
  assert main([command, *arguments, f"--output_dir={inputs / 'out'}"]) == 2
  error = capsys.readouterr().err
  assert "record of comparison (comparison.json)" in error and error.count("\n") == 1
  assert os.listdir(inputs / "out") == ["comparison.json"]


@pytest.mark.parametrize(
  "command, kind", [("complexity", "images"), ("intermediate", "images"), ("intermediate", "masks")]
)
def test_inputs_are_not_mixed_with_results(inputs, capsys, monkeypatch, command, kind):
  arguments, first_step = _COMMANDS[command]
  monkeypatch.setattr(first_step, _nothing_starts)
  arguments = [argument.format(inputs) for argument in arguments]
  assert main([command, *arguments, f"--output_dir={inputs}/./{kind}"]) == 2
  error = capsys.readouterr().err
  assert "would overwrite" in error and error.count("\n") == 1
  assert os.listdir(inputs / kind) == ["a.png"]

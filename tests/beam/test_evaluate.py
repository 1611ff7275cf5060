"""`z2i beam-evaluate`: the folder of `z2i evaluate`, byte for byte."""

import numpy as np
import pytest

pytest.importorskip("apache_beam")

from z2i_tf.cli.main import main
from z2i_tf.images import image_files


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

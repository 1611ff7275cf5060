"""The files of the bundled models are the released ones, and others are noticed."""

import hashlib
import os
import shutil
import subprocess
import sys

from absl import flags
import pytest

from z2i_tf.cli import train
from z2i_tf.cli.flags import training_flags
from z2i_tf.errors import InputError
from z2i_tf.inference import bundled_models
from z2i_tf.inference import model_store


@pytest.fixture(name="assets")
def _assets(tmp_path):
  """A copy of the package's."""
  shutil.copytree(bundled_models.ASSETS, tmp_path / "assets")
  return tmp_path / "assets"


def test_every_bundled_model_is_the_released_one():
  models = bundled_models.check_models()
  assert [model.name for model in models] == bundled_models.bundled_names()
  assert not [model.problem for model in models if model.problem]
  with open(os.path.join(bundled_models.ASSETS, bundled_models.SUMS_FILE), encoding="utf-8") as file:
    named = {line.split()[1] for line in file}
  folders = set(os.listdir(bundled_models.ASSETS)) - {bundled_models.SUMS_FILE, "adapters"}
  assert named == {f"{name}/model.npz" for name in folders}
  assert folders == set(bundled_models.bundled_names())


def test_a_changed_and_a_missing_file_are_noticed(assets):
  path = assets / "compact" / "model.npz"
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  model, other = bundled_models.check_models(str(assets))
  assert not other.problem
  assert "not the released file" in model.problem and model.found not in (None, model.expected)
  with pytest.raises(InputError, match="compact/model.npz is not the released file"):
    bundled_models.model_folder("compact", str(assets))
  path.unlink()
  model, _ = bundled_models.check_models(str(assets))
  assert "No such file" in model.problem and model.found is None


def test_a_model_joins_by_a_line_of_the_sums(assets):
  (assets / "new").mkdir()
  (assets / "new" / "model.npz").write_bytes(b"weights")
  assert bundled_models.model_folder("new", str(assets)) == "new"
  with open(assets / bundled_models.SUMS_FILE, "a", encoding="utf-8") as file:
    file.write(f"{hashlib.sha256(b'weights').hexdigest()}  new/model.npz\n")
  assert bundled_models.bundled_names(str(assets)) == ["compact", "full", "new"]
  assert bundled_models.model_folder("new", str(assets)) == str(assets / "new")


@pytest.mark.parametrize(
  "content, message",
  [(None, "SHA256SUMS: cannot be read"), ("abc", "not what sha256sum writes"), ("", "does not name compact")],
)
def test_sums_that_cannot_be_used(assets, content, message):
  sums = assets / bundled_models.SUMS_FILE
  sums.unlink() if content is None else sums.write_text(content)
  with pytest.raises(InputError, match=message) as caught:
    bundled_models.check_models(str(assets))
  assert "\n" not in str(caught.value)


def test_checking_needs_no_tensorflow():
  script = (
    "import sys; from z2i_tf.inference import bundled_models; bundled_models.check_models()\n"
    "assert not {'tensorflow', 'numpy'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, "-c", script], check=True)


def test_training_may_start_from_a_bundled_model():
  values = flags.FlagValues()
  train.define_flags(values)
  values(["z2i train", "--work_dir=run", "--data_dir=photos", "--init_coarse=compact", "--init_sr=elsewhere"])
  assert training_flags.joint_config(values).initial_weights == {
    "coarse": os.path.join(bundled_models.ASSETS, "compact"),
    "sr": "elsewhere",
  }


def test_a_folder_with_a_bundled_name_does_not_replace_the_bundled_model(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "compact").mkdir()
  (tmp_path / "compact" / "saved_model.pb").touch()
  assert not model_store.has_own_precision("compact") and model_store.has_own_precision("./compact")
  assert model_store.load_predictor("compact").model_config.width == 32

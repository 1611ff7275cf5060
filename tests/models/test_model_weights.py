import json

import numpy as np
import pytest

from z2i_tf.errors import InputError
from z2i_tf.models import model_weights
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.refinement_net import refinement_net
from z2i_tf.models.super_resolution_net import super_resolution_net


@pytest.fixture(name="networks", scope="module")
def _networks():
  return {"sr": super_resolution_net(4, 2), "disc": patch_discriminator(4)}


def test_names_count_layers_in_order_of_application():
  names = list(model_weights.network_variables(refinement_net(4)))
  assert names[:6] == ["conv00/kernel", "conv00/bias", "bn00/gamma", "bn00/beta", "bn00/mean", "bn00/var"]
  assert names[-2:] == ["conv20/kernel", "conv20/bias"]
  assert len(names) == 21 * 2 + 20 * 4


def test_written_arrays_come_back_into_other_networks(tmp_path, networks):
  arrays = model_weights.read_arrays(networks)
  assert "disc/conv04/u" in arrays
  path = model_weights.write_model_file(str(tmp_path / "model"), arrays, {"step": 7})
  assert [entry.name for entry in (tmp_path / "model").iterdir()] == [model_weights.MODEL_FILE]
  read, config = model_weights.read_model_file(str(tmp_path / "model"))
  assert config["step"] == 7 and path.endswith(model_weights.MODEL_FILE)
  others = {"sr": super_resolution_net(4, 2), "disc": patch_discriminator(4)}
  model_weights.assign_arrays(others, read, "file")
  for name, array in model_weights.read_arrays(others).items():
    np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda arrays: arrays.pop("sr/conv03/bias"), "has no array sr/conv03/bias"),
    (lambda arrays: arrays.update({"sr/conv11/bias": np.zeros(3)}), "no place in the model, sr/conv11/bias"),
    (lambda arrays: arrays.update({"sr/conv10/bias": np.zeros(4)}), r"sr/conv10/bias has shape \(4,\)"),
  ],
)
def test_arrays_that_do_not_match_change_nothing(networks, change, message):
  before = model_weights.read_arrays(networks)
  arrays = {name: array + 1 for name, array in before.items()}
  change(arrays)
  with pytest.raises(InputError, match="file.npz.*" + message):
    model_weights.assign_arrays(networks, arrays, "file.npz")
  for name, array in model_weights.read_arrays(networks).items():
    np.testing.assert_array_equal(array, before[name])


def test_files_that_are_no_models(tmp_path):
  with pytest.raises(InputError, match="no model here"):
    model_weights.read_model_file(str(tmp_path))
  path = tmp_path / model_weights.MODEL_FILE
  path.write_bytes(b"nothing")
  with pytest.raises(InputError, match="not a model file"):
    model_weights.read_model_file(str(tmp_path))
  np.savez(path, a=np.zeros(3))
  with pytest.raises(InputError, match="not a model file"):
    model_weights.read_model_file(str(tmp_path))
  np.savez(path, config=np.array(json.dumps({"format_version": 99})))
  with pytest.raises(InputError, match="format version 99"):
    model_weights.read_model_file(str(tmp_path))


def test_a_folder_that_cannot_be_written(tmp_path, networks):
  (tmp_path / "file").write_text("in the way")
  with pytest.raises(InputError, match="cannot write the model"):
    model_weights.write_model_file(str(tmp_path / "file"), model_weights.read_arrays(networks), {})

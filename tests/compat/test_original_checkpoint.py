import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests import recordings
from z2i_tf.cli.main import main
from z2i_tf.inference import model_store
from z2i_tf.models import model_weights


def _copy(tmp_path):
  for extension in (".index", ".data-00000-of-00001"):
    shutil.copy(recordings.ORIGINAL_CHECKPOINT + extension, tmp_path / ("ckpt-1500" + extension))
  return tmp_path / "ckpt-1500"


def test_converted_model_reproduces_the_recording(tmp_path, capsys):
  output = tmp_path / "model"
  assert main(["convert-checkpoint", f"--original={recordings.ORIGINAL_CHECKPOINT}", f"--output={output}"]) == 0
  assert "zoom sr x2, width 8" in capsys.readouterr().out
  recorded = recordings.load("inference")
  stages = model_store.load_model(str(output))({"image_lr": recorded["lr"], "mask_lr": recorded["mask"]})
  for stage, name in (("coarse", "y_coarse"), ("zoomed", "y_sr"), ("refined", "y_refine"), ("zoomed_out", "y_lr")):
    recordings.assert_matches(stages[stage], recorded[name])
  arrays, config = model_weights.read_model_file(str(output))
  assert config["model"] == {"zoom": "sr", "scale": 2, "width": 8, "sr_width": 8}
  for name in ("kernel", "bias", "u"):
    assert f"disc/conv04/{name}" in arrays
  reader = tf.train.load_checkpoint(recordings.ORIGINAL_CHECKPOINT)
  np.testing.assert_array_equal(
    arrays["disc/conv03/u"],
    reader.get_tensor("model_d/layer_with_weights-3/spectral_norm_u/.ATTRIBUTES/VARIABLE_VALUE"),
  )


def _write_part(prefix, roots):
  """Writes a checkpoint with only some of the recorded one's networks."""
  reader = tf.train.load_checkpoint(recordings.ORIGINAL_CHECKPOINT)
  tree = {}
  for key in reader.get_variable_to_shape_map():
    parts = key.split("/")[:-2]
    if parts and parts[0] in roots:
      node = tree
      for part in parts[:-1]:
        node = node.setdefault(part, {})
      node[parts[-1]] = tf.Variable(reader.get_tensor(key))

  def trackable(node):
    if not isinstance(node, dict):
      return node
    return tf.train.Checkpoint(**{name: trackable(child) for name, child in node.items()})

  return trackable(tree).write(str(prefix))


def test_a_checkpoint_without_sr_network_needs_to_be_told_its_zoom(tmp_path, capsys):
  prefix = _write_part(tmp_path / "ckpt", ("model", "model_refine"))
  command = ["convert-checkpoint", f"--original={prefix}", f"--output={tmp_path / 'model'}"]
  assert main(command) == 2
  assert "no SR network: give the zoom of its training, --zoom" in capsys.readouterr().err
  assert main(command + ["--zoom=bicubic", "--scale=3"]) == 0
  arrays, config = model_weights.read_model_file(str(tmp_path / "model"))
  assert config["model"] == {"zoom": "bicubic", "scale": 3, "width": 8, "sr_width": 8}
  recorded = recordings.load("inference")
  assert arrays.keys() == {name for name in recorded if name.startswith(("coarse/", "refine/"))}
  for name, array in arrays.items():
    np.testing.assert_array_equal(array, recorded[name])
  command[1] = f"--original={recordings.ORIGINAL_CHECKPOINT}"
  assert main(command + ["--zoom=none"]) == 2
  assert "leave out --zoom" in capsys.readouterr().err


def _truncate(tmp_path):
  prefix = _copy(tmp_path)
  data = tmp_path / "ckpt-1500.data-00000-of-00001"
  data.write_bytes(data.read_bytes()[:1000])
  return prefix


def _without_data(tmp_path):
  prefix = _copy(tmp_path)
  (tmp_path / "ckpt-1500.data-00000-of-00001").unlink()
  return prefix


def _damaged_index(tmp_path):
  prefix = _copy(tmp_path)
  (tmp_path / "ckpt-1500.index").write_bytes(b"no index at all")
  return prefix


def _foreign(tmp_path):
  return tf.train.Checkpoint(net=tf.Variable([1.0])).write(str(tmp_path / "other"))


def _foreign_with_the_same_roots(tmp_path):
  from z2i_tf.keras_api import keras

  nets = [keras.Sequential([keras.layers.Conv2D(8, 3, input_shape=(8, 8, 4))]) for _ in range(3)]
  return tf.train.Checkpoint(model=nets[0], model_sr=nets[1], model_refine=nets[2]).write(str(tmp_path / "other"))


@pytest.mark.parametrize(
  "make, message",
  [
    (lambda tmp_path: tmp_path / "nothing", "no checkpoint there"),
    (lambda tmp_path: _copy(tmp_path).parent, "no checkpoint there"),
    (_truncate, "damaged or incomplete"),
    (_without_data, "damaged or incomplete"),
    (_damaged_index, "damaged or incomplete"),
    (_foreign, "it has no coarse network"),
    (_foreign_with_the_same_roots, "not the original networks"),
  ],
  ids=["missing", "folder", "truncated", "no data", "damaged index", "foreign", "same roots"],
)
def test_unusable_checkpoints_get_one_line_and_leave_nothing(tmp_path, capsys, make, message):
  (tmp_path / "in").mkdir()
  prefix = make(tmp_path / "in")
  output = tmp_path / "model"
  assert main(["convert-checkpoint", f"--original={prefix}", f"--output={output}"]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not output.exists()

"""The generator as a Keras model; what a step computes is tested in tests/training."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import z2i_tf
from z2i_tf.errors import InputError
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.training.joint_step import JointStep

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_WEIGHTS = z2i_tf.LossWeights(weight_l1_sr=0.5, weight_vgg_coarse=0.0, weight_vgg_refine=0.0, weight_adversarial=0.0)


def _dataset(build=z2i_tf.training_dataset):
  masks = z2i_tf.MaskMixture.parse("small", 64)
  return build(
    z2i_tf.FolderSource(os.path.join(_ROOT, "data", "images")),
    z2i_tf.ExampleConfig(crop_size=16, scale=2, masks=masks, seed=0),
    batch_size=2,
  )


def _model():
  z2i_tf.keras.utils.set_random_seed(0)
  return z2i_tf.ZoomInpainter(ModelConfig(width=4), max_thickness_px=31.0)


def _arrays(model):
  return model_weights.read_arrays(model.networks)


@pytest.fixture(name="trained", scope="module")
def _trained():
  """A model after four steps, and its history; run eagerly, which takes less time here than tracing graphs.

  (tests/test_fine_tuning.py trains in graphs.)
  """
  model = _model()
  model.compile(z2i_tf.keras.optimizers.Adam(1e-3), loss_weights=_WEIGHTS, run_eagerly=True)
  history = model.fit(
    _dataset(), steps_per_epoch=2, epochs=2, validation_data=_dataset(z2i_tf.validation_dataset), verbose=0
  )
  return model, history.history


def test_is_built_and_has_a_summary():
  model, lines = _model(), []
  model.summary(print_fn=lambda line, **_: lines.append(line))
  text = "\n".join(lines)
  assert model.built and "coarse" in text and "refine" in text and f"Total params: {model.count_params()} " in text
  rebuilt = z2i_tf.ZoomInpainter.from_config(model.get_config())
  assert rebuilt.get_config() == model.get_config() and rebuilt.model_config == ModelConfig(width=4)


def test_fit_reports_the_package_s_losses_and_trains(trained):
  model, history = trained
  assert int(model.optimizer.iterations) == 4 and len(model.layers) == 3
  assert {
    "loss",
    "l1_coarse",
    "l1_sr",
    "l1_refine",
    "gradient",
    "psnr_result",
    "gradient_norm_refine",
    "val_loss",
    "val_hole_psnr_result",
    "val_ssim_composed_hr",
  } <= set(history)
  for prefix in ("", "val_"):
    terms = {name: np.array(history[prefix + name]) for name in ("l1_coarse", "l1_sr", "l1_refine", "gradient")}
    np.testing.assert_allclose(history[prefix + "loss"], sum(terms.values()) - 0.5 * terms["l1_sr"], rtol=1e-4)
  assert history["val_loss"][1] < history["val_loss"][0]


def test_evaluate_gives_means_over_examples(trained):
  model, _ = trained
  batches = list(_dataset(z2i_tf.validation_dataset).unbatch().batch(3))  # 3 examples and 1.
  assert [len(batch["mask_lr"]) for batch in batches] == [3, 1]
  found = model.evaluate(
    tf.data.Dataset.from_generator(
      lambda: iter(batches),
      output_signature={name: tf.TensorSpec([None, *array.shape[1:]]) for name, array in batches[0].items()},
    ),
    return_dict=True,
    verbose=0,
  )
  stages = [model(batch)["coarse"] for batch in batches]
  errors = np.concatenate(
    [np.abs(stage - batch["image_lr"]).mean(axis=(1, 2, 3)) for stage, batch in zip(stages, batches)]
  )
  np.testing.assert_allclose(found["l1_coarse"], errors.mean(), rtol=1e-4)


def test_a_step_is_that_of_training():
  batch = next(iter(_dataset()))
  model, plain = _model(), _model()
  model.compile(z2i_tf.keras.optimizers.SGD(0.01), gradient_clip_norm=1.0, l1_normalization="hole", run_eagerly=True)
  model.train_on_batch(batch)
  weights = z2i_tf.LossWeights(weight_vgg_coarse=0.0, weight_vgg_refine=0.0, weight_adversarial=0.0)
  JointStep(plain, None, None, weights, z2i_tf.keras.optimizers.SGD(0.01), None, 2, 1.0, "hole")(batch)
  expected = _arrays(plain)
  for name, array in _arrays(model).items():
    np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_batch_norms_may_keep_their_statistics():
  model, batch = _model(), next(iter(_dataset()))
  for are_frozen in (True, False):
    model.compile("sgd", freeze_batch_norm=are_frozen, run_eagerly=True)
    before = _arrays(model)
    model.train_on_batch(batch)
    changed = {name.rsplit("/")[-1] for name, array in _arrays(model).items() if (array != before[name]).any()}
    assert {"kernel", "gamma"} <= changed and ("mean" in changed) != are_frozen


def test_keras_files_are_loaded_in_a_fresh_process(trained, tmp_path):
  model, _ = trained
  batch = next(iter(_dataset(z2i_tf.validation_dataset)))
  model.save(tmp_path / "model.keras")
  np.savez(tmp_path / "batch.npz", **{name: array.numpy() for name, array in batch.items()})
  script = (
    "import sys, numpy as np\nimport z2i_tf\n"
    "model = z2i_tf.keras.models.load_model('model.keras')\n"
    "assert type(model) is z2i_tf.ZoomInpainter and model.max_thickness_px == 31.0\n"
    "assert int(model.optimizer.iterations) == 4, model.optimizer\n"
    "batch = dict(np.load('batch.npz'))\n"
    "np.savez('result.npz', **model.predict(batch, verbose=0), momentum=model.optimizer.variables[1])\n"
    "assert model.get_compile_config()['loss_weights']['weight_l1_sr'] == 0.5\n"
  )
  done = subprocess.run(
    [sys.executable, "-c", script],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=False,
    env={**os.environ, "PYTHONPATH": _ROOT},
  )
  assert done.returncode == 0 and done.stderr == "", done.stderr
  found = np.load(tmp_path / "result.npz")
  np.testing.assert_array_equal(found["momentum"], model.optimizer.variables[1])
  np.testing.assert_allclose(found["result"], model.predict(batch, verbose=0)["result"], atol=1e-6)


def test_a_model_folder_is_written_and_loaded_again(trained, tmp_path):
  model, _ = trained
  path = model.save_model_folder(tmp_path / "models" / "mine")
  assert path == str(tmp_path / "models" / "mine" / "model.npz")
  loaded = z2i_tf.load_model(tmp_path / "models" / "mine")
  assert isinstance(loaded, z2i_tf.ZoomInpainter) and loaded.max_thickness_px == 31.0
  expected = _arrays(model)
  for name, array in _arrays(loaded).items():
    np.testing.assert_array_equal(array, expected[name])
  assert "max_thickness_px=31.0" in repr(z2i_tf.Inpainter.load(tmp_path / "models" / "mine"))
  (tmp_path / "file").touch()
  with pytest.raises(InputError, match="file.*cannot write the model"):
    model.save_model_folder(tmp_path / "file")


def test_unusable_arguments_are_refused():
  model = _model()
  for arguments, message in (
    ({"loss": "mse"}, "Received: loss"),
    ({"loss_weights": [1.0]}, "must be LossWeights"),
    ({"loss_weights": z2i_tf.LossWeights()}, "weight_adversarial of 0"),
    ({"l1_normalization": "hull"}, "Received: `l1_normalization`='hull'"),
  ):
    with pytest.raises(ValueError, match=message):
      model.compile(**arguments)
  model.compile(run_eagerly=True)
  with pytest.raises(ValueError, match="Batches are dicts"):
    model.train_on_batch(np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 16, 16, 3), np.float32))
  with pytest.raises(InputError, match="^`model`=fancy: no such folder, and not a bundled model"):
    z2i_tf.load_model("fancy")

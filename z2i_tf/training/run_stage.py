"""Runs a stage from its settings: checks the work folder, opens the data, builds the networks, trains."""

from collections.abc import Callable
from collections.abc import Mapping
import json
from typing import Any

import tensorflow as tf

from z2i_tf.datasets import pipelines
from z2i_tf.datasets import python_calls
from z2i_tf.datasets.sources import BadImages
from z2i_tf.system import quiet_tensorflow
from z2i_tf.training import checkpoints
from z2i_tf.training import devices
from z2i_tf.training import inputs
from z2i_tf.training import work_dir
from z2i_tf.training.reporters import LineReporter
from z2i_tf.training.reporters import Reporter
from z2i_tf.training.stage import check_initial_weights
from z2i_tf.training.stage import Stage
from z2i_tf.training.stage_config import check_frozen_batch_norm
from z2i_tf.training.stage_config import FREE_SETTINGS
from z2i_tf.training.stage_config import StageConfig
from z2i_tf.training.trainer import MAX_PICTURES
from z2i_tf.training.trainer import RunResult
from z2i_tf.training.trainer import StageData
from z2i_tf.training.trainer import Trainer

# Settings that change measurements; `data_dir` only without a `validation_dir`.
_MEASURING = (
  "source",
  "data_dir",
  "validation_dir",
  "validation_split",
  "crop_size",
  "scale",
  "mask_kind",
  "mask_reference_size",
  "train_mask_dir",
  "seed",
)


def run_stage(
  config: StageConfig, build: Callable[[Any, tf.distribute.Strategy], Stage], reporter: Reporter | None
) -> RunResult:
  """Trains to the end of the stage, from the last checkpoint in `work_dir` if there is one.

  Args:
    config: settings of the stage.
    build: builds the stage from its settings and the devices.
    reporter: shows progress; None prints one line per logging window.
  Returns: the folders with the trained weights.
  Raises: InputError for unusable settings, images, work folder, checkpoints or weights; Stopped after a signal.
  """
  reporter = reporter or LineReporter()
  quiet_tensorflow.hide_warnings()  # Every stage of a recipe has its own step; TensorFlow would warn of retracing.
  check_frozen_batch_norm(config)
  work_dir.check_work_dir(config.work_dir)
  devices.choose_determinism(config.deterministic, config.jit_compile)
  strategy = devices.make_strategy()
  devices.check_batch_size(config.batch_size, strategy, config.jit_compile)
  opened = inputs.open_inputs(config, reporter.say)
  with devices.needing_other_workers(), work_dir.alone_in(config.work_dir, strategy), python_calls.reading_errors():
    for change in check_former_run(config, opened.fingerprints):
      reporter.say(f"changed: {change}")
    if not checkpoints.has_checkpoint(config.work_dir):
      check_initial_weights(config.networks, config.initial_weights)
    bad_images = BadImages(fail=config.on_bad_image == "fail", say=reporter.say)
    stage = build(config, strategy)
    reporter.say(
      f"{len(opened.source)} images, {config.iterations} steps of {config.batch_size} examples: "
      f"{opened.epochs:.1f} epochs; {devices.describe(strategy)}"
    )
    settings = {**config.settings(without=FREE_SETTINGS), **opened.fingerprints}
    data = StageData(
      training=lambda first, worker, workers: pipelines.training_dataset(
        opened.source, opened.examples, config.batch_size, first, bad_images, worker=worker, workers=workers
      ),
      validation=pipelines.validation_dataset(
        opened.held_out or opened.source, opened.examples, MAX_PICTURES, bad_images
      ),
      is_held_out=opened.held_out is not None,
      measured_on=_measured_on(settings, config.implied_settings()),
      scalars=lambda: {"data/skipped_images": bad_images.count},
    )
    result = Trainer(stage, config.work_dir, settings, config.settings(), data, reporter).run()
    if bad_images.count:
      reporter.say(f"{bad_images.count} unusable images were skipped")
  return result


def check_former_run(config: StageConfig, fingerprints: Mapping[str, Any] | None = None) -> list[str]:
  """Checks whether the run in `work_dir` can continue with these settings.

  Args:
    config: settings of the stage.
    fingerprints: of its data; None leaves the data unchecked.
  Returns: the differences, one line each, if `allow_config_change` permits them.
  Raises: InputError if it cannot continue.
  """
  if not checkpoints.has_checkpoint(config.work_dir):
    return []
  return work_dir.compare_settings(
    config.work_dir,
    checkpoints.read_state(config.work_dir)["settings"],
    {**config.settings(without=FREE_SETTINGS), **(fingerprints or {})},
    config.default_settings(),
    config.implied_settings(),
    config.allow_config_change,
  )


def _measured_on(settings, implied) -> str:
  """Returns the settings that change measurements as JSON; null where None would mean the same value."""
  measuring = {name: settings[name] for name in _MEASURING if name in settings}
  if measuring["validation_dir"]:
    del measuring["data_dir"]
  return json.dumps({name: None if value == implied.get(name) else value for name, value in measuring.items()})

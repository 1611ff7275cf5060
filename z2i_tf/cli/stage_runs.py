"""What the commands that train have in common: their flags, and a run from the flags to the last step."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
import contextlib
import json
import os
import shlex
from typing import Any, NamedTuple, Optional, TYPE_CHECKING

from absl import flags

from z2i_tf.cli.flags import data_flags
from z2i_tf.cli.flags import flag_groups
from z2i_tf.cli.flags import training_flags
from z2i_tf.cli.progress import training_reporter
from z2i_tf.errors import InputError

if TYPE_CHECKING:
  from z2i_tf.datasets.examples import ExampleConfig
  from z2i_tf.datasets.sources import ImageSource
  from z2i_tf.training.loop import LoopConfig

# Settings that may change when a run is continued.
_FREE = (
  "work_dir",
  "iterations",
  "save_every",
  "keep_every",
  "log_every",
  "evaluate_every",
  "max_skipped_steps",
  "allow_config_change",
)
# Settings on which the checkpoint's variables depend -> how.
_SHAPING = {
  **dict.fromkeys(("width", "sr_width", "discriminator_width", "zoom", "scale"), lambda value: value),
  "precision": lambda value: value == "mixed_float16",
  "weight_adversarial": bool,
  "ema_decay": bool,
}
# Settings on which measurements depend.
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


class Inputs(NamedTuple):
  """What a stage is run on: its loop, examples, images, those to measure on, and the settings to be recorded."""

  loop: "LoopConfig"
  examples: "ExampleConfig"
  source: "ImageSource"
  held_out: Optional["ImageSource"]
  settings: dict[str, Any]

  @property
  def epochs(self) -> float:
    """How often the steps go through the images."""
    return self.loop.iterations * self.loop.batch_size / (len(self.source) * self.examples.crops_per_image)


def define_flags(values: flags.FlagValues) -> None:
  """Work folder, data, schedule and devices."""
  flags.DEFINE_string(
    "work_dir",
    None,
    "Folder of the run, created if missing: settings, checkpoints, "
    "TensorBoard events, log.csv, model.npz (best measured weights: best/model.npz).",
    flag_values=values,
  )
  data_flags.define_example_flags(values)
  training_flags.define_schedule_flags(values)
  training_flags.define_batch_norm_flag(values)
  training_flags.define_l1_normalization_flag(values)
  define_common_flags(values)


def define_common_flags(values: flags.FlagValues) -> None:
  """Those that every stage has and that can be the same for all stages of a recipe: `z2i recipe` has them too."""
  data_flags.define_source_flags(values)
  data_flags.define_bad_image_flag(values)
  data_flags.define_validation_flags(values)
  data_flags.define_choice_flags(values)
  training_flags.define_perceptual_flags(values)
  training_flags.define_record_flags(values)
  training_flags.define_device_flags(values)
  flags.DEFINE_bool(
    "allow_config_change",
    False,
    "Continue a run although flags that decide about its result were others before; the differences are printed.",
    flag_values=values,
  )


def check_flags(values: flags.FlagValues) -> None:
  """Raises InputError if a flag is missing or does not go with another one; imports nothing heavy."""
  flag_groups.require(values, "work_dir")
  training_flags.check_device_flags(values)
  data_flags.check_source_flags(values)


def open_inputs(values: flags.FlagValues, scale: int, with_masks: bool = True) -> Inputs:
  """Returns what the flags of a stage describe; opens the data sets and looks for a usable image.

  Args:
    values: of all flags of the command.
    scale: zoom factor of the examples.
    with_masks: whether the examples have holes.
  Raises: InputError for unusable flags or images.
  """
  from z2i_tf.datasets import sources
  from z2i_tf.training.loop import LoopConfig

  with flag_groups.usage_errors():
    loop = LoopConfig(
      iterations=values.iterations,
      batch_size=values.batch_size,
      save_every=values.save_every,
      log_every=values.log_every,
      evaluate_every=values.evaluate_every,
      keep_every=values.keep_every,
      max_skipped=values.max_skipped_steps,
    )
  examples = data_flags.example_config(values, scale, with_masks)
  source = data_flags.open_source(values, scale)
  held_out = data_flags.open_validation_source(values, scale)
  sources.check_source(source, examples.smallest_cut)
  if held_out is not None:
    sources.check_source(held_out, examples.crop_size_hr)
  return Inputs(loop, examples, source, held_out, {**recorded_settings(values), **data_flags.content(source, examples)})


def recorded_settings(values: flags.FlagValues, free: Collection[str] = _FREE) -> dict[str, Any]:
  """Returns all flags but those in `free`, which may change while a stage is continued, and the kind of stage."""
  from z2i_tf.training import work_dir

  kind = f"z2i pretrain --network={values.network}" if "network" in values else "z2i train"
  return {work_dir.COMMAND: kind, **training_flags.recorded_settings(values, free)}


def check_former_run(values: flags.FlagValues, settings: Mapping[str, Any]) -> None:
  """Raises InputError if --work_dir holds a run with other settings, unless that is allowed: then prints them."""
  from z2i_tf.training import checkpoints
  from z2i_tf.training import work_dir

  if not checkpoints.has_checkpoint(values.work_dir):
    return
  # A flag that the run did not know yet did what its default does.
  former = {
    **{name: values[name].default for name in settings if name in values and name not in _FREE},
    **{
      training_flags.ALIASES.get(name, name): value
      for name, value in checkpoints.read_record(values.work_dir)["settings"].items()
    },
  }
  changes = work_dir.changed_settings(values.work_dir, former, settings)
  for name, shape in _SHAPING.items():
    if shape(former.get(name)) != shape(settings.get(name)):
      raise InputError(
        f"{values.work_dir} holds a run with other variables: --{name} was {former.get(name)!r}, is "
        f"{settings.get(name)!r}; give another --work_dir, perhaps with --init_*={values.work_dir}"
      )
  if changes and not values.allow_config_change:
    raise InputError(
      f"{values.work_dir} holds a run with other settings: {'; '.join(changes)}; give another "
      "--work_dir, or the former settings, or --allow_config_change"
    )
  for change in changes:
    print(f"changed: {change}")


def run(values: flags.FlagValues, config: Any, build: Callable[..., Any]) -> None:
  """Trains to the end of the stage, beginning at the last checkpoint of the work folder.

  Args:
    values: of all flags of the command.
    config: the record of the stage.
    build: (config, LoopConfig, strategy) -> training.stage.Stage.
  Raises: InputError for unusable flags, images, work folder, checkpoints or weights; Stopped after a signal.
  """
  import tensorflow as tf

  from z2i_tf.training import devices
  from z2i_tf.training import work_dir

  tf.get_logger().setLevel("ERROR")  # Every stage of a recipe has its own step; TensorFlow would warn of retracing.
  work_dir.check_work_dir(values.work_dir)
  devices.choose_determinism(values.deterministic, values.jit_compile)
  strategy = devices.make_strategy()
  inputs = open_inputs(values, config.scale, config.with_masks)
  with devices.needing_other_workers(), work_dir.alone_in(values.work_dir, strategy):
    _train(values, config, build, inputs, strategy)


def _train(values, config, build, inputs, strategy):
  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets import python_calls
  from z2i_tf.training import checkpoints
  from z2i_tf.training import devices
  from z2i_tf.training.metric_writers import LineReporter
  from z2i_tf.training.stage import check_initial_weights
  from z2i_tf.training.trainer import MAX_PICTURES
  from z2i_tf.training.trainer import StageData
  from z2i_tf.training.trainer import StageRun

  loop, examples, source, held_out, settings = inputs
  check_former_run(values, settings)
  if not checkpoints.has_checkpoint(values.work_dir):
    check_initial_weights(config.networks, config.initial_weights)
  bad_images = data_flags.bad_images(values)
  validation = pipelines.validation_dataset(held_out or source, examples, MAX_PICTURES, bad_images)
  stage = build(config, loop, strategy)
  print(
    f"{len(source)} images, {loop.iterations} steps of {loop.batch_size} examples: {inputs.epochs:.1f} epochs; "
    f"{_devices_text(strategy)}"
  )
  data = StageData(
    training=lambda first, worker, workers: pipelines.training_dataset(
      source, examples, loop.batch_size, first, bad_images, worker=worker, workers=workers
    ),
    validation=validation,
    is_held_out=held_out is not None,
    measured_on=json.dumps({name: settings[name] for name in _MEASURING if name in settings}),
    scalars=lambda: {"data/skipped_images": bad_images.count},
  )
  reporting = contextlib.nullcontext(LineReporter())
  if devices.is_chief(strategy):
    reporting = training_reporter(loop.iterations)
  with python_calls.reading_errors(), reporting as reporter:
    StageRun(stage, values.work_dir, settings, recorded_settings(values, free=()), data).run(reporter)
  if bad_images.count:
    print(f"{bad_images.count} unusable images were skipped")
  if devices.is_chief(strategy):
    print(_what_to_do_with_it(values, config))


def _what_to_do_with_it(values, config) -> str:
  """Returns where the model is, and the command that uses it."""
  from z2i_tf.training import work_dir

  folder, best = values.work_dir, os.path.join(values.work_dir, work_dir.BEST_FOLDER)
  where = folder
  if os.path.isdir(best):
    folder, where = best, f"{folder} (last step), {best} (best on the validation images)"
  folder = shlex.quote(folder)
  if "network" not in values:
    return f"model: {where}\nfill holes with it:\n  z2i inpaint photo.png mask.png -o filled.png --model={folder}"
  shape = f"--sr_width={config.width} --scale={config.scale}" if values.network == "sr" else f"--width={config.width}"
  return (
    f"{values.network} network: {where}\nit cannot fill holes alone; z2i train makes a model of it and the "
    f"others:\n  z2i train {shape} --init_{values.network}={folder}"
  )


def _devices_text(strategy) -> str:
  from z2i_tf.training import devices

  count, workers = strategy.num_replicas_in_sync, devices.worker_count(strategy)
  kind = "GPU" if "GPU" in strategy.extended.worker_devices[0] else "CPU"
  text = f"{count} replica{'s' if count > 1 else ''} ({kind})"
  return text if workers == 1 else f"{text} on {workers} workers"

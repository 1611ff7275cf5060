"""What the commands that train have in common: their flags, and a run from the flags to the last step."""

from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

from absl import flags

from z2i_tf.cli import data_flags
from z2i_tf.cli import flag_groups
from z2i_tf.cli.progress import training_reporter
from z2i_tf.errors import InputError

# Settings that may change when a run is continued.
_FREE = ("work_dir", "iterations", "save_every", "keep_every", "log_every", "evaluate_every", "max_skipped_steps",
         "allow_config_change")


class Inputs(NamedTuple):
  """What a stage is run on: its loop, examples, images, those to measure on, and the settings to be recorded."""
  loop: "LoopConfig"
  examples: "ExampleConfig"
  source: "ImageSource"
  held_out: Optional["ImageSource"]
  settings: Dict[str, Any]


def define_flags(values: flags.FlagValues) -> None:
  """Work folder, data, schedule and devices."""
  flags.DEFINE_string("work_dir", None, "Folder of the run, created if missing: settings, checkpoints, "
                      "TensorBoard events, log.csv, model.npz (best measured weights: best/model.npz).",
                      flag_values=values)
  data_flags.define_example_flags(values)
  flag_groups.define_schedule_flags(values)
  define_common_flags(values)


def define_common_flags(values: flags.FlagValues) -> None:
  """Those that every stage has and that can be the same for all stages of a recipe: `z2i recipe` has them too."""
  data_flags.define_source_flags(values)
  data_flags.define_bad_image_flag(values)
  data_flags.define_validation_flags(values)
  data_flags.define_choice_flags(values)
  flag_groups.define_vgg_weights_flag(values)
  flag_groups.define_record_flags(values)
  flag_groups.define_device_flags(values)
  flags.DEFINE_bool("allow_config_change", False, "Continue a run although flags that decide about its result were "
                    "others before; the differences are printed.", flag_values=values)


def check_flags(values: flags.FlagValues) -> None:
  """Raises InputError if a flag is missing or does not go with another one; imports nothing heavy."""
  flag_groups.require(values, "work_dir")
  data_flags.check_source_flags(values)


def open_inputs(values: flags.FlagValues, command: str, scale: int, with_masks: bool = True) -> Inputs:
  """Returns what the flags of a stage describe; opens the data sets and looks for a usable image.

  Args:
    values: of all flags of the command.
    command: its name.
    scale: zoom factor of the examples.
    with_masks: whether the examples have holes.
  Raises: InputError for unusable flags or images.
  """
  from z2i_tf.datasets import sources
  from z2i_tf.training.loop import LoopConfig

  with flag_groups.usage_errors():
    loop = LoopConfig(iterations=values.iterations, batch_size=values.batch_size, save_every=values.save_every,
                      log_every=values.log_every, evaluate_every=values.evaluate_every, keep_every=values.keep_every,
                      max_skipped=values.max_skipped_steps)
  examples = data_flags.example_config(values, scale, with_masks)
  source = data_flags.open_source(values, scale)
  held_out = data_flags.open_validation_source(values, scale)
  for images in (source, held_out):
    if images is not None:
      sources.check_source(images, examples.crop_size_hr)
  return Inputs(loop, examples, source, held_out,
                {**recorded_settings(values, command), **data_flags.content(source, examples)})


def recorded_settings(values: flags.FlagValues, command: str) -> Dict[str, Any]:
  """Returns the flags that must not change while a stage is continued, and the command's name."""
  from z2i_tf.training import work_dir
  return {work_dir.COMMAND: command, **flag_groups.recorded_settings(values, _FREE)}


def check_former_run(values: flags.FlagValues, settings: Mapping[str, Any]) -> None:
  """Raises InputError if --work_dir holds a run with other settings, unless that is allowed: then prints them."""
  from z2i_tf.training import run_checkpoints
  from z2i_tf.training import work_dir
  if not run_checkpoints.has_checkpoint(values.work_dir):
    return
  former = run_checkpoints.read_record(values.work_dir)["settings"]
  changes = work_dir.changed_settings(values.work_dir, former, settings)
  if changes and not values.allow_config_change:
    raise InputError(f"{values.work_dir} holds a run with other settings: {'; '.join(changes)}; give another --work_dir, "
                     "or the former settings, or --allow_config_change")
  for change in changes:
    print(f"changed: {change}")


def run(values: flags.FlagValues, command: str, scale: int, build: Callable[..., Any], with_masks: bool = True) -> None:
  """Trains to the end of the stage, beginning at the last checkpoint of the work folder.

  Args:
    values: of all flags of the command.
    command: its name.
    scale: zoom factor of the examples.
    build: (LoopConfig, strategy) -> training.stage.Stage.
    with_masks: whether the examples have holes.
  Raises: InputError for unusable flags, images, work folder, checkpoints or weights; Stopped after a signal.
  """
  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets import python_calls
  from z2i_tf.training import devices
  from z2i_tf.training import work_dir
  from z2i_tf.training.stage_run import MAX_PICTURES
  from z2i_tf.training.stage_run import StageData
  from z2i_tf.training.stage_run import StageRun

  work_dir.check_work_dir(values.work_dir)
  devices.choose_determinism(values.deterministic, values.jit_compile)
  strategy = devices.make_strategy()
  loop, examples, source, held_out, settings = open_inputs(values, command, scale, with_masks)
  check_former_run(values, settings)
  bad_images = data_flags.bad_images(values)
  validation = pipelines.validation_dataset(held_out or source, examples, MAX_PICTURES, bad_images)
  stage = build(loop, strategy)
  epoch = len(source) * examples.crops_per_image
  print(f"{len(source)} images, {loop.iterations} steps of {loop.batch_size} examples: "
        f"{loop.iterations * loop.batch_size / epoch:.1f} epochs; {_devices_text(strategy)}")
  data = StageData(
      training=lambda first, worker, workers: pipelines.training_dataset(
          source, examples, loop.batch_size, first, bad_images, worker=worker, workers=workers),
      validation=validation, is_held_out=held_out is not None,
      scalars=lambda: {"data/skipped_images": bad_images.count})
  with python_calls.reading_errors(), training_reporter(loop.iterations) as reporter:
    StageRun(stage, values.work_dir, settings, data).run(reporter)
  if bad_images.count:
    print(f"{bad_images.count} unusable images were skipped")


def _devices_text(strategy) -> str:
  from z2i_tf.training import devices
  count, workers = strategy.num_replicas_in_sync, devices.worker_count(strategy)
  text = f"{count} replica{'s' if count > 1 else ''}"
  return text if workers == 1 else f"{text} on {workers} workers"

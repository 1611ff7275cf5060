"""What the commands that train have in common: their flags, and a run from the flags to the last step."""

from typing import Any, Callable, Dict, NamedTuple, Optional

from absl import flags

from z2i_tf.cli import data_flags
from z2i_tf.cli import flag_groups

# Settings that may change when a run is continued.
_FREE = ("work_dir", "validation_dir", "validation_split", "on_bad_image", "iterations", "save_every", "log_every",
         "evaluate_every")


class Inputs(NamedTuple):
  """What a stage is run on: its loop, examples, images, those to measure on, and the settings to be recorded."""
  loop: "LoopConfig"
  examples: "ExampleConfig"
  source: "ImageSource"
  held_out: Optional["ImageSource"]
  settings: Dict[str, Any]


def define_flags(values: flags.FlagValues) -> None:
  """Work folder, data and schedule."""
  flags.DEFINE_string("work_dir", None, "Folder of the run, created if missing: settings, checkpoints, "
                      "TensorBoard events, model.npz.", flag_values=values)
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


def check_flags(values: flags.FlagValues) -> None:
  """Raises InputError if a flag is missing or does not go with another one; imports nothing heavy."""
  flag_groups.require(values, "work_dir")
  data_flags.check_source_flags(values)


def open_inputs(values: flags.FlagValues, scale: int, with_masks: bool = True) -> Inputs:
  """Returns what the flags of a stage describe; opens the data sets and looks for a usable image.

  Args:
    values: of all flags of the command.
    scale: zoom factor of the examples.
    with_masks: whether the examples have holes.
  Raises: InputError for unusable flags or images.
  """
  settings = recorded_settings(values)
  from z2i_tf.datasets import sources
  from z2i_tf.training.loop import LoopConfig

  with flag_groups.usage_errors():
    loop = LoopConfig(iterations=values.iterations, batch_size=values.batch_size,
                      save_every=values.save_every, log_every=values.log_every,
                      evaluate_every=values.evaluate_every)
  examples = data_flags.example_config(values, scale, with_masks)
  source = data_flags.open_source(values, scale)
  held_out = data_flags.open_validation_source(values, scale)
  for images in (source, held_out):
    if images is not None:
      sources.check_source(images, examples.crop_size_hr)
  settings.update(data_flags.content(source, examples))
  return Inputs(loop, examples, source, held_out, settings)


def recorded_settings(values: flags.FlagValues) -> Dict[str, Any]:
  """Returns the flags that must not change while a stage is continued."""
  return flag_groups.recorded_settings(values, _FREE)


def check_folder(values: flags.FlagValues, settings: Dict[str, Any]) -> None:
  """Raises InputError unless a run with these settings may use, or continue in, --work_dir; writes nothing."""
  from z2i_tf.training import work_dir
  work_dir.check_work_dir(values.work_dir, settings)


def run(values: flags.FlagValues, scale: int, build: Callable[..., Any], with_masks: bool = True) -> None:
  """Trains to the end of the stage, beginning at the last checkpoint of the work folder.

  Args:
    values: of all flags of the command.
    scale: zoom factor of the examples.
    build: (LoopConfig, strategy) -> training.stage.Stage.
    with_masks: whether the examples have holes.
  Raises: InputError for unusable flags, images, work folder, checkpoints or weights.
  """
  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets import python_calls
  from z2i_tf.training import devices
  from z2i_tf.training.stage import MAX_PICTURES

  loop, examples, source, held_out, settings = open_inputs(values, scale, with_masks)
  check_folder(values, settings)
  bad_images = data_flags.bad_images(values)
  validation = pipelines.validation_dataset(held_out or source, examples, MAX_PICTURES, bad_images)
  stage = build(loop, devices.make_strategy())
  epoch = len(source) * examples.crops_per_image
  print(f"{len(source)} images, {loop.iterations} steps of {loop.batch_size} examples: "
        f"{loop.iterations * loop.batch_size / epoch:.1f} epochs")
  with python_calls.reading_errors():
    stage.run(
        values.work_dir, settings,
        lambda start_step: pipelines.training_dataset(source, examples, loop.batch_size, start_step, bad_images),
        validation, is_training_data=held_out is None,
        more_scalars=lambda: {"data/skipped_images": bad_images.count})
  if bad_images.count:
    print(f"{bad_images.count} unusable images were skipped")

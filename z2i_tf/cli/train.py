"""Trains the coarse, the SR and the refinement network and the discriminator jointly.

Running the same command again continues from the last checkpoint in --work_dir. TensorBoard reads
--work_dir/events; --work_dir itself serves as --model of `z2i inpaint`.
"""

from absl import flags

from z2i_tf.cli import data_flags
from z2i_tf.cli import flag_groups

# Settings that may change when a run is continued.
_FREE = ("work_dir", "validation_dir", "validation_split", "on_bad_image", "iterations", "save_every", "log_every",
         "evaluate_every")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("work_dir", None, "Folder of the run, created if missing: settings, checkpoints, "
                      "TensorBoard events, model.npz.", flag_values=values)
  flag_groups.define_model_flags(values)
  data_flags.define_source_flags(values)
  data_flags.define_example_flags(values)
  data_flags.define_bad_image_flag(values)
  data_flags.define_validation_flags(values)
  flag_groups.define_initial_weights_flags(values)
  flag_groups.define_loss_flags(values)
  flag_groups.define_schedule_flags(values)


def run(values: flags.FlagValues) -> None:
  flag_groups.require(values, "work_dir")
  data_flags.check_source_flags(values)
  settings = flag_groups.recorded_settings(values, _FREE)
  weights = flag_groups.loss_weights(values)
  optimizer = flag_groups.optimizer_config(values)
  initial_weights = flag_groups.initial_weights(values)

  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets import python_calls
  from z2i_tf.datasets import sources
  from z2i_tf.training import devices
  from z2i_tf.training import joint_stage
  from z2i_tf.training import work_dir
  from z2i_tf.training.loop import LoopConfig

  model = flag_groups.model_config(values)
  width = values.width if values.discriminator_width is None else values.discriminator_width
  with flag_groups.usage_errors():
    loop = LoopConfig(iterations=values.iterations, batch_size=values.batch_size,
                      save_every=values.save_every, log_every=values.log_every,
                      evaluate_every=values.evaluate_every)
    config = joint_stage.JointStageConfig(
        model=model, discriminator_width=width, loss_weights=weights, optimizer=optimizer,
        vgg_weights=values.vgg_weights, seed=values.seed, initial_weights=initial_weights)
  examples = data_flags.example_config(values, model.scale)
  source = data_flags.open_source(values, model.scale)
  held_out = data_flags.open_validation_source(values, model.scale)
  settings.update(data_flags.content(source, examples))
  work_dir.check_work_dir(values.work_dir, settings)
  for images in (source, held_out):
    if images is not None:
      sources.check_source(images, examples.crop_size_hr)
  bad_images = data_flags.bad_images(values)
  validation = pipelines.validation_dataset(held_out or source, examples, joint_stage.MAX_PICTURES, bad_images)
  stage = joint_stage.JointStage(config, loop, devices.make_strategy())
  print(f"{len(source)} images, {loop.iterations} steps of {loop.batch_size} examples")
  with python_calls.reading_errors():
    stage.run(
        values.work_dir, settings,
        lambda start_step: pipelines.training_dataset(source, examples, loop.batch_size, start_step, bad_images),
        validation, is_training_data=held_out is None,
        more_scalars=lambda: {"data/skipped_images": bad_images.count})
  if bad_images.count:
    print(f"{bad_images.count} unusable images were skipped")

"""Trains the coarse, the SR and the refinement network and the discriminator jointly.

Running the same command again continues from the last checkpoint in --work_dir. TensorBoard reads
--work_dir/events; --work_dir itself serves as --model of `z2i inpaint`.
"""

from absl import flags

from z2i_tf.cli import flag_groups

# Settings that may change when a run is continued.
_FREE = ("work_dir", "validation_dir", "iterations", "save_every", "log_every", "evaluate_every")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("work_dir", None, "Folder of the run, created if missing: settings, checkpoints, "
                      "TensorBoard events, model.npz.", flag_values=values)
  flag_groups.define_model_flags(values)
  flag_groups.define_data_flags(values)
  flag_groups.define_initial_weights_flags(values)
  flag_groups.define_loss_flags(values)
  flag_groups.define_schedule_flags(values)


def run(values: flags.FlagValues) -> None:
  flag_groups.require(values, "data_dir", "work_dir")
  settings = flag_groups.recorded_settings(values, _FREE)
  weights = flag_groups.loss_weights(values)
  optimizer = flag_groups.optimizer_config(values)
  initial_weights = flag_groups.initial_weights(values)
  masks = flag_groups.mask_mixture(values.mask_kind, "mask_kind", values.mask_reference_size)

  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets.sources import SOURCES
  from z2i_tf.training import devices
  from z2i_tf.training import joint_stage
  from z2i_tf.training import work_dir
  from z2i_tf.training.loop import LoopConfig

  work_dir.check_work_dir(values.work_dir, settings)
  model = flag_groups.model_config(values)
  width = values.width if values.discriminator_width is None else values.discriminator_width
  with flag_groups.usage_errors():
    loop = LoopConfig(iterations=values.iterations, batch_size=values.batch_size,
                      save_every=values.save_every, log_every=values.log_every,
                      evaluate_every=values.evaluate_every)
    examples = pipelines.ExampleConfig(
        crop_size=values.crop_size, scale=model.scale, masks=masks, seed=values.seed)
    config = joint_stage.JointStageConfig(
        model=model, discriminator_width=width, loss_weights=weights, optimizer=optimizer,
        vgg_weights=values.vgg_weights, seed=values.seed, initial_weights=initial_weights)
  open_source = SOURCES[values.source]
  source = open_source(values.data_dir, examples.crop_size_hr)
  held_out = values.validation_dir and open_source(values.validation_dir, examples.crop_size_hr)
  validation = pipelines.validation_dataset(held_out or source, examples, joint_stage.MAX_PICTURES)
  stage = joint_stage.JointStage(config, loop, devices.make_strategy())
  print(f"{len(source)} images, {loop.iterations} steps of {loop.batch_size} examples")
  with pipelines.reading_errors():
    stage.run(
        values.work_dir, settings,
        lambda start_step: pipelines.training_dataset(source, examples, loop.batch_size, start_step),
        validation, is_training_data=not held_out)

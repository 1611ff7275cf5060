"""Opens the data of a stage: images, masks, and images to measure on."""

from collections.abc import Callable
import dataclasses

from z2i_tf.datasets import open_source
from z2i_tf.datasets import sources
from z2i_tf.datasets.examples import ExampleConfig
from z2i_tf.datasets.examples import make_config
from z2i_tf.datasets.training_masks import TrainingMasks
from z2i_tf.training.stage_config import StageConfig


@dataclasses.dataclass(frozen=True)
class Inputs:
  """Data of a stage.

  Attributes:
    examples: how examples are made.
    source: training images.
    held_out: images to measure on, None without them.
    fingerprints: recorded settings that identify the images and the user's own masks.
    epochs: number of times that the steps of the stage visit each image.
  """

  examples: ExampleConfig
  source: sources.ImageSource
  held_out: sources.ImageSource | None
  fingerprints: dict[str, str | None]
  epochs: float


def open_inputs(config: StageConfig, say: Callable[[str], None] = sources.to_stderr) -> Inputs:
  """Opens the data sets and looks for a usable image in each.

  Args:
    config: settings of the stage.
    say: receives warnings about the images.
  Raises: InputError if images or masks are missing or unusable, or a setting does not suit the source.
  """
  open_source.check_settings(
    config.source, config.data_dir, config.split, config.validation_dir, config.validation_split
  )
  examples = example_config(config)
  source = open_source.open_source(config.source, config.data_dir, config.split, config.zoom_factor)
  held_out = None
  if config.validation_dir or config.validation_split:
    held_out = open_source.open_source(
      config.source, config.validation_dir or config.data_dir, config.validation_split, config.zoom_factor
    )
  sources.check_source(source, examples.smallest_cut, say)
  if held_out is not None:
    sources.check_source(held_out, examples.crop_size_hr, say)
  masks = examples.masks.own_masks.masks if examples.masks and examples.masks.own_masks else None
  return Inputs(
    examples,
    source,
    held_out,
    {
      "data_dir content": source.fingerprint(),
      "train_mask_dir content": masks.fingerprint() if isinstance(masks, TrainingMasks) else None,
    },
    config.iterations * config.batch_size / (len(source) * config.crops_per_image),
  )


def example_config(config: StageConfig) -> ExampleConfig:
  """Returns how the stage's examples are made; see `examples.make_config`."""
  return make_config(
    crop_size=config.crop_size,
    scale=config.zoom_factor,
    mask_kind=config.mask_kind if config.with_masks else None,
    train_mask_dir=config.train_mask_dir,
    mask_reference_size=config.mask_reference_size,
    seed=config.seed,
    crops_per_image=config.crops_per_image,
    flips=config.flips,
    crop_scales=config.crop_scales,
  )

"""Opens the data of a stage: images, masks, and images to measure on."""

import dataclasses

from z2i_tf.datasets import open_source
from z2i_tf.datasets import sources
from z2i_tf.datasets.examples import ExampleConfig
from z2i_tf.datasets.training_masks import TrainingMasks
from z2i_tf.errors import InputError
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.masks.specs import OwnMasks
from z2i_tf.training.stage import StageConfig


@dataclasses.dataclass(frozen=True)
class Inputs:
  """Data of a stage.

  Attributes:
    examples: how examples are made.
    source: training images.
    held_out: images to measure on, None without them.
    fingerprints: recorded settings that identify the images and the masks of one's own.
    epochs: number of times that the steps of the stage visit each image.
  """

  examples: ExampleConfig
  source: sources.ImageSource
  held_out: sources.ImageSource | None
  fingerprints: dict[str, str | None]
  epochs: float


def open_inputs(config: StageConfig) -> Inputs:
  """Opens the data sets and looks for a usable image in each.

  Raises: InputError if images or masks are missing or unusable, or a setting does not suit the source.
  """
  _check_source_settings(config)
  examples = example_config(config)
  source = open_source.open_source(config.source, config.data_dir, config.split, config.zoom_factor)
  held_out = None
  if config.validation_dir or config.validation_split:
    held_out = open_source.open_source(
      config.source, config.validation_dir or config.data_dir, config.validation_split, config.zoom_factor
    )
  sources.check_source(source, examples.smallest_cut)
  if held_out is not None:
    sources.check_source(held_out, examples.crop_size_hr)
  own_masks = examples.masks.own_masks if examples.masks else None
  return Inputs(
    examples,
    source,
    held_out,
    {"data_dir content": source.fingerprint(), "train_mask_dir content": own_masks and own_masks.masks.fingerprint()},
    config.iterations * config.batch_size / (len(source) * config.crops_per_image),
  )


def example_config(config: StageConfig) -> ExampleConfig:
  """Returns how the stage's examples are made; reads the masks of `train_mask_dir`.

  Raises: InputError for masks that are missing or unusable, and for settings that exclude each other.
  """
  try:
    return ExampleConfig(
      crop_size=config.crop_size,
      scale=config.zoom_factor,
      masks=_masks(config) if config.with_masks else None,
      seed=config.seed,
      crops_per_image=config.crops_per_image,
      flips=config.flips,
      crop_scales=config.crop_scales,
    )
  except InputError:
    raise
  except ValueError as error:
    raise InputError(str(error)) from error


def _masks(config):
  own_masks = None
  if config.train_mask_dir:
    own_masks = OwnMasks(TrainingMasks(config.train_mask_dir, config.mask_reference_size or config.crop_size))
  try:
    return MaskMixture.parse(config.mask_kind, config.mask_reference_size, own_masks)
  except InputError:
    raise
  except ValueError as error:
    raise InputError(f"`mask_kind`={config.mask_kind}: {error}") from error


def _check_source_settings(config):
  if config.source not in open_source.KINDS:
    raise InputError(f"`source`={config.source}: expected one of {', '.join(open_source.KINDS)}")
  if config.source not in open_source.TENSORFLOW_DATASETS:
    if not config.data_dir:
      raise InputError(f"`data_dir` is missing: `source`={config.source} needs it")
    for name in ("split", "validation_split"):
      if getattr(config, name):
        raise InputError(
          f"`{name}`={getattr(config, name)}: only TensorFlow Datasets have splits, not `source`={config.source}"
        )
  elif config.validation_dir:
    raise InputError(
      f"`validation_dir`={config.validation_dir}: `source`={config.source} has splits; use `validation_split`"
    )

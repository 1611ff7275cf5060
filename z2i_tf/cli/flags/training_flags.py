"""Flags of the training commands, and the settings read from them."""

from collections.abc import Sequence
import dataclasses
from typing import Any, TYPE_CHECKING

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli.flags import data_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.losses.terms import IMAGENET
from z2i_tf.losses.terms import LOSS_TERMS
from z2i_tf.losses.terms import NO_WEIGHTS

if TYPE_CHECKING:
  from z2i_tf.training.joint import JointConfig
  from z2i_tf.training.pretrain import PretrainConfig

# Networks that can start from given weights: name of the flag -> name in its help.
_INITIAL_WEIGHTS = {
  conventions.ALL_NETWORKS: "every network",
  conventions.COARSE_NET: "the coarse network",
  conventions.SR_NET: "the super-resolution network",
  conventions.REFINE_NET: "the refinement network",
  conventions.DISCRIMINATOR: "the discriminator",
}


def define_stage_flags(values: flags.FlagValues) -> None:
  """Defines the flags of `training.stage.StageConfig`, except those of the initial weights."""
  flags.DEFINE_string(
    "work_dir",
    None,
    "Folder of the run, created if missing: settings, checkpoints, "
    "TensorBoard events, log.csv, model.npz (best measured weights: best/model.npz).",
    flag_values=values,
  )
  data_flags.define_example_flags(values)
  define_schedule_flags(values)
  define_batch_norm_flag(values)
  define_l1_normalization_flag(values)
  define_shared_flags(values)


def define_shared_flags(values: flags.FlagValues) -> None:
  """Defines the flags that all stages of a recipe can share; `z2i recipe` has them too."""
  data_flags.define_source_flags(values)
  data_flags.define_bad_image_flag(values)
  data_flags.define_validation_flags(values)
  data_flags.define_choice_flags(values)
  define_perceptual_flags(values)
  define_record_flags(values)
  define_device_flags(values)
  flags.DEFINE_bool(
    "allow_config_change",
    False,
    "Continue a run with other values of flags that change its result; prints the differences.",
    flag_values=values,
  )


def define_loss_flags(values: flags.FlagValues) -> None:
  """Defines a weight for every loss term, and the warm-up of the discriminator."""
  for term in LOSS_TERMS:
    flags.DEFINE_float(term.weight_name, term.default_weight, f"Weight of {term.help}.", flag_values=values)
  flags.DEFINE_integer(
    "discriminator_warmup_steps",
    0,
    "Number of first steps that train the discriminator alone; 0 = none (paper).",
    lower_bound=0,
    flag_values=values,
  )


def define_l1_normalization_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "l1_normalization",
    "image",
    ["image", "hole"],
    "Pixels over which to average the L1 losses of the coarse and the refinement network: the image's (paper), or the "
    "hole's alone, so that small and large holes count alike.",
    flag_values=values,
  )


def define_perceptual_flags(values: flags.FlagValues) -> None:
  """Defines the flags of the perceptual network."""
  flags.DEFINE_enum(
    "perceptual_network",
    "vgg19",
    ["vgg19", "vgg16_antialiased"],
    "Network whose features the "
    "perceptual losses compare: VGG19 (paper), or the VGG16 with blurred pooling of PyPI's "
    "stlpips-pytorch.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "perceptual_weights",
    IMAGENET,
    f"Weights of the perceptual network: {IMAGENET} (VGG19: downloaded by Keras; vgg16_antialiased: of "
    "the installed package, pip install --no-deps stlpips-pytorch==0.0.2), a file (a Keras weights file without top; "
    "vgg_shift_tolerant.pth of that package, or its arrays as .npz), or "
    f"{NO_WEIGHTS} (leaves out the perceptual terms).",
    flag_values=values,
  )
  for alias, name in conventions.FORMER_SETTINGS.items():
    flags.DEFINE_alias(alias, name, flag_values=values)


def define_initial_weights_flags(values: flags.FlagValues, names: Sequence[str] = tuple(_INITIAL_WEIGHTS)) -> None:
  """Defines the flags of a new run's initial weights; `names`: of the networks, and "all"."""
  for name in names:
    flags.DEFINE_string(
      f"init_{name}",
      None,
      f"Initial weights of {_INITIAL_WEIGHTS[name]} in a new run: a folder with model.npz, or a bundled model's name; "
      "no optimizer state.",
      flag_values=values,
    )


def define_schedule_flags(values: flags.FlagValues) -> None:
  """Defines the flags of steps and learning rates; defaults are the paper's joint stage on small masks."""
  flags.DEFINE_integer(
    "batch_size", 16, "Number of examples per step, over all devices.", lower_bound=1, flag_values=values
  )
  flags.DEFINE_integer("iterations", 80_000, "Number of steps of the stage.", flag_values=values)
  flags.DEFINE_list("learning_rates", ["1e-3", "1e-4", "1e-5"], "Learning rates of Adam, in order.", flag_values=values)
  flags.DEFINE_list(
    "decay_fractions",
    ["0.8", "0.9"],
    "Fractions of --iterations at which the next learning rate begins.",
    flag_values=values,
  )
  flags.DEFINE_float(
    "gradient_clip_norm",
    0.0,
    "Maximum global norm of the gradient of all networks but the discriminator; 0 = no clipping (paper).",
    flag_values=values,
  )
  flags.DEFINE_float(
    "ema_decay",
    0.0,
    "Decay of an exponential moving average of weights and batch norms' statistics, below 1, such as 0.999. "
    "Measurements, model.npz, best/ and kept/ use the averages; raw/ has the weights themselves. 0 = none (paper).",
    flag_values=values,
  )


def define_batch_norm_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_list(
    "freeze_batch_norm",
    [],
    "Networks (coarse, refine) whose batch norms keep the statistics of their initial weights and normalise "
    "by them, because those of small batches are noisy. Default: none (paper).",
    flag_values=values,
  )


def define_record_flags(values: flags.FlagValues) -> None:
  """Defines the intervals of saving, logging and measuring."""
  flags.DEFINE_integer("save_every", 1000, "Steps between checkpoints.", flag_values=values)
  flags.DEFINE_integer(
    "keep_every",
    None,
    "Steps between weights that are never deleted, in kept/step_N/model.npz. Default: none.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "max_skipped_steps",
    20,
    "Number of consecutive skipped steps that ends the run; a step is skipped if its loss or gradient is not finite.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "log_every", 100, "Steps between progress lines and scalars (TensorBoard, log.csv).", flag_values=values
  )
  flags.DEFINE_integer(
    "evaluate_every",
    1000,
    "Steps between TensorBoard pictures and, with validation images, measurements.",
    flag_values=values,
  )


def define_device_flags(values: flags.FlagValues) -> None:
  """Defines the flags of arithmetic.

  The devices are all visible GPUs, or the CPU; with TF_CONFIG, those of all workers.
  """
  flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "Arithmetic of the three "
    "networks and of the perceptual one; gates, losses, attention weights and discriminator stay "
    "float32. mixed_float16 scales the loss.",
    flag_values=values,
  )
  flags.DEFINE_bool("jit_compile", False, "Compile the step with XLA; for one device.", flag_values=values)
  flags.DEFINE_bool(
    "deterministic",
    None,
    "Repeat results bit for bit, on the same devices. Default: on a CPU without --jit_compile.",
    flag_values=values,
  )


def joint_config(values: flags.FlagValues) -> "JointConfig":
  """Reads the flags of `z2i train`; raises InputError if they are missing or exclude each other."""
  flag_readers.require(values, "work_dir")
  arguments = _stage_arguments(values)
  from z2i_tf.losses.terms import LossWeights
  from z2i_tf.training.joint import JointConfig

  with flag_readers.usage_errors():
    weights = LossWeights(**{term.weight_name: getattr(values, term.weight_name) for term in LOSS_TERMS})
    return JointConfig(**_flag_values(values, JointConfig), **arguments, loss_weights=weights)


def pretrain_config(values: flags.FlagValues) -> "PretrainConfig":
  """Reads the flags of `z2i pretrain`; raises InputError if they are missing or exclude each other."""
  flag_readers.require(values, "network", "work_dir")
  arguments = _stage_arguments(values)
  from z2i_tf.training.pretrain import PretrainConfig

  with flag_readers.usage_errors():
    return PretrainConfig(**_flag_values(values, PretrainConfig), **arguments)


def _stage_arguments(values) -> dict[str, Any]:
  """Returns the arguments that are not simply the value of a flag."""
  from z2i_tf.inference import bundled_models

  folders = {name: values[f"init_{name}"].value for name in _INITIAL_WEIGHTS if f"init_{name}" in values}
  return {
    "initial_weights": {name: bundled_models.model_folder(folder) for name, folder in folders.items() if folder},
    "freeze_batch_norm": tuple(values.freeze_batch_norm),
    "learning_rates": flag_readers.numbers(values, "learning_rates", float),
    "decay_fractions": flag_readers.numbers(values, "decay_fractions", float),
    "crop_scales": flag_readers.numbers(values, "crop_scales", int),
  }


def _flag_values(values, config_class) -> dict[str, Any]:
  """Returns the values of the flags that are named like fields, except lists."""
  names = [field.name for field in dataclasses.fields(config_class) if field.name in values]
  return {name: values[name].value for name in names if not isinstance(values[name].value, list)}

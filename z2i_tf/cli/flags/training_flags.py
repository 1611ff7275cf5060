"""The flags that the training commands share, with unit, default and source; and the records made of them."""

from collections.abc import Collection
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

from absl import flags

from z2i_tf import conventions
from z2i_tf.cli.flags import flag_groups
from z2i_tf.errors import InputError

# --perceptual_weights that leaves the perceptual terms out, and that stands for the published weights.
NO_WEIGHTS, _IMAGENET = "none", "imagenet"
# Former names of flags -> present ones.
ALIASES = {"vgg_weights": "perceptual_weights"}
# Networks that can start from given weights: name of the flag -> what its help calls them.
_INITIAL_WEIGHTS = {
  conventions.ALL_NETWORKS: "every network",
  conventions.COARSE_NET: "the coarse network",
  conventions.SR_NET: "the super-resolution network",
  conventions.REFINE_NET: "the refinement network",
  conventions.DISCRIMINATOR: "the discriminator",
}


def define_loss_flags(values: flags.FlagValues) -> None:
  """One weight per loss term; a term of weight 0 is not computed. Defaults: the paper's."""
  for name, default, text in (
    ("l1_coarse", 1.0, "L1 of the coarse fill"),
    ("l1_sr", 1.0, "L1 of the zoomed image"),
    ("l1_refine", 1.0, "L1 of the composed refined image"),
    ("gradient", 1.0, "the gradient loss of the composed refined image"),
    ("vgg_coarse", 0.01, "the perceptual loss of the coarse fill"),
    ("vgg_refine", 1e-5, "the perceptual loss of the composed refined image"),
    ("adversarial", 0.5, "the generator's hinge loss; 0 trains without a discriminator"),
  ):
    flags.DEFINE_float(f"weight_{name}", default, f"Weight of {text}.", flag_values=values)
  flags.DEFINE_integer(
    "discriminator_warmup_steps",
    0,
    "First steps of the stage, in which the discriminator alone is "
    "trained and the generator stays as it is; 0 = paper.",
    lower_bound=0,
    flag_values=values,
  )
  flags.DEFINE_integer(
    "discriminator_width", None, "Width of the discriminator, even. Default: --width.", flag_values=values
  )


def define_l1_normalization_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_enum(
    "l1_normalization",
    "image",
    ["image", "hole"],
    "Pixels over which the L1 losses of the coarse and "
    "the refinement network are averaged: all of the image (paper), or each example's hole alone, so "
    "that small and large holes count alike.",
    flag_values=values,
  )


def define_perceptual_flags(values: flags.FlagValues) -> None:
  """Which network's features the perceptual losses compare."""
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
    _IMAGENET,
    f"Its weights: {_IMAGENET} (VGG19: downloaded by Keras; vgg16_antialiased: of "
    "the installed package, pip install --no-deps stlpips-pytorch==0.0.2), a file (a Keras weights file without top; "
    "vgg_shift_tolerant.pth of that package, or its arrays as .npz), or "
    f"{NO_WEIGHTS} (perceptual terms are left out).",
    flag_values=values,
  )
  for alias, name in ALIASES.items():
    flags.DEFINE_alias(alias, name, flag_values=values)


def loss_weights(values: flags.FlagValues):
  """Returns the LossWeights of the loss flags."""
  from z2i_tf.training.config import LossWeights

  weights = {field.name: values[field.name].value for field in dataclasses.fields(LossWeights)}
  if values.perceptual_weights == NO_WEIGHTS:
    weights.update(weight_vgg_coarse=0.0, weight_vgg_refine=0.0)
  with flag_groups.usage_errors():
    return LossWeights(**weights)


def define_initial_weights_flags(values: flags.FlagValues, names: Sequence[str] = tuple(_INITIAL_WEIGHTS)) -> None:
  """Which trained networks a new run starts from; `names`: of the networks, and "all"."""
  for name in names:
    flags.DEFINE_string(
      f"init_{name}",
      None,
      "Folder with model.npz, or name of a bundled model, whose weights "
      f"{_INITIAL_WEIGHTS[name]} of a new run starts from; weights only, no optimizer state.",
      flag_values=values,
    )


def initial_weights(values: flags.FlagValues) -> dict[str, str]:
  """Returns network name (or "all") -> model folder of the initial weights' flags, those that the command has.

  Raises: InputError if they do not go together, or a bundled model is not as it was released.
  """
  from z2i_tf.inference import bundled_models

  folders = {name: values[f"init_{name}"].value for name in _INITIAL_WEIGHTS if f"init_{name}" in values}
  folders = {name: bundled_models.model_folder(folder) for name, folder in folders.items() if folder}
  if conventions.ALL_NETWORKS in folders and len(folders) > 1:
    raise InputError(
      f"--init_all already says where every network's weights come from; leave out "
      f"--init_{list(folders)[1]}, or --init_all"
    )
  return folders


def define_schedule_flags(values: flags.FlagValues) -> None:
  """How long and how fast. Defaults: the paper's joint stage on small masks."""
  flags.DEFINE_integer(
    "batch_size", 16, "Examples per step, over all devices together.", lower_bound=1, flag_values=values
  )
  flags.DEFINE_integer("iterations", 80_000, "Steps of the whole stage.", flag_values=values)
  flags.DEFINE_list(
    "learning_rates", ["1e-3", "1e-4", "1e-5"], "Adam's learning rates, one after the other.", flag_values=values
  )
  flags.DEFINE_list(
    "decay_fractions",
    ["0.8", "0.9"],
    "Fractions of --iterations at which the next learning rate begins.",
    flag_values=values,
  )
  flags.DEFINE_float(
    "gradient_clip_norm",
    0.0,
    "Global norm that the gradient (of all networks but the discriminator) is scaled down to; 0 = never (paper).",
    flag_values=values,
  )
  flags.DEFINE_float(
    "ema_decay",
    0.0,
    "Decay of an exponential moving average of weights and batch norms' statistics, "
    "below 1, such as 0.999: what is measured and what model.npz, best/ and kept/ hold; raw/ has the "
    "weights themselves. 0 = none (paper).",
    flag_values=values,
  )


def define_batch_norm_flag(values: flags.FlagValues) -> None:
  flags.DEFINE_list(
    "freeze_batch_norm",
    [],
    "Networks (coarse, refine) whose batch norms normalise by the statistics "
    "of their initial weights, which stay as they are, in place of each batch's: those of small "
    "batches are noisy. Default: none (paper).",
    flag_values=values,
  )


def define_record_flags(values: flags.FlagValues) -> None:
  """How often to save, log and measure."""
  flags.DEFINE_integer("save_every", 1000, "Steps between checkpoints.", flag_values=values)
  flags.DEFINE_integer(
    "keep_every",
    None,
    "Steps between weights that are kept for ever, in kept/step_N/model.npz. Default: none are.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "max_skipped_steps",
    20,
    "Steps in a row whose loss or gradient is not finite, and which are therefore skipped, that end the run.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "log_every", 100, "Steps between progress lines and scalars (TensorBoard, log.csv).", flag_values=values
  )
  flags.DEFINE_integer(
    "evaluate_every",
    1000,
    "Steps between TensorBoard pictures and, with --validation_dir, measurements.",
    flag_values=values,
  )


def define_device_flags(values: flags.FlagValues) -> None:
  """How the devices compute. Which ones: all visible GPUs, or the CPU; of all workers with TF_CONFIG."""
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


def optimizer_config(values: flags.FlagValues):
  """Returns the OptimizerConfig of the schedule flags."""
  from z2i_tf.training.config import OptimizerConfig

  with flag_groups.usage_errors():
    return OptimizerConfig(
      iterations=values.iterations,
      learning_rates=_numbers(values, "learning_rates"),
      decay_fractions=_numbers(values, "decay_fractions"),
      gradient_clip_norm=values.gradient_clip_norm,
      ema_decay=values.ema_decay,
    )


def _numbers(values, name):
  try:
    return tuple(float(number) for number in values[name].value)
  except ValueError as error:
    raise InputError(f"--{name}={','.join(values[name].value)}: {error}") from error


def check_device_flags(values: flags.FlagValues) -> None:
  """Raises InputError if flags of the devices do not go together."""
  if values.deterministic and values.jit_compile:
    raise InputError(
      "--deterministic and --jit_compile: XLA has no deterministic gradient of max-pooling; leave one of them out"
    )


def recorded_settings(values: flags.FlagValues, free: Collection[str]) -> dict[str, Any]:
  """Returns all flags and their values, but for those named in `free`; files and folders as absolute paths."""
  return {
    name: os.path.realpath(values[name].value) if _is_path(name, values[name].value) else values[name].value
    for name in values
    if name not in free and name not in ALIASES
  }


def _is_path(name, value) -> bool:
  return bool(value) and (
    name.endswith("_dir")
    or name.startswith("init_")
    or name == "perceptual_weights"
    and value not in (NO_WEIGHTS, _IMAGENET)
  )

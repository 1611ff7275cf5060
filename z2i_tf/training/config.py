"""Frozen records of hyper-parameters, validated on construction."""

from collections.abc import Collection
from collections.abc import Mapping
import dataclasses

from z2i_tf import conventions

# Over which pixels the L1 terms of the networks that fill holes are averaged.
OVER_IMAGE, OVER_HOLE = L1_NORMALIZATIONS = ("image", "hole")
_WITH_BATCH_NORM = (conventions.COARSE_NET, conventions.REFINE_NET)


def check_loss_weight(name: str, value: float) -> None:
  """Raises ValueError unless the weight is finite and not negative."""
  if not 0.0 <= value < float("inf"):
    raise ValueError(f"A loss weight must be finite and not negative. Received: {name}={value}")


def check_l1_normalization(value: str) -> None:
  """Raises ValueError unless it is one of `L1_NORMALIZATIONS`."""
  if value not in L1_NORMALIZATIONS:
    raise ValueError(f"L1 is averaged over one of {', '.join(L1_NORMALIZATIONS)}. Received: l1_normalization={value!r}")


def check_frozen_batch_norm(
  frozen: Collection[str], networks: Collection[str], initial_weights: Mapping[str, str]
) -> None:
  """Raises ValueError unless each network in `frozen` is trained, has batch norms, and statistics to start with."""
  for name in frozen:
    if name not in networks or name not in _WITH_BATCH_NORM:
      trained = [network for network in _WITH_BATCH_NORM if network in networks]
      raise ValueError(
        "Networks trained here whose batch norms can keep their statistics: "
        f"{', '.join(trained) or 'none'}. Received: freeze_batch_norm={name}"
      )
    if not {name, conventions.ALL_NETWORKS} & set(initial_weights):
      raise ValueError(
        f"The batch norms of {name!r} have no statistics to keep, for it starts from no trained "
        f"weights. Received: freeze_batch_norm={name}"
      )


@dataclasses.dataclass(frozen=True)
class LossWeights:
  """Weights of the joint stage's loss terms; a term of weight 0 is not computed.

  Defaults are the paper's. The first group weighs whole networks' pixel terms, which the paper fixes at 1.

  Attributes:
    weight_l1_coarse: L1 of the coarse fill against the low-resolution label.
    weight_l1_sr: L1 of the zoomed image against the high-resolution label.
    weight_l1_refine: L1 of the composed refined image against the high-resolution label.
    weight_gradient: gradient loss of the composed refined image.
    weight_vgg_coarse: VGG19 feature loss of the coarse fill.
    weight_vgg_refine: VGG19 feature loss of the composed refined image.
    weight_adversarial: generator's hinge loss; at 0 there is no discriminator at all.
  """

  weight_l1_coarse: float = 1.0
  weight_l1_sr: float = 1.0
  weight_l1_refine: float = 1.0
  weight_gradient: float = 1.0
  weight_vgg_coarse: float = 0.01
  weight_vgg_refine: float = 1e-5
  weight_adversarial: float = 0.5

  def __post_init__(self):
    for field in dataclasses.fields(self):
      check_loss_weight(field.name, getattr(self, field.name))

  @property
  def use_vgg(self) -> bool:
    return self.weight_vgg_coarse > 0 or self.weight_vgg_refine > 0

  @property
  def use_discriminator(self) -> bool:
    return self.weight_adversarial > 0


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Adam with a piecewise constant learning rate, alike for generator and discriminator.

  Attributes:
    iterations: steps of the whole stage.
    learning_rates: one more than `decay_fractions`.
    decay_fractions: of `iterations`, ascending, where the next learning rate begins.
    gradient_clip_norm: global norm that the generator's gradient is scaled down to; 0 = never (paper).
    ema_decay: of the exponential moving average of the weights (`WeightAverages`), below 1; 0 = none (paper).
  """

  iterations: int
  learning_rates: tuple[float, ...] = (1e-3, 1e-4, 1e-5)
  decay_fractions: tuple[float, ...] = (0.8, 0.9)
  gradient_clip_norm: float = 0.0
  ema_decay: float = 0.0

  def __post_init__(self):
    if self.iterations < 1:
      raise ValueError(f"At least one iteration is needed. Received: iterations={self.iterations}")
    if len(self.learning_rates) != len(self.decay_fractions) + 1:
      raise ValueError(
        f"There must be one learning rate more than decay fractions. Received: "
        f"learning_rates={self.learning_rates}, decay_fractions={self.decay_fractions}"
      )
    if not all(0.0 < rate < float("inf") for rate in self.learning_rates):
      raise ValueError(f"Learning rates must be positive numbers. Received: {self.learning_rates}")
    bounds = (0.0,) + self.decay_fractions + (1.0,)
    if not all(left < right for left, right in zip(bounds, bounds[1:])):
      raise ValueError(f"Decay fractions must ascend between 0 and 1. Received: {self.decay_fractions}")
    if not 0.0 <= self.gradient_clip_norm < float("inf"):
      raise ValueError(f"The clip norm must be finite and not negative. Received: {self.gradient_clip_norm}")
    if not 0.0 <= self.ema_decay < 1.0:
      raise ValueError(f"The decay of the average is at least 0 and below 1. Received: ema_decay={self.ema_decay}")

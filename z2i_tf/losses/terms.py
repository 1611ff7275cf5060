"""Table of the loss terms of joint training (paper equations 2 to 6).

To add a term, add a row to `LOSS_TERMS`: its weight becomes a field of `LossWeights` and a flag of `z2i train`, and the
training step computes and logs it. Rows import TensorFlow only when they compute, so that `z2i --help` does not.
"""

from collections.abc import Callable
import dataclasses
from typing import Protocol, TYPE_CHECKING

from z2i_tf import conventions

if TYPE_CHECKING:
  import tensorflow as tf

# Values of `perceptual_weights`: without the perceptual terms; with VGG19's published weights.
NO_WEIGHTS, IMAGENET = "none", "imagenet"
_PREFIX = "weight_"


class LossInputs(Protocol):
  """Inputs of a term.

  Attributes:
    outputs: images by name, (B, H, W, 3), as `ZoomInpainter` returns them, and `composed_hr`.
    batch: "image_lr" and "image_hr" in [0, 1].
    holes: label -> mask (B, H, W, 1) of the label's size, 1 = hole, over which L1 is averaged; None: over the image.
    features: the perceptual network: (B, H, W, 3) in [0, 1] -> features.
    label_features: label -> features of that label.
    fake_scores: the discriminator's scores of the composed image, (B, N).
  """

  outputs: dict[str, "tf.Tensor"]
  batch: dict[str, "tf.Tensor"]
  holes: dict[str, "tf.Tensor | None"]
  features: Callable[["tf.Tensor"], "tf.Tensor"]
  label_features: dict[str, "tf.Tensor"]
  fake_scores: "tf.Tensor"


@dataclasses.dataclass(frozen=True)
class LossTerm:
  """A row of the table.

  Attributes:
    name: of the term; "loss/NAME" in logs, "weight_NAME" in `LossWeights` and among the flags.
    default_weight: the paper's.
    help: quantity that the weight multiplies, for the flag's help.
    function: computes the unweighted term, one value per example (B,).
    network: network that the term needs. Models without that network leave the term out. None: needs none.
    feature_label: label whose features it compares; None if it uses no perceptual network.
  """

  name: str
  default_weight: float
  help: str
  function: Callable[[LossInputs], "tf.Tensor"]
  network: str | None = None
  feature_label: str | None = None

  @property
  def weight_name(self) -> str:
    """Field of `LossWeights`."""
    return _PREFIX + self.name


def _l1(output, label, is_over_hole=True):
  def term(inputs):
    from z2i_tf.losses.pixel import l1_loss

    return l1_loss(inputs.outputs[output], inputs.batch[label], inputs.holes[label] if is_over_hole else None)

  return term


def _gradient(output, label):
  def term(inputs):
    from z2i_tf.losses.pixel import gradient_loss

    return gradient_loss(inputs.outputs[output], inputs.batch[label])

  return term


def _features(output, label):
  def term(inputs):
    from z2i_tf.losses.perceptual import feature_loss

    return feature_loss(inputs.features(inputs.outputs[output]), inputs.label_features[label])

  return term


def _hinge(inputs):
  from z2i_tf.losses.adversarial import hinge_generator_loss

  return hinge_generator_loss(inputs.fake_scores)


_COARSE, _ZOOMED, _COMPOSED = conventions.COARSE, conventions.ZOOMED, conventions.COMPOSED_HR
_LR, _HR = conventions.IMAGE_LR, conventions.IMAGE_HR

LOSS_TERMS = (
  LossTerm("l1_coarse", 1.0, "L1 of the coarse fill", _l1(_COARSE, _LR)),
  LossTerm("l1_sr", 1.0, "L1 of the zoomed image", _l1(_ZOOMED, _HR, is_over_hole=False), network=conventions.SR_NET),
  LossTerm("l1_refine", 1.0, "L1 of the composed refined image", _l1(_COMPOSED, _HR)),
  LossTerm("gradient", 1.0, "the gradient loss of the composed refined image", _gradient(_COMPOSED, _HR)),
  LossTerm("vgg_coarse", 0.01, "the perceptual loss of the coarse fill", _features(_COARSE, _LR), feature_label=_LR),
  LossTerm(
    "vgg_refine",
    1e-5,
    "the perceptual loss of the composed refined image",
    _features(_COMPOSED, _HR),
    feature_label=_HR,
  ),
  LossTerm(
    "adversarial",
    0.5,
    "the generator's hinge loss; 0 trains without a discriminator",
    _hinge,
    network=conventions.DISCRIMINATOR,
  ),
)


def check_loss_weight(name: str, value: float) -> None:
  """Raises ValueError unless the weight is finite and not negative."""
  if not 0.0 <= value < float("inf"):
    raise ValueError(f"A loss weight must be finite and not negative. Received: `{name}`={value}")


@dataclasses.dataclass(frozen=True)
class _Weights:
  """Methods of `LossWeights`."""

  def __post_init__(self):
    for term in LOSS_TERMS:
      check_loss_weight(term.weight_name, self.of(term))

  def of(self, term: LossTerm) -> float:
    """Returns the weight of a term."""
    return getattr(self, term.weight_name)

  @property
  def terms(self) -> tuple[LossTerm, ...]:
    """The terms with a positive weight; only these are computed."""
    return tuple(term for term in LOSS_TERMS if self.of(term) > 0)

  @property
  def use_perceptual(self) -> bool:
    """Whether a term compares features."""
    return any(term.feature_label for term in self.terms)

  @property
  def use_discriminator(self) -> bool:
    """Whether a term needs the discriminator."""
    return any(term.network == conventions.DISCRIMINATOR for term in self.terms)

  def without_perceptual(self) -> "LossWeights":
    """Returns the same weights, with 0 for every term that compares features."""
    kept = {term.weight_name: self.of(term) for term in LOSS_TERMS}
    return LossWeights(**{**kept, **{term.weight_name: 0.0 for term in LOSS_TERMS if term.feature_label}})


_DESCRIPTION = "Weights of the loss terms of joint training; defaults are the paper's.\n\nAttributes:\n"

if TYPE_CHECKING:

  class LossWeights(_Weights):
    def __init__(self, **weights: float): ...

else:
  LossWeights = dataclasses.make_dataclass(
    "LossWeights",
    [(term.weight_name, float, dataclasses.field(default=term.default_weight)) for term in LOSS_TERMS],
    bases=(_Weights,),
    frozen=True,
    namespace={
      "__module__": __name__,
      "__doc__": _DESCRIPTION + "".join(f"  {term.weight_name}: weight of {term.help}.\n" for term in LOSS_TERMS),
    },
  )

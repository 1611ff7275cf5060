"""Draws masks of one kind, or of several kinds with given probabilities."""

import dataclasses
import math

import numpy as np

from z2i_tf.masks.drawing import draw_mask
from z2i_tf.masks.specs import OwnMasks
from z2i_tf.masks.specs import SPECS

# The kind that takes the user's own masks; `SPECS` has the others.
FOLDER = "folder"
KINDS = (*SPECS, FOLDER)


@dataclasses.dataclass(frozen=True)
class MaskMixture:
  """Kinds of masks with their shares.

  Attributes:
    kinds: names in `KINDS`.
    shares: probability of each, summing to 1.
    reference_size: see `draw_mask`.
    own_masks: masks of the kind "folder".
  Raises: ValueError if the kind "folder" comes without `own_masks`, or `own_masks` without it.
  """

  kinds: tuple[str, ...]
  shares: tuple[float, ...]
  reference_size: int | None = None
  own_masks: OwnMasks | None = None

  def __post_init__(self):
    if FOLDER in self.kinds and self.own_masks is None:
      raise ValueError("masks of the kind 'folder' need a folder of masks")
    if FOLDER not in self.kinds and self.own_masks is not None:
      raise ValueError("a folder of masks was given, but 'folder' is not among the kinds of masks")

  @classmethod
  def parse(cls, text: str, reference_size: int | None = None, own_masks: OwnMasks | None = None) -> "MaskMixture":
    """Reads "small", "large", or shares such as "small:0.7,large:0.3" (scaled to sum to 1).

    Raises: ValueError for an unknown kind, or a share that is not a positive number.
    """
    pairs = [part.partition(":") for part in text.split(",")]
    kinds = tuple(kind.strip() for kind, _, _ in pairs)
    for kind in kinds:
      if kind not in KINDS:
        raise ValueError(f"unknown kind of mask {kind!r}; known are {', '.join(KINDS)}")
    try:
      shares = [float(share) if colon else 1.0 for _, colon, share in pairs]
    except ValueError:
      shares = [math.nan]
    if not all(0.0 < share < math.inf for share in shares):
      raise ValueError(f"the share of a kind of mask must be a positive number, not {text!r}")
    return cls(kinds, tuple(share / sum(shares) for share in shares), reference_size, own_masks)

  def draw(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the kind, then the mask: (height, width) uint8, 1 = hole; raises as `draw_mask`."""
    # A single kind draws no random number.
    kind = self.kinds[0 if len(self.kinds) == 1 else rng.choice(len(self.kinds), p=self.shares)]
    spec = SPECS.get(kind, self.own_masks)
    assert spec is not None  # `__post_init__` checks it.
    return draw_mask(spec, height, width, rng, self.reference_size)

"""Which kind of mask an example gets: one kind, or several in shares."""

import dataclasses
from typing import Optional, Tuple

import numpy as np

from z2i_tf.masks.specs import SPECS
from z2i_tf.masks.strokes import draw_mask


@dataclasses.dataclass(frozen=True)
class MaskMixture:
  """Kinds of masks with their shares.

  Attributes:
    kinds: names in `SPECS`.
    shares: how often each is drawn, summing to 1.
    reference_size: see `draw_mask`.
  """
  kinds: Tuple[str, ...]
  shares: Tuple[float, ...]
  reference_size: Optional[int] = None

  @classmethod
  def parse(cls, text: str, reference_size: Optional[int] = None) -> "MaskMixture":
    """Reads "small", "large", or shares such as "small:0.7,large:0.3" (scaled to sum to 1).

    Raises: ValueError for an unknown kind, or a share that is not a positive number.
    """
    pairs = [part.partition(":") for part in text.split(",")]
    kinds = tuple(kind.strip() for kind, _, _ in pairs)
    for kind in kinds:
      if kind not in SPECS:
        raise ValueError(f"unknown kind of mask {kind!r}; known are {', '.join(SPECS)}")
    shares = [float(share) if colon else 1.0 for _, colon, share in pairs]
    if not all(0.0 < share < float("inf") for share in shares):
      raise ValueError(f"the share of a kind of mask must be a positive number, not {text!r}")
    return cls(kinds, tuple(share / sum(shares) for share in shares), reference_size)

  def draw(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the kind, then the mask: (height, width) uint8, 1 = hole; raises as `draw_mask`."""
    # One kind alone takes no number from the generator.
    kind = self.kinds[0 if len(self.kinds) == 1 else rng.choice(len(self.kinds), p=self.shares)]
    return draw_mask(SPECS[kind], height, width, rng, self.reference_size)

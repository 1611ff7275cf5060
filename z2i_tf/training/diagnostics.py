"""Warns when training goes wrong. All thresholds are our own."""

import collections
from collections.abc import Mapping
import math
import statistics

DATA_WAIT = "data/wait_share"
# The hinge loss of a discriminator is 2 if its scores are 0, and 0 if it is never wrong.
_SATURATED_LOSS, _SATURATED_WINDOWS = 0.02, 3
# A gradient explodes at this multiple of the median over the last windows, once there are enough of them.
_EXPLODING_FACTOR, _FORMER_WINDOWS, _MIN_FORMER_WINDOWS = 20.0, 20, 4
# Share of the time spent waiting for data, and number of consecutive windows, from which data starvation is reported.
_STARVING_SHARE, _STARVING_WINDOWS = 0.3, 2


class Diagnostics:
  """Checks the means of every logging window."""

  def __init__(self):
    self._norms: dict[str, collections.deque] = {}
    self._streaks: dict[str, int] = collections.defaultdict(int)

  def messages(self, scalars: Mapping[str, float]) -> list[str]:
    """Returns the warnings for a window; each fault is reported when it begins, and again only after it has ended."""
    found = []
    loss = scalars.get("loss/adversarial_discriminator", math.inf)
    if self._begins("saturated", loss < _SATURATED_LOSS, _SATURATED_WINDOWS):
      found.append(
        f"the discriminator is saturated: its hinge loss is {loss:.2g}, so it is never wrong and teaches "
        "the generator little; lower the learning rate or `weight_adversarial`, or narrow it "
        "(`discriminator_width`)"
      )
    share = scalars.get(DATA_WAIT, 0.0)
    if self._begins("starving", share > _STARVING_SHARE, _STARVING_WINDOWS):
      found.append(
        f"data starvation: {100 * share:.0f}% of the time is spent waiting for examples; see z2i prepare "
        "and `crops_per_image`"
      )
    for name, norm in scalars.items():
      if name.startswith("gradient_norm/"):
        found += self._exploding(name, norm)
    return found

  def _exploding(self, name, norm):
    former = self._norms.setdefault(name, collections.deque(maxlen=_FORMER_WINDOWS))
    usual = statistics.median(former) if len(former) >= _MIN_FORMER_WINDOWS else math.inf
    explodes = norm > _EXPLODING_FACTOR * usual
    begins = self._begins(name, explodes, 1)
    if math.isfinite(norm) and not explodes:
      former.append(norm)
    return (
      [
        f"the gradient explodes: {name} is {norm:.3g}, before it was around {usual:.3g}; lower the learning rate, "
        "or clip with `gradient_clip_norm`"
      ]
      if begins
      else []
    )

  def _begins(self, name, is_present, windows) -> bool:
    """Returns whether a fault has now been present in exactly `windows` consecutive windows."""
    self._streaks[name] = self._streaks[name] + 1 if is_present else 0
    return self._streaks[name] == windows
